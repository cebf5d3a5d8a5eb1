package api_test

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

func TestServicesAtRunTime(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	w.update(func(tx *store.Tx) error { return tx.PutService(hub.Service{Name: "wiki", Configured: true}) })
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{"POST", "grader", ``, 400, ``},
		{"POST", "grader", `{}`, 400, ``},
		{"POST", "grader", `[]`, 400, ``},
		{"POST", "grader", `{"nmae":"x"}`, 400, `nmae`},
		{"POST", "grader", `{"url":5}`, 400, `url`},
		{"POST", "grader", `{"info":null}`, 400, `info`},
		{"POST", "grader", `{"url":"file:///etc/passwd"}`, 400, `url`},
		{"POST", "grader", `{"url":"http://mallory:x@127.0.0.1"}`, 400, `url`},
		{"POST", "grader", `{"command":["sh"]}`, 400, `managed`},
		{"POST", "grader", `{"oauth_no_confirm":true}`, 400, `oauth_redirect_uri`},
		{"POST", "grader", `{"oauth_client_id":"grader","url":"http://127.0.0.1:9000"}`, 400, `service-`},
		{"POST", "grader", `{"api_token":"short"}`, 400, `8 characters`},
		{"POST", "grader", `{"oauth_client_allowed_scopes":["no:such"]}`, 400, `no such scope`},
		{"POST", "wiki", `{"display":false}`, 409, ``},
		{"POST", "local-admin", `{"display":false}`, 409, ``},
		{"POST", "Bad--name", `{"display":false,"name":"other","command":[]}`, 201, `"name":"Bad--name"`},
		{"POST", "grader", `{"url":"http://127.0.0.1:9000","api_token":"graders-token","info":{"x":1},"oauth_client_allowed_scopes":["self"]}`, 201,
			`"url":"http://127.0.0.1:9000","prefix":"/services/grader/","command":[],"pid":0,"info":{"x":1},"display":true`},
		{"GET", "grader", ``, 200, `"admin":false`},
		{"POST", "other", `{"api_token":"graders-token"}`, 409, ``},
		{"GET", "other", ``, 404, ``}, // nothing was left of it
		{"DELETE", "none", ``, 404, ``},
		{"DELETE", "wiki", ``, 405, `not modifiable`},
	} {
		w.ask(admin, c.method, "/hub/api/services/"+c.path, c.body).is(c.want, c.text)
	}
	w.ask("graders-token", "GET", "/hub/api/user").is(200, `"name":"grader"`)
	w.view(func(tx *store.Tx) error {
		c, err := tx.Client("service-grader")
		if err != nil || c.RedirectURI != "/services/grader/oauth_callback" || tx.CheckClientSecret(c.ID, "graders-token") != nil {
			t.Errorf("client %+v, %v", c, err)
		}
		return nil
	})
	w.ask(admin, "DELETE", "/hub/api/services/grader").is(200)
	w.ask("graders-token", "GET", "/hub/api/user").is(403)
	if got := strings.Join(w.daemon.asked, " "); got != "resync resync" {
		t.Errorf("the daemon was asked for %q, want the routes to be looked at twice", got)
	}
}

// Vulnerability: who may make services would make one that is more than they are.
// Attack: mallory's token for admin:services alone makes an admin service, one whose visitors' tokens it may ask for what mallory
// does not hold, and one that logs people in without asking them.
// Verified: refused, and an admin's narrowed token is no more than it says.
func TestAServiceIsNoMoreThanItsMaker(t *testing.T) {
	w := newWorld(t)
	for _, token := range []string{w.service("maker", "admin:services"), w.token("admin", "admin:services")} {
		for body, want := range map[string]int{
			`{"admin":true,"api_token":"mallorys-token"}`:                                                                400,
			`{"url":"http://127.0.0.1:9000","api_token":"mallorys-token","oauth_client_allowed_scopes":["inherit"]}`:     400,
			`{"url":"http://127.0.0.1:9000","api_token":"mallorys-token","oauth_client_allowed_scopes":["admin:users"]}`: 400,
			`{"url":"http://127.0.0.1:9000","api_token":"mallorys-token","oauth_no_confirm":true}`:                       403,
		} {
			w.ask(token, "POST", "/hub/api/services/evil", body).is(want)
		}
		w.ask(token, "GET", "/hub/api/services/evil").is(404)
	}
	w.ask(w.token("alice"), "POST", "/hub/api/services/evil", `{"display":true}`).is(403)
	w.ask(w.service("one", "admin:services!service=other"), "POST", "/hub/api/services/evil", `{"display":true}`).is(404)
}

func TestRolesOfGroupsAreAnAdminsToGive(t *testing.T) {
	w := newWorld(t)
	w.ask(w.service("maker", "admin:groups", "read:roles:groups"), "POST", "/hub/api/groups/evil", `{"users":["mallory"],"roles":["admin"]}`).is(403)
	admin := w.token("admin")
	w.ask(admin, "POST", "/hub/api/groups/evil", `{"roles":["no-such"]}`).is(400, "no-such")
	w.ask(admin, "POST", "/hub/api/groups/evil", `{"roles":"teacher"}`).is(400)
	w.ask(admin, "POST", "/hub/api/groups/class", `{"users":["bob"],"roles":["teacher"]}`).is(201, `"roles":["teacher"]`)
	w.ask(w.token("bob"), "GET", "/hub/api/users").is(200, `"name":"bob"`)
	w.ask(w.token("mallory"), "GET", "/hub/api/groups/evil").is(403)
}
