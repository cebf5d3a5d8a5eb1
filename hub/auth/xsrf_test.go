package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// Vulnerability: cross-site request forgery. Attack: a browser is made to ask in a way for which the token was forgotten. Verified: of each kind
// of actor and row the table says which requests must repeat the token; TestForgery tries all ways.
func TestXSRFTable(t *testing.T) {
	stranger, cookie, token := Actor{}, Actor{Via: Cookie}, Actor{Via: Token}
	tests := []struct {
		actor  Actor
		style  Style
		method string
		header []string
		want   bool
	}{
		{token, API, "POST", nil, false},
		{token, Mixed, "POST", nil, false},
		{token, API, "GET", []string{"Sec-Fetch-Mode", "cors"}, false},
		{Actor{Via: Peer}, API, "POST", nil, false},

		{stranger, Page, "GET", nil, false},
		{cookie, Page, "HEAD", nil, false},
		{cookie, Page, "OPTIONS", nil, false},
		{cookie, Page, "GET", []string{"Sec-Fetch-Mode", "cors"}, false},
		{stranger, Page, "POST", nil, true},
		{cookie, Page, "POST", nil, true},
		{cookie, Mixed, "DELETE", nil, true},

		{cookie, API, "HEAD", nil, false},
		{cookie, API, "OPTIONS", nil, false},
		{cookie, API, "POST", nil, true},
		{cookie, API, "POST", []string{"Sec-Fetch-Mode", "navigate"}, true},
		{cookie, API, "DELETE", nil, true},
		{cookie, API, "GET", nil, false},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "navigate"}, false},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "websocket"}, false},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "cors"}, true},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "same-origin"}, true},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"}, false},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"}, true}, // CVE-2026-40864
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "no-cors"}, true},
		{cookie, API, "GET", []string{"Sec-Fetch-Mode", "something-new"}, true},

		{stranger, API, "POST", nil, false},
		{stranger, API, "GET", []string{"Sec-Fetch-Mode", "cors"}, false},
		{stranger, API, "POST", []string{"Origin", "https://evil.example"}, true},
		{stranger, API, "GET", []string{"Origin", "https://evil.example"}, true},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "/", nil)
		for i := 0; i < len(tt.header); i += 2 {
			r.Header.Set(tt.header[i], tt.header[i+1])
		}
		if got := xsrfApplies(r, tt.style, tt.actor); got != tt.want {
			t.Errorf("via %d, style %d, %s %v: %v", tt.actor.Via, tt.style, tt.method, tt.header, got)
		}
	}
}

// Vulnerability: cross-site request forgery. Attack: a page has the admin's browser make a user, without the token, with another, or
// after the session. Verified: nothing is done, and the answer says what was missing; with the token, in each place for it, it is.
func TestXSRF(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("admin", "swordfish"))
	post := func(header ...string) *http.Response {
		return b.send("POST", "/hub/api/users", nil, append([]string{"Content-Type", "application/json"}, header...)...)
	}
	good := b.xsrf()
	if got := post("X-XSRFToken", good); got.Header.Get("X-Kind") != "" {
		t.Fatalf("a good token was refused: %s", body(got))
	}
	if got := post("X-CSRFToken", good); got.Header.Get("X-Kind") != "" {
		t.Errorf("in the other header: %s", body(got))
	}
	if got := b.send("POST", "/hub/api/users?_xsrf="+good, nil, "Content-Type", "application/json"); got.Header.Get("X-Kind") != "" {
		t.Errorf("in the address: %s", body(got))
	}
	if text := body(post()); text != "'_xsrf' argument missing from POST" {
		t.Errorf("without: %s", text)
	}
	if text := body(post("X-XSRFToken", "x")); text != "XSRF cookie does not match POST argument" {
		t.Errorf("with another: %s", text)
	}
	c.advance(xsrfLife - 14*24*time.Hour)
	if got := post("X-XSRFToken", good); got.Header.Get("X-Kind") != "unauthenticated" {
		t.Errorf("after the session: %s", got.Header.Get("X-Kind"))
	}
}

