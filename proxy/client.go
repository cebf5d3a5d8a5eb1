package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/proxy/strict"
)

// client is what we tell an upstream of who asks, and how securely.
type client struct {
	addr  netip.Addr // zero when it came over a Unix socket and nobody in front said
	proto string     // http or https, as the browser sees it
	host  string     // as the browser sees it, with port
	port  string
	// exposed says that the browser's words cross a network in the clear.
	exposed bool
}

// trust is the list of proxies in front of this one whose X-Forwarded-* are believed. A Unix socket's peer is believed too:
// whoever may open it was let in by the admin.
type trust []netip.Prefix

func (t trust) has(a netip.Addr) bool {
	return !a.IsValid() || slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
}

// entrance is what a connection itself tells.
type entrance struct {
	remote netip.Addr // zero for a Unix socket
	local  netip.Addr
	tls    bool
	frames *strict.Frames // nil: it speaks HTTP/1
}

// whoAsks works out the client of a request. Headers that say so count only when a trusted proxy sent them; then the address
// is the last one in X-Forwarded-For that is not a trusted proxy itself, and the protocol is what the outermost of these
// proxies said. Nothing of the older parts of the lists, which the client can write, is passed on. RFC 7239's Forwarded is
// not read: proxies that do not know it pass on what a client made up.
func whoAsks(r *http.Request, at entrance, trusted trust) client {
	c := client{addr: at.remote, proto: "http", host: r.Host}
	if at.tls {
		c.proto = "https"
	}
	if trusted.has(at.remote) {
		hops := 1
		c.addr, hops = behind(listOf(r.Header, "X-Forwarded-For"), at.remote, trusted)
		if p := outermost(listOf(r.Header, "X-Forwarded-Proto"), hops); p != "" {
			c.proto = p
		}
		if h := last(listOf(r.Header, "X-Forwarded-Host")); h != "" && isHost(h) {
			c.host = h
		}
		c.port = portNumber(last(listOf(r.Header, "X-Forwarded-Port")))
	}
	if c.port == "" {
		c.port = portOf(c.host, c.proto)
	}
	c.exposed = c.proto != "https" && !(isHere(c.addr) && isHere(at.local))
	return c
}

// isHere reports whether an address is this machine's own, or that of a Unix socket.
func isHere(a netip.Addr) bool { return !a.IsValid() || a.IsLoopback() }

// listOf returns the items of a header that is a comma-separated list, over all its lines.
func listOf(h http.Header, name string) []string {
	var items []string
	for _, line := range h[name] {
		for item := range strings.SplitSeq(line, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	return items
}

func last(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return items[len(items)-1]
}

// behind walks X-Forwarded-For from its end, past trusted proxies, to the client; hops is how many proxies stand in between.
// An item that is no address ends the walk: the last proxy before it is the best that is known.
func behind(items []string, peer netip.Addr, trusted trust) (client netip.Addr, hops int) {
	client, hops = peer, 1
	for _, item := range slices.Backward(items) {
		a, ok := readAddr(item)
		if !ok {
			break
		}
		client = a
		if !trusted.has(a) {
			break
		}
		hops++
	}
	return client, hops
}

// outermost returns the protocol that the outermost of so many proxies gave. Each either adds an item or writes the header
// anew.
func outermost(items []string, hops int) string {
	if len(items) == 0 {
		return ""
	}
	switch strings.ToLower(items[max(0, len(items)-hops)]) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// readAddr reads an address as proxies write it: with or without a port, IPv6 with or without brackets, never with a zone.
func readAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// addrOf returns the IP address of one end of a connection, or the zero Addr for a Unix socket.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// isHost reports whether a forwarded host can be one: the bytes of a name, an address and a port.
func isHost(s string) bool {
	return len(s) <= 300 && !strings.ContainsFunc(s, func(c rune) bool {
		return c >= 0x80 || !isUnreserved(byte(c)) && !strings.ContainsRune(":[]", c)
	})
}

func portNumber(s string) string {
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
		return ""
	}
	return s
}

// portOf returns the port in a Host, or the protocol's own.
func portOf(host, proto string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		if p := portNumber(host[i+1:]); p != "" {
			return p
		}
	}
	if proto == "https" {
		return "443"
	}
	return "80"
}
