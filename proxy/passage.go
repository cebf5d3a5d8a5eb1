package proxy

import (
	"net/http"
	"net/netip"
	"strings"
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
	guest     *guest      // the client's address, for its bounds; nil: it has none
	turns     *turns      // of whoever it belongs to, for pieces of bodies; nil: it need not wait
	share     netip.Addr  // whose share of the memory for slow clients it takes; zero: nobody's
	above     string      // domain of which the browser has cookies that another host's page may have set; "": none
	sessions  []sessionID // that the request's cookies name, and behind them the tokens that it shows
	cookies   int         // how many of them are of cookies
	names     []string    // of these at the route, where one has another; see aliases
	anew      []string    // likewise, everywhere
	over      []sessionID // tokens that it shows and that open nothing any more
	ended     bool        // one of these has ended
	poll      bool        // an open page makes it by itself; see isPoll
	failure   error       // why the upstream did not answer
	stalled   atomic.Bool // the rest of the body did not come
	malformed atomic.Bool // the body is no body; net/http then calls the client gone
}

// prepare turns a copy of the request into what the upstream gets.
func (ps *passage) prepare(out *http.Request) {
	removeHops(out.Header) // an offered upgrade that is no WebSocket ends here (D7)
	out.Host = ps.in.Host
	if ps.manners.TargetHost || out.Host == "" {
		out.Host = ps.route.target.host
	}
	ps.manners.introduce(out, ps)
	if ps.names != nil || ps.anew != nil {
		ps.rename(out.Header)
	}
	if ps.over != nil {
		dropTokens(out.Header, ps.over)
	}
	if ps.ended {
		filterCookies(out.Header, survives)
	}
	filterCookies(out.Header, ps.route.jar.sends)
}

// appendHead writes the head of what goes upstream. The path is what was matched, byte by byte but for the route's own prefix;
// the query is not looked at (D1, D3), and longer for polls.
func (ps *passage) appendHead(b []byte, out *http.Request, upgrade bool) []byte {
	path, query := ps.manners.path(ps.route, ps.place, ps.query)
	if ps.poll {
		query = strings.TrimPrefix(query+"&"+untracked, "&")
	}
	b = append(append(append(b, out.Method...), ' '), path...)
	if query != "" || ps.bareQuery {
		b = append(append(b, '?'), query...)
	}
	b = appendField(append(b, " HTTP/1.1\r\n"...), "Host", out.Host)
	for name, values := range out.Header {
		if name == "Host" || name == "Content-Length" {
			continue
		}
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	switch {
	case upgrade:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case ps.chunked():
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		if names := ps.trailers(); len(names) > 0 {
			b = appendField(b, "Trailer", strings.Join(names, ", "))
		}
	case ps.in.ContentLength > 0 || ps.in.Header["Content-Length"] != nil || expectsBody(out.Method):
		b = appendNumber(b, "Content-Length", ps.in.ContentLength)
	}
	return append(b, "\r\n"...)
}

// expectsBody reports whether a request of that method says how long its body is even when there is none (RFC 9110 8.6).
func expectsBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
