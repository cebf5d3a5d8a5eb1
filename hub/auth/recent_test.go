package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// asker asks with a token, and returns who the hub takes it for.
func (h *house) asker(token string) Actor {
	h.t.Helper()
	var got Actor
	r := httptest.NewRequestWithContext(h.t.Context(), "GET", "/hub/api/user", nil)
	r.Header.Set("Authorization", "token "+token)
	h.Tokens(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = FromContext(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
	return got
}

// Vulnerability: whoever is remembered comes in by what they were. Attack: a token asks, so that it is remembered; then it, its owner,
// or what it follows from is changed, and it asks again. Verified: the very next request sees the change.
func TestWhoIsRememberedIsWhoTheyAreNow(t *testing.T) {
	mallory := hub.Owner{Kind: hub.OwnerUser, Name: "mallory"}
	write := func(fn func(*store.Tx) error) func(*house, *clock) {
		return func(h *house, _ *clock) { h.update(fn) }
	}
	may := func(scope string) func(Actor) bool { return func(a Actor) bool { return a.Has(scope) } }
	known := func(a Actor) bool { return !a.Anonymous() }
	changed := func(change func(*hub.User)) func(*house, *clock) {
		return write(func(tx *store.Tx) error {
			u, err := tx.User("mallory")
			if err == nil {
				change(&u)
				_, err = tx.PutUser(u)
			}
			return err
		})
	}
	for name, play := range map[string]struct {
		before func(Actor) bool // and not after
		change func(*house, *clock)
	}{
		"revoked":          {known, write(func(tx *store.Tx) error { return tx.DeleteTokensOf(mallory) })},
		"expired":          {known, func(_ *house, c *clock) { c.advance(time.Hour) }},
		"removed":          {known, write(func(tx *store.Tx) error { return tx.DeleteUser("mallory") })},
		"demoted":          {may("admin:users"), changed(func(u *hub.User) { u.Admin = false })},
		"out of the group": {may("read:metrics"), changed(func(u *hub.User) { u.Groups = nil })},
		"without the role": {may("read:hub"), changed(func(u *hub.User) { u.Roles = nil })},
		"under other rules": {may("read:hub"), func(h *house, _ *clock) {
			policy, err := rbac.New([]rbac.Role{{Name: "reader"}, {Name: "scraper"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			rules := *h.rules.Load()
			rules.Policy = policy
			h.SetRules(rules)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := noon()
			h := newHouse(t, c, func(o *Options) {
				policy, err := rbac.New([]rbac.Role{{Name: "reader", Scopes: []string{"read:hub"}}, {Name: "scraper", Scopes: []string{"read:metrics"}}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				o.Rules.Policy = policy
			})
			var token string
			h.update(func(tx *store.Tx) error {
				if _, err := tx.PutGroup(hub.Group{Name: "watchers", Roles: []string{"scraper"}}); err != nil {
					return err
				}
				admin := name == "demoted"
				_, err := tx.PutUser(hub.User{Name: "mallory", UID: hub.NoUID, Admin: admin, Groups: []string{"watchers"}, Roles: []string{"reader"}})
				if err == nil {
					token, _, err = tx.NewToken(hub.Token{Owner: mallory, Scopes: []string{"inherit"}, Expires: c.now().Add(time.Hour)})
				}
				return err
			})
			for _, look := range []string{"first", "remembered"} {
				if a := h.asker(token); !play.before(a) {
					t.Fatalf("%s: %+v", look, a)
				}
			}
			if _, is := h.recent.recall(h.store, token, h.stateNow(), c.now()); !is {
				t.Fatal("nobody is remembered: the play shows nothing")
			}
			play.change(h, c)
			if a := h.asker(token); play.before(a) {
				t.Errorf("still %s with %q", a.Owner.Name, a.Scopes.List())
			}
		})
	}
}

// What is remembered is as active as what the store would say, and is nobody's to change.
func TestWhoIsRememberedIsFresh(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	h.user(hub.User{Name: "bob", UID: 1003, Groups: []string{}})
	token := h.token("bob", "inherit")
	h.asker(token)
	later := c.now().Add(time.Minute)
	h.store.TouchUser("bob", later)
	a := h.asker(token)
	h.store.TouchToken(a.Token.ID, later)
	a.Token.Scopes[0] = "self"
	if b := h.asker(token); !b.User.LastActivity.Equal(later) || !b.Token.LastActivity.Equal(later) || b.Token.Scopes[0] != "inherit" {
		t.Errorf("%+v, %+v", b.User, b.Token)
	}
}
