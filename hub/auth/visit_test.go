package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// How the browser sees us, from what the proxy wrote.
func TestVisit(t *testing.T) {
	tests := map[string]struct {
		header  []string
		public  string
		origin  string
		address string
	}{
		"bare":                   {nil, "", "http://hub.internal", "192.0.2.1"},
		"proxied":                {[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "hub.example", "X-Forwarded-For", "203.0.113.9"}, "", "https://hub.example", "203.0.113.9"},
		"lists: the first":       {[]string{"X-Forwarded-Proto", "https, http", "X-Forwarded-For", "203.0.113.9, 10.0.0.1"}, "", "https://hub.internal", "203.0.113.9"},
		"Forwarded wins":         {[]string{"Forwarded", `for=10.1.1.1;Proto="https";host=h, proto=http`, "X-Forwarded-Proto", "http"}, "", "https://hub.internal", "192.0.2.1"},
		"X-Scheme":               {[]string{"X-Scheme", "HTTPS", "X-Forwarded-Proto", "http"}, "", "https://hub.internal", "192.0.2.1"},
		"nonsense":               {[]string{"X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "a b/c", "X-Forwarded-For", "bogus", "Forwarded", `proto="https`}, "", "http://hub.internal", "192.0.2.1"},
		"IPv6, mapped and zoned": {[]string{"X-Forwarded-For", "::ffff:203.0.113.9"}, "", "http://hub.internal", "203.0.113.9"},
		"a public URL":           {[]string{"X-Forwarded-Proto", "http", "X-Forwarded-Host", "evil.example"}, "https://hub.example/jupyter/", "https://hub.example", "192.0.2.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, noon(), func(o *Options) { o.PublicURL = tt.public })
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.Host = "hub.internal"
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			h.Browser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if v := VisitOf(r); v.Origin() != tt.origin || v.Address.String() != tt.address {
					t.Errorf("%s from %s", v.Origin(), v.Address)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

func TestParseForwarded(t *testing.T) {
	got := parseForwarded(`for="[2001:db8::1]:47011"; Proto=https ;host="a\"b,c";proto=http, for=x;proto=http`)
	for name, want := range map[string]string{"for": "[2001:db8::1]:47011", "proto": "https", "host": `a"b,c`} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// Whatever the headers say, what comes out is a scheme, a host that fits into a URL, and an address or none.
func FuzzForwarded(f *testing.F) {
	f.Add("for=1;proto=https", "https", "hub.example", "192.0.2.1")
	f.Add(`proto="https";proto=x, proto=y`, "HTTP,https", "[::1]:80", "::1%eth0, 1.2.3.4")
	f.Add(`"`, ",", "a/b", "")
	f.Add(`a="\`, "", "evil.example/x?y#z", "999.1.1.1")
	f.Add(";;;=;,", " https ", "h\r\nx", "-1")
	f.Fuzz(func(t *testing.T, forwarded, proto, host, addr string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = "hub.example"
		r.Header = http.Header{"Forwarded": {forwarded}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}, "X-Forwarded-For": {addr}}
		v := Visit{Scheme: "http", Host: r.Host}
		v.forwarded(r)
		if v.Scheme != "http" && v.Scheme != "https" {
			t.Errorf("scheme %q", v.Scheme)
		}
		if v.Host == "" || strings.ContainsAny(v.Host, "/?#@\\ \t\r\n\"'<>") {
			t.Errorf("host %q", v.Host)
		}
		if v.Address.Zone() != "" || v.Address.Is4In6() {
			t.Errorf("address %v", v.Address)
		}
		for name, value := range parseForwarded(forwarded) {
			if len(name)+len(value) > len(forwarded) || strings.Contains(name, "=") {
				t.Errorf("%q: %q=%q", forwarded, name, value)
			}
		}
	})
}
