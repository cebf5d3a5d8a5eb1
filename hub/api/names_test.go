package api_test

import (
	"net/http"
	"testing"

	"jupyterhubd/hub/account"
	"jupyterhubd/hub/api"
)

// A name that username_pattern refuses is given to nobody: neither to one new user, nor to one of many, nor by a change.
func TestNamesThatUsernamePatternRefuses(t *testing.T) {
	w := newWorld(t, func(o *api.Options) { o.Names = account.Names("[a-z]+$") })
	admin := w.token("admin")
	for _, try := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/hub/api/users/carol7", "", http.StatusBadRequest},
		{"POST", "/hub/api/users", `{"usernames": ["carol", "carol7"]}`, http.StatusBadRequest},
		{"GET", "/hub/api/users/carol", "", http.StatusNotFound},
		{"PATCH", "/hub/api/users/bob", `{"name": "bob7"}`, http.StatusBadRequest},
		{"PATCH", "/hub/api/users/bob", `{"admin": true}`, http.StatusOK},
		{"POST", "/hub/api/users", `{"usernames": ["CAROL"]}`, http.StatusCreated},
		{"POST", "/hub/api/users/dave", "", http.StatusCreated},
	} {
		if got := w.ask(admin, try.method, try.path, try.body); got.status != try.want {
			t.Errorf("%s %s %s: %d, want %d: %s", try.method, try.path, try.body, got.status, try.want, got.body)
		}
	}
}
