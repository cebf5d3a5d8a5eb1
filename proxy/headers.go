package proxy

import (
	"net/http"
	"strings"
)

// InsecureHeader is what the proxy tells the hub with the value "1" when the browser's words cross a network in the clear:
// the request is not https, by our own TLS or by a trusted proxy's word, and came from beyond loopback. The hub alone decides
// what follows (its login form gives way unless insecure_http is set). No client can send it.
const InsecureHeader = "X-Jupyterhub-Insecure"

// hopHeaders concern one connection and are never passed on (RFC 9110 7.6.1), beside what Connection names.
var hopHeaders = []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// claims are headers in which a client could say what the proxy has to say; beside these, all of X-Forwarded-* and Proxy-*.
// "Proxy" is in it because CGI programs make HTTP_PROXY of it.
var claims = map[string]bool{
	"Forwarded": true, "X-Real-Ip": true, "X-Scheme": true, "X-Url-Scheme": true, "Front-End-Https": true, "Proxy": true,
	InsecureHeader: true,
}

// removeHops removes what concerns one connection alone.
func removeHops(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
}

// removeClaims removes everything that an upstream would take for the proxy's word, also when it is spelled with
// underscores, which some programs take for hyphens.
func removeClaims(h http.Header) {
	for name := range h {
		if isClaim(hyphened(name)) {
			delete(h, name)
		}
	}
}

// isClaim reports whether only the proxy may say something under that name.
func isClaim(name string) bool {
	return claims[name] || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-")
}

// hyphened is a name as programs read it that make no difference between underscores and hyphens.
func hyphened(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// introduce says who asks. One value each: tornado takes the last of a list, JupyterHub the first.
func (c client) introduce(h http.Header, toHub bool) {
	if c.addr.IsValid() {
		addr := c.addr.String()
		h["X-Forwarded-For"] = []string{addr}
		h["X-Real-Ip"] = []string{addr}
	}
	h["X-Forwarded-Proto"] = []string{c.proto}
	h["X-Scheme"] = []string{c.proto}
	h["X-Forwarded-Port"] = []string{c.port}
	if c.host != "" {
		h["X-Forwarded-Host"] = []string{c.host}
	}
	h["Forwarded"] = []string{c.forwarded()}
	if toHub && c.exposed {
		h[InsecureHeader] = []string{"1"}
	}
}

// forwarded says the same in the words of RFC 7239.
func (c client) forwarded() string {
	b := make([]byte, 0, 64)
	switch {
	case !c.addr.IsValid():
		b = append(b, "for=unknown"...)
	case c.addr.Is6():
		b = append(c.addr.AppendTo(append(b, `for="[`...)), `]"`...)
	default:
		b = c.addr.AppendTo(append(b, "for="...))
	}
	if c.host != "" {
		b = append(append(append(b, `;host="`...), c.host...), '"') // of which a quotation mark is no part
	}
	return string(append(append(b, ";proto="...), c.proto...))
}

// wantsWebSocket reports whether a request opens a WebSocket. Every other upgrade is ignored, and the request served plainly.
func wantsWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		len(r.Header["Upgrade"]) == 1 && strings.EqualFold(r.Header["Upgrade"][0], "websocket") &&
		listHas(r.Header["Connection"], "upgrade")
}

func listHas(lines []string, wanted string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), wanted) {
				return true
			}
		}
	}
	return false
}
