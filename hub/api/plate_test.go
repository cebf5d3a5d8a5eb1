package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// fill writes names into a pattern.
func fill(pattern string) string {
	return strings.NewReplacer("{user}", "alice", "{server}", "gpu", "{group}", "class", "{service}", "culler", "{id}", "a1", "{owner}", "bob", "{token}", "x", "{name}", "x", "{value}", "x").Replace(pattern)
}

// As nobody: every row of the table refuses a stranger with 403, never 401 or 404, except those that say they are for all.
func TestNobodyGetsIn(t *testing.T) {
	w := newWorld(t)
	for _, row := range w.room.Routes() {
		path := fill(row.Pattern)
		want := 403
		switch {
		case path == "/hub/api" || path == "/hub/api/" || path == "/hub/api/openapi.json":
			want = 200
		case row.Method == "POST" && strings.HasPrefix(path, "/hub/api/authorizations/"):
			want = 404 // it says where tokens are made now
		}
		for _, token := range []string{"", "no-such-token", strings.Repeat("0", 32)} {
			w.ask(token, row.Method, path).is(want)
		}
		if got := w.at(w.tokens, "", row.Method, path); got.status != want {
			t.Errorf("token door: %s %s: %d, want %d", row.Method, path, got.status, want)
		}
		if !row.Public && len(row.Scopes) == 0 {
			t.Errorf("%s %s has no plate", row.Method, row.Pattern)
		}
	}
}

// A token that opens nothing opens nothing: 403 where it lacks the scope, 404 where every token holds it for its owner and
// the path is about somebody else.
func TestTokenWithoutScopesGetsNothing(t *testing.T) {
	w := newWorld(t)
	none := w.service("none")
	for _, row := range w.room.Routes() {
		path := fill(row.Pattern)
		want := 403
		switch path {
		case "/hub/api", "/hub/api/", "/hub/api/user", "/hub/api/openapi.json":
			want = 200
		case "/hub/api/authorizations/token", "/hub/api/authorizations/token/x", "/hub/api/authorizations/cookie/x", "/hub/api/authorizations/cookie/x/x":
			want = 404 // who has a token may ask, and these are none
		}
		w.ask(none, row.Method, path).is(want)
	}
}

// Vulnerability (GHSA-69wv): a scope with a filter opened endpoints that are about everybody.
// Attack: mallory's service holds admin:users, admin:groups and the like for one user or group.
// Verified: what has no name in its path is 403 for it; what is about somebody else is 404, as if it did not exist.
func TestFilteredScopesOpenWhatTheyName(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"class", "staff"} {
			if _, err := tx.PutGroup(hub.Group{Name: name}); err != nil {
				return err
			}
		}
		return nil
	})
	narrow := w.service("narrow", "admin:users!user=alice", "admin:groups!group=class", "admin:servers!server=alice/", "proxy!user=alice", "shutdown!user=alice", "tokens!user=alice", "read:hub!user=alice")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/hub/api/users", `{"usernames":["eve"]}`, 403},
		{"POST", "/hub/api/groups", `{"groups":["evil"]}`, 403},
		{"GET", "/hub/api/proxy", "", 403},
		{"POST", "/hub/api/shutdown", "", 403},
		{"GET", "/hub/api/info", "", 403},
		{"GET", "/hub/api/usage", "", 403},
		{"GET", "/hub/api/users/alice", "", 200},
		{"GET", "/hub/api/users/bob", "", 404},
		{"GET", "/hub/api/users/nobody", "", 404},
		{"DELETE", "/hub/api/users/bob", "", 404},
		{"PATCH", "/hub/api/users/admin", `{"admin":false}`, 404},
		{"POST", "/hub/api/users/bob/activity", `{"last_activity":"2026-01-01T00:00:00Z"}`, 404},
		{"GET", "/hub/api/users/bob/tokens", "", 404},
		{"POST", "/hub/api/users/bob/tokens", "", 403},
		{"POST", "/hub/api/users/nobody/tokens", "", 403},
		{"GET", "/hub/api/groups/class", "", 200},
		{"GET", "/hub/api/groups/staff", "", 404},
		{"POST", "/hub/api/groups/staff/users", `{"users":["mallory"]}`, 404},
		{"GET", "/hub/api/users/alice/server", "", 200},
		{"GET", "/hub/api/users/alice/servers/gpu", "", 404},
		{"GET", "/hub/api/users/bob/server", "", 404},
		{"POST", "/hub/api/users/bob/server", "", 404},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			w.t = t
			w.ask(narrow, c.method, c.path, c.body).is(c.want)
		})
	}
}