// A browser sends several _xsrf cookies: the servers' with longer paths first. The first that is ours and this session's is
// the one that counts, wherever it stands.
func TestFirstGoodCookieCounts(t *testing.T) {
	h := newHouse(t, noon())
	b, other := h.browser("192.0.2.7"), h.browser("192.0.2.7")
	wantLogin(t, b.login("admin", "swordfish"))
	wantLogin(t, other.login("mallory", "malice"))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/hub/api/users", nil)
	for _, value := range []string{"a-servers-own", other.xsrf(), b.xsrf(), "tail"} {
		r.AddCookie(&http.Cookie{Name: cookieXSRF, Value: value})
	}
	r.AddCookie(b.cookies["/hub/ "+cookieLogin])
	r.Header.Set("X-XSRFToken", b.xsrf())
	w := httptest.NewRecorder()
	h.rooms.ServeHTTP(w, r)
	if w.Body.String() != "admin" {
		t.Errorf("%s %s", w.Header().Get("X-Kind"), w.Body)
	}
}

// Play (cookie tossing, CVE-2024-28233): a page of mallory's server plants his own _xsrf cookie in alice's browser and sends
// the same value with it. Attack: cookie and argument are equal, which is all that a plain double submit looks at. Verified: it is bound to his session and worth nothing in hers; nor is one from before her login.
func TestTossedCookie(t *testing.T) {
	h := newHouse(t, noon())
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.7")
	before := body(alice.get("/hub/login"))
	wantLogin(t, alice.login("alice", "wonderland"))
	wantLogin(t, mallory.login("mallory", "malice"))
	for _, planted := range []string{mallory.xsrf(), before} {
		alice.cookies["/hub/ _xsrf"] = &http.Cookie{Name: "_xsrf", Value: planted, Path: "/hub/"}
		res := alice.send("POST", "/hub/api/users", nil, "Content-Type", "application/json", "X-XSRFToken", planted)
		if text := body(res); !strings.Contains(text, "does not match") {
			t.Errorf("%s: %s", res.Header.Get("X-Kind"), text)
		}
	}
}

// A token says when it was made and whom it is for, and nothing can be changed in it.
func TestXSRFTokenIsSealed(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	token := h.mintXSRF("alice")
	if !h.goodXSRF(token, "alice") || h.goodXSRF(token, "bob") {
		t.Error("a token is bound to nobody")
	}
	for i := range token {
		other := []byte(token)
		other[i] = map[bool]byte{true: 'A', false: 'B'}[other[i] != 'A']
		if string(other) != token && h.goodXSRF(string(other), "alice") && i < len(token)-1 {
			t.Errorf("a change at %d goes unseen", i)
		}
	}
	c.advance(-2 * time.Minute)
	if h.goodXSRF(token, "alice") {
		t.Error("a token of the future is good")
	}
	c.advance(2*time.Minute + xsrfLife + time.Second)
	if h.goodXSRF(token, "alice") {
		t.Error("a token is good for ever")
	}
}

// The cookie comes with pages, not with what scripts fetch, and the login page's is always fresh (specification 3.7).
func TestXSRFCookieIsIssuedOnPages(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	if res := b.get("/hub/login", "Sec-Fetch-Mode", "cors"); len(res.Cookies()) != 0 {
		t.Errorf("a fetch was given %v", res.Cookies())
	}
	first, second := body(b.get("/hub/login")), body(b.get("/hub/login", "Sec-Fetch-Mode", "navigate"))
	if first == second || second != b.xsrf() {
		t.Errorf("%q, then %q, cookie %q", first, second, b.xsrf())
	}
	// The same visitor's other program, or the same program elsewhere, is another stranger.
	res := b.send("POST", "/hub/login", map[string][]string{"_xsrf": {second}}, "User-Agent", "Lynx")
	wantKind(t, res, hub.Forbidden)
}
