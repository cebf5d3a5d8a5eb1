package auth

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Vulnerability: an open redirect behind the login (CVE-2019-10255, CVE-2026-33709). Attack: a link to the login page whose next= some browser
// reads as another host: by slashes, backslashes, control characters, userinfo, other schemes. Verified: each leads nowhere but to a path of
// this host, and what was meant for us arrives whole.
func TestNext(t *testing.T) {
	const origin = "https://hub.example:8000"
	tests := map[string]string{ // "" means refused
		"/hub/home":                              "/hub/home",
		"/user/alice/lab?reset#top":              "/user/alice/lab?reset#top",
		"/user/we%20ird/":                        "/user/we%20ird/",
		"/ünïcode":                               "/ünïcode",
		"/a//b":                                  "/a//b",
		"/hub/spawn?next=//evil.example":         "/hub/spawn?next=//evil.example",
		"https://hub.example:8000":               "/",
		"https://hub.example:8000/hub?x=1":       "/hub?x=1",
		"HTTPS://HUB.example:8000/hub":           "/hub",
		"https://hub.example:8000?x=1":           "/?x=1",
		"//hub.example:8000/hub":                 "/hub",
		"///hub.example:8000/hub":                "/hub",
		"//hub.example:8000//evil.example/x":     "/evil.example/x",
		"https://hub.example:8000//evil.example": "/evil.example",
		`/\evil.example`:                         "/%5Cevil.example",
		`https://hub.example:8000\@evil.example`: "",
		`//hub.example:8000\evil.example`:        "",
		"":                                       "",
		"home":                                   "",
		"//evil.example":                         "",
		"///evil.example":                        "",
		`\\evil.example`:                         "",
		`\/evil.example`:                         "",
		"http:/evil.example":                     "",
		"http:evil.example":                      "",
		"https:///evil.example":                  "",
		"javascript:alert(1)":                    "",
		"http://hub.example:8000/hub":            "", // the wrong scheme
		"https://hub.example:8000.evil.example":  "",
		"https://hub.example:80000/":             "",
		"https://hub.example:8000@evil.example/": "",
		"https://user@hub.example:8000/":         "",
		"/\t/evil.example":                       "",
		"/\n/evil.example":                       "",
		"\x00//evil.example":                     "",
		" /hub":                                  "",
		"/%zz":                                   "",
	}
	for raw, want := range tests {
		if got, ok := Next(origin, hosts.Hosts{}, raw); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", raw, got, ok, want)
		}
	}
}

// Without a good next= the default takes the rest of the query along.
func TestNextDefault(t *testing.T) {
	h := newHouse(t, noon())
	for target, want := range map[string]string{
		"/hub/login?next=/hub/token":                 "/hub/token",
		"/hub/login?next=//evil.example&x=1&_xsrf=2": "/hub/home?x=1",
		"/hub/login": "/hub/home",
		"/hub/login?next=http%3A%2F%2Fhub.example%2Fhub": "/hub",
		"/hub/login?next=https%3A%2F%2Fhub.example%2F":   "/hub/home",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
		r.Host = "hub.example"
		if got := h.Next(r, "/hub/home"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/hub/login?x=1", nil)
	if got := h.Next(r, "/hub/spawn?y=2"); got != "/hub/spawn?y=2&x=1" {
		t.Errorf("a default with a query became %s", got)
	}
}

// Wherever a next= leads, it is a path of ours: for the library's reading, and for a browser's, which takes backslashes for
// slashes and drops tabs and newlines.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"/hub/home", "//evil.example", `/\evil.example`, "https://hub.example//evil.example", "///hub.example/x", "/\t/evil.example",
		"https:/hub.example", "//hub.example:80/x", `https://hub.example\@evil.example`, "/%5C%5Cevil.example", "/a?b#c", "//hub.example", "/.//evil.example",
		"https://alice.hub.example/x", "//alice.hub.example//evil.example", `https://evil.example\.hub.example/`, "https://evil.example#.hub.example/"} {
		f.Add(s)
	}
	base, err := url.Parse("https://hub.example/hub/login")
	if err != nil {
		f.Fatal(err)
	}
	several, err := hosts.New("https://hub.example", hosts.IDNA)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := Next("https://hub.example", several, raw)
		if !ok {
			return
		}
		seen := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(got)
		if !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
			t.Errorf("%q leads to %q", raw, got)
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.User != nil {
			t.Errorf("%q leads to %v (%v)", raw, u, err)
		}
		if one, okOne := Next("https://hub.example", hosts.Hosts{}, raw); okOne && one != got {
			t.Errorf("%q leads to %q, and with one host to %q", raw, got, one)
		}
		if again, ok := Next("https://hub.example", several, got); !ok || again != got {
			t.Errorf("%q, accepted as %q, is then %q, %v", raw, got, again, ok)
		}
	})
}

// newFuzzHouse is a porter without rooms.
func newFuzzHouse(f *testing.F) *Porter {
	f.Helper()
	s, err := store.Open(f.TempDir()+"/jupyterhub.db", store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	policy, err := rbac.New(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	p, err := New(Options{Store: s, Rules: Rules{Policy: policy}})
	if err != nil {
		f.Fatal(err)
	}
	return p
}
