package auth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"jupyterhubd/hub/hosts"
)

// Next returns where to send a browser: to its next= if that is a place of ours, else to def, which then takes the rest of
// the query along (specification 4.6).
func (p *Porter) Next(r *http.Request, def string) string {
	query := r.URL.Query()
	if next, ok := p.Asked(r, query.Get("next")); ok {
		return next
	}
	query.Del("next")
	query.Del("_xsrf")
	if len(query) == 0 {
		return def
	}
	joint := "?"
	if strings.Contains(def, "?") {
		joint = "&"
	}
	return def + joint + query.Encode()
}

// Asked returns the path that a next= value of a request means, if it means a place of ours.
func (p *Porter) Asked(r *http.Request, raw string) (path string, ok bool) {
	return Next(visitOf(r).Origin(), p.o.Hosts, raw)
}

// Next returns the path on this host, query and fragment kept, that a next= value means; ok is false for everything that a
// browser could understand as leading elsewhere. origin is "https://host[:port]" as the browser typed it.
// Of an address at a host of a user or a service the path is left: the hub, asked for it, leads there.
func Next(origin string, all hosts.Hosts, raw string) (path string, ok bool) {
	if raw == "" || strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", false // browsers drop tabs and newlines before they read: "/\t/evil.example" is "//evil.example"
	}
	next := strings.ReplaceAll(raw, `\`, "%5C") // which browsers take for a slash
	if strings.HasPrefix(next, "//") {
		next = "//" + strings.TrimLeft(next, "/")
	}
	if rest, ours := ownPath(origin, next); ours {
		next = "/" + strings.TrimLeft(rest, "/")
	} else if rest, ours := belowUs(all, next); ours {
		next = "/" + strings.TrimLeft(rest, "/")
	}
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return "", false
	}
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
		return "", false
	}
	return next, true
}

// belowUs cuts the origin of a user or a service from the front.
func belowUs(all hosts.Hosts, next string) (rest string, ours bool) {
	scheme, after, _ := strings.Cut(next, "//")
	if !slices.Contains([]string{"", "http:", "https:"}, strings.ToLower(scheme)) {
		return "", false
	}
	host := after
	if end := strings.IndexAny(after, "/?#"); end >= 0 {
		host = after[:end]
	}
	return after[len(host):], all.Ours(host) && plausibleHost(host)
}

// ownPath cuts our own origin, or our own host after two slashes, from the front.
func ownPath(origin, next string) (rest string, ours bool) {
	_, host, _ := strings.Cut(origin, "://")
	for _, own := range []string{origin, "//" + host} {
		if host == "" || len(next) < len(own) || !strings.EqualFold(next[:len(own)], own) {
			continue
		}
		if rest := next[len(own):]; rest == "" || strings.ContainsRune("/?#", rune(rest[0])) {
			return rest, true
		}
	}
	return "", false
}
