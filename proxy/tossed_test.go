package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Vulnerability: pages of a server read the token against forgery out of the cookie _xsrf, and take the first of several.
// Attack: a page at mallory's host sets one for the domain of all hosts, on a path that comes before the server's own: whatever alice's
// page then asks is refused.
// Verified: the first answer to it takes the cookie back, for the domain and on every path that leads there, and not alice's own,
// which belongs to her host; a browser that brings one token alone is told nothing.
func TestTossedTokensAreTakenBack(t *testing.T) {
	s := newStage(t, Options{HubBase: "/", HubOrigin: "https://hub.example.org:8443", HostRouting: true})
	hub, alice := newServer(t, hello), newServer(t, hello)
	s.route("/", hub.URL, `"hub": true`)
	s.route("/alice.hub.example.org/user/alice", alice.URL, `"user": "alice", "server_name": ""`)
	ask := func(host, path, cookies string) (back []string) {
		for _, line := range s.ask("GET "+path+" HTTP/1.1", "Host: "+host, "Cookie: "+cookies, "Connection: close").header["Set-Cookie"] {
			c, err := http.ParseSetCookie(line)
			if err != nil || c.Name != "_xsrf" || c.Value != "" || c.MaxAge >= 0 || c.Domain == "" {
				t.Errorf("the browser is told %q (%v)", line, err)
			}
			back = append(back, c.Domain+c.Path)
		}
		return back
	}
	got := ask("alice.hub.example.org", "/user/alice/api/x", "_xsrf=tossed; other=1; _xsrf=own")
	var want []string
	for _, domain := range []string{"hub.example.org", "example.org"} {
		for _, path := range []string{"/", "/user", "/user/", "/user/alice", "/user/alice/", "/user/alice/api", "/user/alice/api/", "/user/alice/api/x"} {
			want = append(want, domain+path)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("taken back are %q, want %q", got, want)
	}
	if n := len(ask("alice.hub.example.org", "/user/alice/"+strings.Repeat("x/", 500), "_xsrf=a; _xsrf=b")); n != 2*maxLeading {
		t.Errorf("a long path has %d lines", n)
	}
	for name, back := range map[string][]string{
		"one token":        ask("alice.hub.example.org", "/user/alice/", "_xsrf=own; other=1; other=2"),
		"the hub":          ask("hub.example.org", "/hub/home", "_xsrf=a; _xsrf=b"),
		"the hub, at hers": ask("alice.hub.example.org", "/hub/home", "_xsrf=a; _xsrf=b"),
	} {
		if len(back) > 0 {
			t.Errorf("%s: %s", name, fmt.Sprint(back))
		}
	}
}
