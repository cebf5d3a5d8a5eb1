package proxy

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"time"
)

// Manners are the ways of passing requests on that configurable-http-proxy has options for. They hold for every route. The zero
// value is what a hub of ours is served with.
type Manners struct {
	// StandIn says that somebody else's hub, or none, is behind the table: nothing is known of it but what its routes say.
	StandIn bool

	KeepForwarded bool // what a client says in X-Forwarded-*, X-Real-Ip and the like is passed on as it came, and nothing added
	NoTargetPath  bool // a target's own path is not put in front
	NoPrefix      bool // the part of the path that the route matched is cut off
	TargetHost    bool // Host is the target's

	RewriteHost  bool   // redirects to the target's host lead to the one that the client asked
	RewriteProto string // and to this protocol: http or https; "": as they came

	Headers   http.Header   // set in every request
	AnswerIn  time.Duration // for an upstream to begin its answer; 0: as long as it takes
	TLS       *tls.Config   // towards https targets; nil: the system's authorities
	ErrorPath string        // directory of 404.html, 503.html and error.html for the proxy's own answers
}

// answerIn is how long an upstream may take to begin its answer. A hub of ours answers soon or not at all.
func (m *Manners) answerIn(isHub bool) time.Duration {
	if isHub && !m.StandIn {
		return hubTimeout
	}
	return m.AnswerIn
}

// tlsFor returns how a target's TLS is spoken.
func (m *Manners) tlsFor(t target) *tls.Config {
	config := &tls.Config{}
	if m.TLS != nil {
		config = m.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = hostKey(t.host)
	}
	return config
}

// path returns what goes upstream in the place of a request's path, and the query with it.
func (m *Manners) path(r *route, p place, query string) (string, string) {
	path, to := r.at(p), r.target
	if m.NoPrefix {
		path = r.below(p)
	}
	if m.NoTargetPath {
		to.path = ""
	}
	return to.forward(path, query)
}

// forwardedHeaders are what httputil takes out of a request before anybody is asked.
var forwardedHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// introduce says who asks, or leaves it to whoever stands in front.
func (m *Manners) introduce(out *http.Request, ps *passage) {
	if m.KeepForwarded {
		for _, name := range forwardedHeaders {
			if values := ps.in.Header[name]; values != nil {
				out.Header[name] = values
			}
		}
		delete(out.Header, InsecureHeader)
		delete(out.Header, "Proxy")
	} else {
		removeClaims(out.Header)
		c := ps.client
		c.exposed = c.exposed && !m.StandIn
		c.introduce(out.Header, ps.route.isHub())
	}
	for name, values := range m.Headers {
		if name == "Host" {
			out.Host = values[0]
			continue
		}
		out.Header[name] = values
	}
}

// redirects are the answers whose Location may be rewritten.
var redirects = map[int]bool{201: true, 301: true, 302: true, 307: true, 308: true}

// rewrite makes a redirect to the target's own address one to the address that the client knows.
func (m *Manners) rewrite(answer *http.Response, ps *passage) {
	where := answer.Header.Get("Location")
	if !m.RewriteHost && m.RewriteProto == "" || !redirects[answer.StatusCode] || where == "" {
		return
	}
	to, err := url.Parse(where)
	if err != nil || to.Host != ps.route.target.host {
		return
	}
	if m.RewriteHost {
		to.Host = ps.client.host
	}
	if m.RewriteProto != "" {
		to.Scheme = m.RewriteProto
	}
	answer.Header["Location"] = []string{to.String()}
}
