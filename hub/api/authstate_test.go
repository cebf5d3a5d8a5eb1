package api_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/store"
)

// Vulnerability: what an authenticator keeps opens other systems in its user's name. Attack: everybody who may see something of
// Alice asks for it: Alice herself, holders of every scope about users but the one, and lists. Verified: only GET of the user and
// the answer to PATCH show it, to holders of admin:auth_state for that user, and no audit record has it.
func TestWhoSeesAuthState(t *testing.T) {
	w := newWorld(t)
	const secret = "opens-another-system"
	w.ask(w.token("admin"), "PATCH", "/hub/api/users/alice", `{"auth_state":{"token":"`+secret+`"}}`).is(200, secret)
	blind := map[string]string{
		"alice": w.token("alice"), "mallory": w.token("mallory"), "nobody": "",
		"reader":         w.service("reader", "read:users", "list:users", "read:roles", "read:servers", "users:activity", "read:tokens"),
		"another user's": w.service("other", "admin:auth_state!user=bob", "read:users", "list:users"),
		"deleter":        w.service("deleter", "delete:users", "users"),
	}
	for who, token := range blind {
		for _, path := range []string{"/users/alice", "/users", "/user", "/users?name_filter=alice", "/users/alice/tokens"} {
			if r := w.ask(token, "GET", "/hub/api"+path); strings.Contains(r.body, secret) {
				t.Errorf("%s sees it at %s: %s", who, path, r.body)
			}
		}
	}
	for _, token := range []string{w.token("admin"), w.service("one", "admin:auth_state!user=alice", "read:users"), w.service("all", "admin:users")} {
		w.ask(token, "GET", "/hub/api/users/alice").is(200, secret)
		if r := w.ask(token, "GET", "/hub/api/users"); strings.Contains(r.body, secret) {
			t.Errorf("a list shows it: %s", r.body)
		}
	}
	for _, deed := range w.deeds {
		if strings.Contains(strings.Join(append(deed.On, deed.What), " "), secret) {
			t.Errorf("the audit record has it: %+v", deed)
		}
	}
}

// What cannot be opened is null, and whoever keeps the journal hears whose it is and why, and nothing of it.
func TestAuthStateThatDoesNotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	before, err := store.Open(path, store.Options{Keys: parseKeys(t, strings.Repeat("b", 32))})
	if err != nil {
		t.Fatal(err)
	}
	err = before.Update(func(tx *store.Tx) error {
		if _, err := tx.PutUser(hub.User{Name: "zoe"}); err != nil {
			return err
		}
		return tx.PutAuthState("zoe", []byte(`{"token":"x"}`))
	})
	if err := errors.Join(err, before.Close()); err != nil {
		t.Fatal(err)
	}
	var told []string
	w := newWorldIn(t, path, strings.Repeat("k", 32), func(o *api.Options) {
		o.Unreadable = func(user string, err error) { told = append(told, user+": "+err.Error()) }
	})
	w.ask(w.token("admin"), "GET", "/hub/api/users/zoe").is(200, `"auth_state":null`)
	if len(told) != 1 || !strings.Contains(told[0], "zoe: the auth_state of zoe cannot be read: the key that sealed it") {
		t.Errorf("told %q", told)
	}
}

// Without a key a PATCH says what is missing, and changes nothing else either; what is not about auth states works as ever.
func TestAuthStateCannotBeKeptWithoutAKey(t *testing.T) {
	w := newWorldIn(t, filepath.Join(t.TempDir(), "hub.db"), "")
	admin := w.token("admin")
	w.ask(admin, "PATCH", "/hub/api/users/bob", `{"auth_state":{},"admin":true}`).is(400, "enable_auth_state")
	w.view(func(tx *store.Tx) error {
		if u, err := tx.User("bob"); err != nil || u.Admin {
			t.Errorf("bob is %+v, %v", u, err)
		}
		return nil
	})
	w.ask(admin, "GET", "/hub/api/users/bob").is(200, `"auth_state":null`)
	w.update(func(tx *store.Tx) error { _, err := tx.PutUser(hub.User{Name: "zoe"}); return err })
	w.ask(admin, "PATCH", "/hub/api/users/zoe", `{"admin":true}`).is(200)
}
