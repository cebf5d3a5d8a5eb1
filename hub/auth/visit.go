package auth

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// door is where a request came in.
type door uint8

const (
	noDoor door = iota // a request that passed none, as in tests of rooms: a stranger's
	browserDoor
	tokenDoor
	peerDoor
)

// Visit is how a request reached us, as the browser sees it. It is settled once, at the door, because only the browser's
// door may believe what headers say.
type Visit struct {
	Scheme  string     // "http" or "https", as the browser typed it
	Host    string     // host[:port], as the browser typed it
	Address netip.Addr // where the browser is; invalid when unknown
	door    door
	err     error // why nobody could say who it is

	elsewhere bool // at another host than the hub's

	concerned []string
	vouched   Actor
}

// Concern notes for the audit log whom or what a request is about, where its path does not say: "user alice", "token a7". Never
// a secret. Only the first dozen are kept, each cut short.
func Concern(r *http.Request, what ...string) {
	v := visitOf(r)
	for _, w := range what {
		if len(v.concerned) < mostConcerned {
			v.concerned = append(v.concerned, CleanName(w))
		}
	}
}

const mostConcerned = 12

// Concerned returns what Concern noted.
func Concerned(r *http.Request) []string { return visitOf(r).concerned }

// Vouched returns whom a password vouched for in the midst of a request, be it a login or a request by itself; nobody for most.
func Vouched(r *http.Request) Actor { return visitOf(r).vouched }

// Origin returns "https://hub.example.org".
func (v Visit) Origin() string { return v.Scheme + "://" + v.Host }

// Overheard reports whether what a browser sends crosses a network in the clear. Our proxy says so, who alone sees the wire;
// behind another proxy the browser's address and scheme tell.
func Overheard(r *http.Request) bool {
	v := VisitOf(r)
	return r.Header.Get("X-Jupyterhub-Insecure") != "" || v.Scheme == "http" && v.Address.IsValid() && !v.Address.IsLoopback()
}

type visitKey struct{}

// VisitOf returns how a request reached us. One that came through no door is as its own fields say.
func VisitOf(r *http.Request) Visit { return *visitOf(r) }

func visitOf(r *http.Request) *Visit {
	if v, ok := r.Context().Value(visitKey{}).(*Visit); ok {
		return v
	}
	return &Visit{Scheme: "http", Host: r.Host, Address: hostOnly(r.RemoteAddr)}
}

// WithVisit returns a context that carries a visit, for the rooms' tests.
func WithVisit(ctx context.Context, v Visit) context.Context {
	return context.WithValue(ctx, visitKey{}, &v)
}

// forwarded believes the headers that the proxy wrote. Of several values the first is the browser's, the proxy having taken
// away what the browser itself sent.
func (v *Visit) forwarded(r *http.Request) {
	named := parseForwarded(r.Header.Get("Forwarded"))
	for _, proto := range []string{named["proto"], first(r.Header.Get("X-Scheme")), first(r.Header.Get("X-Forwarded-Proto"))} {
		if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
			v.Scheme = proto
			break
		}
	}
	if host := first(r.Header.Get("X-Forwarded-Host")); plausibleHost(host) {
		v.Host = host
	}
	if addr, err := netip.ParseAddr(first(r.Header.Get("X-Forwarded-For"))); err == nil {
		v.Address = addr.Unmap().WithZone("")
	}
}

// public lets a configured public URL win over what requests say.
func (v *Visit) public(public string) {
	if u, err := url.Parse(public); err == nil && u.Host != "" {
		v.Scheme, v.Host = strings.ToLower(u.Scheme), u.Host
	}
}

// first returns the first element of a comma-separated header.
func first(header string) string {
	value, _, _ := strings.Cut(header, ",")
	return strings.TrimSpace(value)
}

// parseForwarded returns the parameters of the first element of a Forwarded header (RFC 7239 section 4), names in lower
// case. What is malformed is left out.
func parseForwarded(header string) map[string]string {
	params := make(map[string]string)
	for rest := header; rest != "" && rest[0] != ','; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var value string
		value, rest = forwardedValue(after)
		name = strings.ToLower(strings.Trim(name, "; \t"))
		if _, twice := params[name]; !twice && !strings.ContainsAny(name, ";, \t\"") {
			params[name] = value
		}
		rest = strings.TrimLeft(rest, "; \t")
	}
	return params
}

// forwardedValue takes a token or a quoted string from the front.
func forwardedValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ";, \t")
		if end < 0 {
			return s, ""
		}
		return s[:end], s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "" // a quotation that never ends
}

// plausibleHost keeps what is no host and port out of the addresses that we make.
func plausibleHost(host string) bool {
	return host != "" && len(host) <= 261 && !strings.ContainsFunc(host, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(".-_:[]", r)
	})
}

// hostOnly returns the address of a net.Addr's string.
func hostOnly(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
