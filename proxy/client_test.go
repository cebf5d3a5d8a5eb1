package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// D5: who asks is the connection's word, or a trusted proxy's, never a stranger's.
func TestWhoAsks(t *testing.T) {
	front := trust{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	far, near := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("10.0.0.1")
	loop := netip.MustParseAddr("127.0.0.1")
	public := netip.MustParseAddr("198.51.100.1")
	for name, c := range map[string]struct {
		at     entrance
		header string
		want   client
	}{
		"stranger lies":         {entrance{remote: far, local: public}, "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 9", client{far, "http", "hub:8000", "8000", true}},
		"stranger, TLS":         {entrance{remote: far, local: public, tls: true}, "X-Forwarded-Proto: http", client{far, "https", "hub:8000", "8000", false}},
		"loopback":              {entrance{remote: loop, local: loop}, "", client{loop, "http", "hub:8000", "8000", false}},
		"loopback lies":         {entrance{remote: loop, local: loop}, "X-Forwarded-For: 1.1.1.1", client{loop, "http", "hub:8000", "8000", false}},
		"trusted front":         {entrance{remote: near, local: public}, "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: jupyter.example\nX-Forwarded-Port: 443", client{far, "https", "jupyter.example", "443", false}},
		"trusted, plain":        {entrance{remote: near, local: public}, "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: http", client{far, "http", "hub:8000", "8000", true}},
		"client wrote first":    {entrance{remote: near, local: public}, "X-Forwarded-For: 1.1.1.1, 203.0.113.9\nX-Forwarded-Proto: https, http", client{far, "http", "hub:8000", "8000", true}},
		"two fronts append":     {entrance{remote: near, local: public}, "X-Forwarded-For: 203.0.113.9, 10.0.0.2\nX-Forwarded-Proto: https, http", client{far, "https", "hub:8000", "8000", false}},
		"two fronts, one value": {entrance{remote: near, local: public}, "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: [fd00::1]:80\nX-Forwarded-Proto: https", client{far, "https", "hub:8000", "8000", false}},
		"websocket's own word":  {entrance{remote: near, local: public}, "X-Forwarded-Proto: wss", client{near, "https", "hub:8000", "8000", false}},
		"nonsense":              {entrance{remote: near, local: public}, "X-Forwarded-For: unknown\nX-Forwarded-Proto: gopher\nX-Forwarded-Host: a/b\nX-Forwarded-Port: x", client{near, "http", "hub:8000", "8000", true}},
		"nonsense in between":   {entrance{remote: near, local: public}, "X-Forwarded-For: 1.1.1.1, _hidden, 10.0.0.2", client{netip.MustParseAddr("10.0.0.2"), "http", "hub:8000", "8000", true}},
		"front on a socket":     {entrance{}, "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https", client{far, "https", "hub:8000", "8000", false}},
		"Forwarded is not read": {entrance{remote: near, local: public}, "Forwarded: for=1.1.1.1;proto=https", client{near, "http", "hub:8000", "8000", true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Host: "hub:8000", Header: http.Header{}}
			for line := range strings.SplitSeq(c.header, "\n") {
				if k, v, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(k, v)
				}
			}
			if got := whoAsks(r, c.at, front); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// FuzzForwarded: nothing that a stranger writes changes what the connection says, and what a trusted proxy writes can only
// make a client of an address, http or https.
func FuzzForwarded(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.2", "https, http", "h:1", "443")
	f.Add("[::1]:80,::ffff:1.2.3.4,fe80::1%eth0", "", "[::1]", "0")
	f.Fuzz(func(t *testing.T, forwardedFor, proto, host, port string) {
		front := trust{netip.MustParsePrefix("10.0.0.0/8")}
		far, near := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("10.0.0.1")
		r := &http.Request{Host: "hub", Header: http.Header{"X-Forwarded-For": {forwardedFor}, "X-Forwarded-Proto": {proto},
			"X-Forwarded-Host": {host}, "X-Forwarded-Port": {port}}}
		if got := whoAsks(r, entrance{remote: far, local: far}, front); got != (client{far, "http", "hub", "80", true}) {
			t.Fatalf("a stranger is believed: %+v", got)
		}
		got := whoAsks(r, entrance{remote: near, local: near}, front)
		if !got.addr.IsValid() || got.addr.Zone() != "" || got.addr.Is4In6() || got.proto != "http" && got.proto != "https" || portNumber(got.port) == "" {
			t.Fatalf("not a client: %+v", got)
		}
		if strings.ContainsAny(got.host, "/@ \r\n,;\"") {
			t.Fatalf("not a host: %q", got.host)
		}
	})
}