// A scope for one server does not open what is about its user, nor a list of users.
func TestServerFilterDoesNotOpenItsUser(t *testing.T) {
	w := newWorld(t)
	one := w.service("one", "admin:servers!server=alice/", "list:users!server=alice/", "read:users!server=alice/")
	w.ask(one, "GET", "/hub/api/users").is(403)
	w.ask(one, "GET", "/hub/api/users/alice").is(404)
	w.ask(one, "GET", "/hub/api/users/alice/server").is(200)
}

// Paths are what they are: nothing is cleaned, no slash is forgiven.
func TestPathsAreTakenAsTheyAre(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	for path, want := range map[string]int{
		"/hub/api": 200, "/hub/api/": 200, "/hub/api//": 404, "/hub//api/": 404, "/hub/api/users": 200, "/hub/api/users/": 404,
		"/hub/api//users": 404, "/hub/api/users/alice/": 404, "/hub/api/users/%61lice": 200, "/hub/api/users/alice%2Fserver": 404,
		"/hub/api/users/alice/servers/": 200, "/hub/api/./users": 404, "/hub/api/x/../users": 404, "/hub/api/nothing": 404,
	} {
		got := w.ask(admin, "GET", path)
		if got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
		if want == 404 && !strings.Contains(got.body, `"status":404`) && strings.HasPrefix(path, "/hub/api") {
			t.Errorf("%s: %s is no JSON", path, got.body)
		}
	}
}

// Vulnerability: cross-site request forgery against the API (CVE-2026-40864 and before).
// Attack: a page of another origin, or of mallory's server, makes alice's browser ask with her cookie.
// Verified: only navigation, WebSockets and same-origin subresources may read without the token; nothing may write.
func TestCookiesNeedTheXSRFToken(t *testing.T) {
	w := newWorld(t)
	cookie, session := w.session("alice")
	token := w.xsrf(cookie, session)
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"a navigation may read", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "navigate"}, 200},
		{"an old browser may read", "GET", "/hub/api/user", nil, 200},
		{"a script may not", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "cors"}, 403},
		{"nor an EventSource of the same origin", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "same-origin"}, 403},
		{"unless it has the token", "GET", "/hub/api/user?_xsrf=" + token, []string{"Sec-Fetch-Mode", "cors"}, 200},
		{"or as a header", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "cors", "X-XSRFToken", token}, 200},
		{"an image of our origin may", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"}, 200},
		{"an image elsewhere may not", "GET", "/hub/api/user", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"}, 403},
		{"nobody starts a server without it", "POST", "/hub/api/users/alice/server", nil, 403},
		{"nor with another's", "POST", "/hub/api/users/alice/server", []string{"X-XSRFToken", "AAAA"}, 403},
		{"however a browser says it asks", "POST", "/hub/api/users/alice/server", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"}, 403},
		{"a navigation does not either", "POST", "/hub/api/users/alice/server", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"}, 403},
		{"nor a WebSocket", "DELETE", "/hub/api/users/alice/server", []string{"Sec-Fetch-Mode", "websocket", "Sec-Fetch-Site", "same-origin"}, 403},
		{"a form is a stranger's", "POST", "/hub/api/users/alice/server", []string{"X-XSRFToken", token, "Content-Type", "application/x-www-form-urlencoded"}, 403},
		{"nobody makes a token without it", "POST", "/hub/api/users/alice/tokens", nil, 403},
		{"with it", "POST", "/hub/api/users/alice/tokens", []string{"X-XSRFToken", token}, 201},
		{"JSON with it", "POST", "/hub/api/users/alice/server", []string{"X-XSRFToken", token, "Content-Type", "application/json"}, 201},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		r.Header.Set("Cookie", "jupyterhub-hub-login="+cookie+"; jupyterhub-session-id="+session+"; _xsrf=planted; _xsrf="+token)
		if got := w.send(w.door, r); got.status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got.status, got.body, c.want)
		}
		if got := w.send(w.tokens, r.Clone(t.Context())); got.status != 403 {
			t.Errorf("%s: the token door takes cookies: %d", c.name, got.status)
		}
	}
}
