package api_test

import (
	"net/http/httptest"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Who has an answer already is told so, and gets it anew once it changed, or for somebody else.
func TestConditionalRequests(t *testing.T) {
	w := newWorld(t)
	admin, alice := w.token("admin"), w.token("alice")
	ask := func(token, path, has string) reply {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "token "+token)
		r.Header.Set("If-None-Match", has)
		return w.send(w.door, r)
	}
	for _, path := range []string{"/hub/api/users/alice", "/hub/api/users", "/hub/api/groups", "/hub/api/services", "/hub/api/user", "/hub/api/info"} {
		w.ask(admin, "GET", path) // its use is activity of the admin's, which the next answer shows
		tag := ask(admin, path, "").is(200).head.Get("ETag")
		if tag == "" {
			t.Errorf("%s has no ETag", path)
		}
		for _, has := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			if got := ask(admin, path, has).is(304); got.body != "" || got.head.Get("ETag") != tag || got.head.Get("Content-Type") != "" {
				t.Errorf("%s with %s: %q %v", path, has, got.body, got.head)
			}
		}
		ask(admin, path, `"other"`).is(200)
	}
	tag := ask(admin, "/hub/api/users/alice", "").head.Get("ETag")
	ask(alice, "/hub/api/users/alice", tag).is(200) // she sees less
	w.update(func(tx *store.Tx) error {
		_, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice"}})
		return err
	})
	ask(admin, "/hub/api/users/alice", tag).is(200, `"class"`)
	tag = ask(admin, "/hub/api/users/alice", "").head.Get("ETag")
	w.shop.become(hub.ServerRef{User: "alice"}, hub.Starting) // no transaction says so
	w.update(func(tx *store.Tx) error { return tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice"}}) })
	ask(admin, "/hub/api/users/alice", tag).is(200, `"pending":"spawn"`)
	if got := w.ask(admin, "POST", "/hub/api/groups/new").is(201); got.head.Get("ETag") != "" {
		t.Error("a POST has an ETag")
	}
}
