package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"jupyterhubd/hub"
)

// Names of JupyterHub's cookies. Each may carry the prefix __Host- (cookie_host_prefix_enabled).
const (
	loginCookie    = "jupyterhub-hub-login"
	sessionCookie  = "jupyterhub-session-id"
	servicesCookie = "jupyterhub-services"
	userCookies    = "jupyterhub-user-" // and the OAuth client's name
	serviceCookies = "service-"         // and the service's name
)

// jar says which cookies pass between browsers and one route. On one host the browser sends every server each cookie whose
// path fits, and any server can set any name: the names are all that keeps them apart.
type jar struct {
	all     bool   // the hub: everything passes
	own     string // name of the route's own login cookie; "" when it has none
	twin    string // what the hub puts behind it when another server has the same name: "a-b" of one user, "b" of user "a"
	service bool
	confine string // path below which the server's cookies stay, with a trailing slash; "" anywhere
}

// jarOf returns the jar of a route.
func jarOf(r *route) jar {
	switch {
	case r.isHub():
		return jar{all: true}
	case r.about.User != "":
		return jar{own: clientID(r.about), twin: twinOf(r.ref()), confine: r.spelling + "/"}
	case r.about.Service != "":
		return jar{own: serviceCookies + quote(r.about.Service), service: true}
	}
	return jar{}
}

// clientID is the OAuth client of a user's server, which is the name of its cookie.
func clientID(a about) string {
	id := userCookies + quote(a.User)
	if a.ServerName != "" {
		id += "-" + quote(a.ServerName)
	}
	return id
}

// twinOf is how the hub tells two servers apart whose plain client ids are the same.
func twinOf(ref hub.ServerRef) string {
	sum := sha256.Sum256([]byte(ref.String()))
	return "~" + hex.EncodeToString(sum[:4])
}

// quote is Python's urllib.parse.quote, by which JupyterHub makes client ids.
func quote(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isUnreserved(c) || c == '/' {
			b.WriteByte(c)
		} else {
			b.WriteString(escaped(c))
		}
	}
	return b.String()
}

// sends reports whether a cookie of the browser reaches the server. The session id does: single-user servers key what they
// know of their visitors by it, and it opens nothing.
func (j jar) sends(name string) bool {
	name = bareName(name)
	switch {
	case j.all:
		return true
	case name == loginCookie:
		return false
	case strings.HasPrefix(name, userCookies):
		return j.isOwn(name)
	case name == servicesCookie:
		return j.own == "" || j.service
	case strings.HasPrefix(name, serviceCookies):
		return j.own == "" || j.service && j.isOwn(name)
	}
	return true
}

// isOwn recognises the route's own cookie, and those of a login under way: <own>-oauth-state and
// <own>-oauth-state-xxxxxxxx.
func (j jar) isOwn(name string) bool {
	rest, ok := strings.CutPrefix(name, j.own)
	switch {
	case j.own == "" || !ok:
		return false
	case strings.TrimPrefix(rest, j.twin) == "":
		return true
	}
	rest, ok = strings.CutPrefix(strings.TrimPrefix(rest, j.twin), "-oauth-state")
	return ok && (rest == "" || len(rest) == 9 && rest[0] == '-')
}

// accepts reports whether the server may set a cookie of that name. A cookie without a name would be sent as whatever its
// value says.
func (j jar) accepts(name string) bool {
	return j.all || name != "" && bareName(name) != sessionCookie && j.sends(name)
}

// bareName is a cookie's name without the prefixes that browsers give a meaning to, in any case as they do.
func bareName(name string) string {
	for _, prefix := range []string{"__host-", "__secure-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return name[len(prefix):]
		}
	}
	return name
}

// trimName removes from a name's ends what some program might remove as white space: Python's strip knows more than two.
func trimName(name string) string {
	return strings.TrimFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// filterCookies removes the cookies that pass refuses from a request. What stays keeps its bytes and order, and a request
// from which nothing is removed is not touched.
func filterCookies(h http.Header, pass func(name string) bool) {
	kept, removed := []string{}, false
	for _, line := range h["Cookie"] {
		for piece := range strings.SplitSeq(line, ";") {
			piece = strings.Trim(piece, " \t")
			switch name, _, _ := strings.Cut(piece, "="); {
			case piece == "":
			case pass(trimName(name)):
				kept = append(kept, piece)
			default:
				removed = true
			}
		}
	}
	switch {
	case !removed:
	case len(kept) == 0:
		h.Del("Cookie")
	default:
		h["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

// cookieValues returns the values that a request gives a cookie: more than one when another server tossed its own in.
func cookieValues(h http.Header, wanted string) []string {
	var values []string
	for _, line := range h["Cookie"] {
		for piece := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(piece, " \t"), "=")
			if bareName(trimName(name)) == wanted {
				values = append(values, bareValue(value))
			}
		}
	}
	return values
}

// bareValue is a cookie's value without what may stand around it.
func bareValue(value string) string { return strings.Trim(strings.Trim(value, " \t"), `"`) }

// filterAnswer removes from an answer what is not the server's to say.
func (j jar) filterAnswer(h http.Header) {
	j.filterSetCookies(h)
	if j.confine == "" {
		return
	}
	for _, name := range originHeaders {
		delete(h, name)
	}
	if v := h["Service-Worker-Allowed"]; len(v) != 1 || !strings.HasPrefix(v[0], j.confine) || hasDots(v[0]) {
		delete(h, "Service-Worker-Allowed") // a worker above its own path would see every page of the host
	}
}

// originHeaders speak for the whole host, which a user's server shares with the hub and the others.
var originHeaders = []string{"Alt-Svc", "Clear-Site-Data", "Nel", "Report-To", "Strict-Transport-Security"}

// filterSetCookies removes from an answer the cookies that the server may not set, and confines the others.
func (j jar) filterSetCookies(h http.Header) {
	lines := h["Set-Cookie"]
	if j.all || len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		pair, attrs, _ := strings.Cut(line, ";")
		name, _, named := strings.Cut(pair, "=")
		if name = strings.Trim(name, " \t"); !named || name != trimName(name) || !j.accepts(name) {
			continue
		}
		kept = append(kept, j.confined(name, line, pair, attrs))
	}
	h["Set-Cookie"] = kept
}

// confined keeps a user server's cookie below the server's own path and on its own host: a program that says Path=/ means
// its own root, and one that says /user/bob/ or Domain= wants to reach someone else. Names with __Host- have to say Path=/,
// and by their prefix cannot say Domain=.
func (j jar) confined(name, line, pair, attrs string) string {
	if j.confine == "" || len(name) > 7 && strings.EqualFold(name[:7], "__host-") {
		return line
	}
	path, out, changed := "", []string{pair}, false
	for attr := range strings.SplitSeq(attrs, ";") {
		key, value, _ := strings.Cut(attr, "=")
		switch strings.ToLower(strings.Trim(key, " \t")) {
		case "":
		case "path":
			path = strings.Trim(value, " \t")
		case "domain":
			changed = true
		default:
			out = append(out, attr)
		}
	}
	if path+"/" == j.confine || strings.HasPrefix(path, j.confine) {
		if !changed {
			return line
		}
	} else {
		path = j.confine
	}
	return strings.Join(append(out, " Path="+path), ";")
}
