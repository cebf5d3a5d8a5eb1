package proxy

import (
	"net/http"
	"net/url"
	"sync/atomic"
)

// passage is one request on its way from its client to the upstream of its route.
type passage struct {
	in        *http.Request
	place     place
	query     string
	bareQuery bool // the target ends in "?"
	route     *route
	manners   *Manners
	client    client
	sessions  []sessionID // that the request's cookies name
	ended     bool        // one of these has ended
	stalled   atomic.Bool // the rest of the body did not come
	malformed atomic.Bool // the body is no body; net/http then calls the client gone
}

// url returns where the request goes. The path is what was matched, byte by byte but for the route's own prefix; the query is
// not looked at (D1, D3).
func (ps *passage) url() *url.URL {
	to := ps.route.target
	path, query := ps.manners.path(ps.route, ps.place, ps.query)
	decoded, err := unescape(path)
	if err != nil {
		decoded = path // a target's own path, which was parsed when the route was made
	}
	return &url.URL{Scheme: to.scheme, Host: to.host, Path: decoded, RawPath: path, RawQuery: query, ForceQuery: ps.bareQuery}
}

// prepare turns a copy of the request into what the upstream gets. Headers of the hop are gone already.
func (ps *passage) prepare(out *http.Request) {
	out.URL = ps.url()
	out.Host = ps.in.Host
	out.Trailer = nil // net/http would send the names without their values (D16)
	if ps.manners.TargetHost {
		out.Host = ps.route.target.host
	}
	ps.manners.introduce(out, ps)
	if ps.ended {
		filterCookies(out.Header, survives)
	}
	filterCookies(out.Header, ps.route.jar.sends)
}
