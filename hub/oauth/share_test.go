package oauth_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// With whom a server is shared, by name or through a group, its OAuth client lets in after asking, and their token says so to
// the server. When the share is taken back, or they leave the group, the token that they have opens nothing from that moment, and a code that is on its way is none any more.
func TestSharesOpenAServerUntilTheyAreTakenBack(t *testing.T) {
	for _, group := range []string{"", "class"} {
		w := newWorld(t)
		share := hub.Share{Server: hub.ServerRef{User: "alice"}, Group: group, Scopes: []string{"access:servers"}}
		w.update(func(tx *store.Tx) error {
			if group == "" {
				share.User = "bob"
			} else if _, err := tx.PutGroup(hub.Group{Name: group, Users: []string{"bob"}}); err != nil {
				return err
			}
			return nil
		})
		if rec := w.authorize("bob", server("alice")); rec.Code != 403 {
			t.Fatalf("before it is shared: %d", rec.Code)
		}
		w.update(func(tx *store.Tx) (err error) {
			share, err = tx.PutShare(share)
			return err
		})
		if rec := w.authorize("bob", server("alice")); rec.Code != 200 || !strings.Contains(rec.Body.String(), "may Server at /user/alice/?") {
			t.Fatalf("bob is not asked: %d %s", rec.Code, rec.Body)
		}
		_, got := location(t, w.confirm("bob", server("alice"), w.asked))
		status, token := w.exchange(got.Get("code"))
		if status != 200 {
			t.Fatalf("%d %v", status, token)
		}
		const opens = "access:servers!server=alice/"
		if got := w.scopes(token["access_token"].(string)); !strings.Contains(got, opens) {
			t.Errorf("bob's token opens %s", got)
		}
		_, late := location(t, w.confirm("bob", server("alice"), w.asked))
		w.update(func(tx *store.Tx) error {
			if group == "" {
				return tx.DeleteShare(share.ID)
			}
			g, err := tx.Group(group)
			if err != nil {
				return err
			}
			g.Users = nil
			_, err = tx.PutGroup(g)
			return err
		})
		if status, refused := w.exchange(late.Get("code")); status != 400 || refused["error"] != "invalid_grant" {
			t.Errorf("a code from before is good for %d %v", status, refused)
		}
		if got := w.scopes(token["access_token"].(string)); strings.Contains(got, "access:servers") {
			t.Errorf("without the share bob's token opens %s", got)
		}
		if rec := w.authorize("bob", server("alice")); rec.Code != 403 {
			t.Errorf("without the share: %d", rec.Code)
		}
		if rec := w.authorize("mallory", server("alice")); rec.Code != 403 {
			t.Errorf("mallory, with whom nobody shares: %d", rec.Code)
		}
	}
}

// scopes asks what a token opens.
func (w *world) scopes(token string) string {
	r := httptest.NewRequest("GET", "/hub/api/user", nil)
	r.Header.Set("Authorization", "token "+token)
	rec := httptest.NewRecorder()
	w.tokens.ServeHTTP(rec, r)
	return rec.Body.String()
}
