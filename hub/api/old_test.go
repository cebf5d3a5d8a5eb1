package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub/api"
	"jupyterhubd/hub/store"
)

// Old proxies and services ask whose a token or a cookie is.
func TestOwnersOfTokensAndCookies(t *testing.T) {
	w := newWorld(t)
	wiki, alice := w.service("wiki"), w.token("alice")
	w.ask(wiki, "GET", "/hub/api/authorizations/token/"+alice).is(200, `"name":"alice"`, `"groups":[]`)
	w.ask(alice, "GET", "/hub/api/authorizations/token/"+wiki).is(200, `"kind":"service"`, `"name":"wiki"`)
	w.ask(wiki, "GET", "/hub/api/authorizations/token/none").is(404)
	w.ask("", "GET", "/hub/api/authorizations/token/"+alice).is(403)
	w.ask("", "POST", "/hub/api/authorizations/token").is(404, "/hub/api/users/USER/tokens")

	cookie, session := w.session("alice")
	path := "/hub/api/authorizations/cookie/jupyterhub-hub-login"
	w.ask(alice, "GET", path+"/"+cookie).is(200, `"name":"alice"`)
	w.ask(alice, "GET", path, cookie).is(200, `"name":"alice"`) // the value in the body, older still
	if got := w.ask(wiki, "GET", path+"/"+cookie).is(200); got.body != "{}" {
		t.Errorf("a service without scopes sees %s", got.body)
	}
	w.ask(alice, "GET", path+"/none").is(404)
	w.ask(alice, "GET", strings.Replace(path, "login", "answer", 1)+"/"+cookie).is(404)

	r := httptest.NewRequest("GET", path+"/"+cookie, nil) // no browser may ask
	r.Header.Set("Cookie", "jupyterhub-hub-login="+cookie+"; jupyterhub-session-id="+session)
	w.send(w.door, r).is(403)
	w.ask(w.token("admin"), "POST", "/hub/api/users/alice/admin-access").is(403, "disabled")
}

// Whoever has no token yet gets one for a name and a password, of their own and of no other's.
func TestTokensForAPassword(t *testing.T) {
	w := newWorld(t, func(o *api.Options) { o.InsecureHTTP = true })
	made := w.ask("", "POST", "/hub/api/users/alice/tokens", `{"auth":{"username":"alice","password":"correct horse"},"note":"first"}`).is(201, `"note":"first"`)
	token := made.object()["token"].(string)
	w.ask(token, "GET", "/hub/api/user").is(200, `"name":"alice"`)
	for name, body := range map[string]string{
		"wrong password":     `{"auth":{"username":"alice","password":"guess"}}`,
		"no password":        `{"auth":{"username":"alice"}}`,
		"no auth":            `{"auth":null}`,
		"another shape":      `{"auth":"alice"}`,
		"another's":          `{"auth":{"username":"bob","password":"battery staple","otp":"123456"}}`,
		"a code is missing":  `{"auth":{"username":"bob","password":"battery staple"}}`,
		"refused by account": `{"auth":{"username":"mallory","password":"evil"}}`,
		"an answer too many": `{"auth":{"username":"alice","password":"correct\u0000horse"}}`,
	} {
		want := 403
		if name == "an answer too many" {
			want = 400
		}
		if got := w.ask("", "POST", "/hub/api/users/alice/tokens", body); got.status != want || strings.Contains(got.body, `"token"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	w.ask("", "POST", "/hub/api/users/bob/tokens", `{"auth":{"username":"bob","password":"battery staple","otp":"123456"}}`).is(201)

	// Whom the hub does not know: a login makes users, this does not.
	w.update(func(tx *store.Tx) error { return tx.DeleteUser("bob") })
	w.ask("", "POST", "/hub/api/users/bob/tokens", `{"auth":{"username":"bob","password":"battery staple","otp":"123456"}}`).is(403)
	w.view(func(tx *store.Tx) error {
		if n := tx.CountUsers(); n != 3 {
			t.Errorf("%d users", n)
		}
		return nil
	})
	// Every local process can knock at the token door: nobody guesses there.
	if got := w.at(w.tokens, "", "POST", "/hub/api/users/alice/tokens", `{"auth":{"username":"alice","password":"correct horse"}}`); got.status != 403 {
		t.Errorf("the token door takes passwords: %d", got.status)
	}
}

// Vulnerability: a password that crosses a network in the clear.
// Attack: mallory reads what a script of alice's sends over plain HTTP from another machine.
// Verified: it is refused, so that the script never works and nobody leaves it so, unless the admin says that it may.
func TestPasswordsInTheClearAreRefused(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		w := newWorld(t)
		w.room.InsecureHTTP = insecure
		r := httptest.NewRequest("POST", "/hub/api/users/alice/tokens", strings.NewReader(`{"auth":{"username":"alice","password":"correct horse"}}`))
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		r.Header.Set("X-Forwarded-Proto", "http")
		want := 403
		if insecure {
			want = 201
		}
		w.send(w.door, r).is(want)
	}
}
