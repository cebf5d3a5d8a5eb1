package proxy

import (
	"net/http"
	"strings"
)

// xsrfCookie is the one cookie that pages' scripts read: of several they take the first, which a page at another host below ours can
// set for all of them.
const xsrfCookie = "_xsrf"

// tossed reports whether a request to a server at a host of its own brings more tokens against forgery than one.
func (p *Proxy) tossed(ps *passage) bool {
	return p.options.HubOrigin != "" && ps.route != nil && !ps.route.isHub() && len(cookieValues(ps.in.Header, xsrfCookie)) > 1
}

// takeBack has a browser forget those that were set for a domain above the server's host, on every path that leads to the
// request's. The server's own belongs to its host alone and stays, so that its page works again with the next thing it asks.
func (ps *passage) takeBack(h http.Header) {
	if ps.above == "" {
		return
	}
	for domain := ps.above; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		for _, path := range leading(ps.place.raw) {
			h["Set-Cookie"] = append(h["Set-Cookie"], xsrfCookie+"=; Domain="+domain+"; Path="+path+"; Max-Age=0")
		}
	}
}

// maxLeading bounds how many lines an answer grows by, whatever its path.
const maxLeading = 16

// leading returns the paths by which a cookie's would match a request's, the shortest first (RFC 6265 5.1.4).
func leading(path string) (all []string) {
	for i := 1; i <= len(path) && len(all) < maxLeading; i++ {
		if path[i-1] == '/' || i == len(path) || path[i] == '/' {
			all = append(all, path[:i])
		}
	}
	return all
}
