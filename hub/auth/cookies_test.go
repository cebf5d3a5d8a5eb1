package auth

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// The attributes of specification 3.6, as a browser sees them over TLS and without.
func TestCookieAttributes(t *testing.T) {
	tests := map[string]struct {
		change func(*Options)
		proto  string
		want   []string
	}{
		"https": {nil, "https", []string{
			"_xsrf Path=/hub/ Secure SameSite=Lax",
			"jupyterhub-hub-login Path=/hub/ HttpOnly Secure SameSite=Lax Expires",
			"jupyterhub-session-id Path=/ HttpOnly Secure SameSite=Lax",
		}},
		"http, below a path": {func(o *Options) { o.BaseURL = "/jupyter/" }, "http", []string{
			"_xsrf Path=/jupyter/hub/ SameSite=Lax",
			"jupyterhub-hub-login Path=/jupyter/hub/ HttpOnly SameSite=Lax Expires",
			"jupyterhub-session-id Path=/jupyter/ HttpOnly SameSite=Lax",
		}},
		"host prefix": {func(o *Options) { o.CookieHostPrefix = true }, "https", []string{
			"__Host-jupyterhub-hub-login Path=/ HttpOnly Secure SameSite=Lax Expires",
			"_xsrf Path=/hub/ Secure SameSite=Lax",
			"jupyterhub-session-id Path=/ HttpOnly Secure SameSite=Lax",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, noon(), func(o *Options) {
				if tt.change != nil {
					tt.change(o)
				}
			})
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
			r = r.WithContext(WithVisit(r.Context(), Visit{Scheme: tt.proto}))
			w := httptest.NewRecorder()
			h.user(hub.User{Name: "alice"})
			if err := h.startSession(t.Context(), w, r, h.look("alice"), nil); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range w.Result().Cookies() {
				if c.MaxAge >= 0 {
					got = append(got, describe(c))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func describe(c *http.Cookie) string {
	s := c.Name + " Path=" + c.Path
	if c.HttpOnly {
		s += " HttpOnly"
	}
	if c.Secure {
		s += " Secure"
	}
	if c.SameSite == http.SameSiteLaxMode {
		s += " SameSite=Lax"
	}
	if !c.Expires.IsZero() {
		s += " Expires"
	}
	return s
}

// A browser that lost its session id, or has another's, gets its own back with the next request.
func TestSessionCookieIsKept(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	own := b.cookies["/ "+cookieSession].Value
	delete(b.cookies, "/ "+cookieSession)
	b.get("/hub/home")
	if got := b.cookies["/ "+cookieSession]; got == nil || got.Value != own {
		t.Errorf("got %v, want %s", got, own)
	}
	if res := b.get("/hub/home"); len(res.Cookies()) != 0 {
		t.Errorf("set again: %v", res.Cookies())
	}
}

// Whatever a Cookie header holds, it opens nothing that was not given out, and breaks nothing.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{"", "jupyterhub-hub-login=x", "_xsrf=a; _xsrf=b; _xsrf=\"c\"", "jupyterhub-hub-login=\"2|1:0|10:17|20:x\"; a",
		"=;;=; _xsrf", strings.Repeat("_xsrf=x; ", 200), "jupyterhub-session-id=\xff\xfe", "__Host-jupyterhub-hub-login=x"} {
		f.Add(s)
	}
	h := newFuzzHouse(f)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/hub/api/users", nil)
		r.Header["Cookie"] = []string{header}
		r.Header.Set("X-Xsrftoken", "x")
		h.Browser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := FromContext(r.Context()); !a.Anonymous() {
				t.Errorf("%q is %s", header, a.Owner.Name)
			}
			if err := h.CheckXSRF(r, Page); err == nil {
				t.Errorf("%q passes as good", header)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	})
}

// Play (cookie tossing, CVE-2024-28233): a page of mallory's server plants login cookies in alice's browser, on a longer path
// so that they come before hers.
// Attack: one that opens nothing, to keep her out; the one of his own session, so that she works in his name and he sees what
// she does; and before she logs out, so that she does not.
// Verified: the first changes nothing, with the second she is nobody rather than mallory, a login makes her herself again, and
// logging out ends hers and his.
func TestTossedLoginCookie(t *testing.T) {
	h := newHouse(t, noon())
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.7")
	wantLogin(t, alice.login("alice", "wonderland"))
	wantLogin(t, mallory.login("mallory", "malice"))
	plant := func(path, value string) {
		alice.cookies[path+" "+cookieLogin] = &http.Cookie{Name: cookieLogin, Value: value, Path: path}
	}
	plant("/hub/home", "nothing")
	for range 20 { // a browser double sends cookies in any order
		if got := body(alice.get("/hub/home")); got != "alice" {
			t.Fatalf("at home is %q", got)
		}
	}
	his := mallory.cookies["/hub/ "+cookieLogin].Value
	plant("/hub/home", his)
	wantKind(t, alice.get("/hub/home"), hub.Unauthenticated)

	plant("/hub/login", his)
	wantLogin(t, alice.login("alice", "wonderland"))
	if got := body(alice.get("/hub/home")); got != "alice" {
		t.Errorf("at home is %q", got)
	}

	wantLogin(t, mallory.login("mallory", "malice"))
	plant("/hub/logout", mallory.cookies["/hub/ "+cookieLogin].Value)
	kept := *alice.cookies["/hub/ "+cookieLogin]
	alice.get("/hub/logout")
	alice.cookies["/hub/ "+cookieLogin] = &kept
	wantKind(t, alice.get("/hub/home"), hub.Unauthenticated)
	wantKind(t, mallory.get("/hub/home"), hub.Unauthenticated)
}
