package oauth_test

import (
	"slices"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/store"
)

// An admin who enters alice's server is told of to her, once, and to the journal; bob, with whom she shares it, is not, and neither is she.
func TestOwnersAreToldOfVisits(t *testing.T) {
	var journal []string
	w := newWorld(t, func(o *oauth.Options) {
		o.Entered = func(server hub.ServerRef, v hub.Visit) { journal = append(journal, v.By+" in "+server.String()) }
	})
	w.update(func(tx *store.Tx) error {
		_, err := tx.PutShare(hub.Share{Server: hub.ServerRef{User: "alice"}, User: "bob", Scopes: []string{"access:servers"}})
		return err
	})
	for _, who := range []string{"admin", "bob", "alice", "admin"} {
		w.now = w.now.Add(time.Minute)
		if rec := w.authorize(who, server("alice")); rec.Code == 200 {
			location(t, w.confirm(who, server("alice"), w.asked))
		}
	}
	w.update(func(tx *store.Tx) error {
		u, err := tx.User("alice")
		if len(u.Visits) != 1 || u.Visits[0].By != "admin" || u.Visits[0].Server != "" || !u.Visits[0].At.Equal(w.now) {
			t.Errorf("alice is told %+v", u.Visits)
		}
		return err
	})
	if !slices.Equal(journal, []string{"admin in alice/", "admin in alice/"}) {
		t.Errorf("the journal has %q", journal)
	}
	if rec := w.authorize("mallory", server("alice")); rec.Code != 403 {
		t.Errorf("mallory: %d", rec.Code)
	}
}
