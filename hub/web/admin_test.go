package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Vulnerability: the page of users shows more than the API does to the same person.
// Attack: alice may see who has an account, and opens the admin page.
// Verified: no state, failure, activity or named server of anybody else is on it, neither said nor by the order of rows, and no
// button that would be refused.
func TestAdminPageShowsNoMoreThanScopesDo(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("ann", "bert")
	w.must(w.store.Update(func(tx *store.Tx) error {
		carl := hub.User{Name: "carl", UID: hub.NoUID, Admin: true, Created: today, LastActivity: today.Add(-time.Hour)}
		if _, err := tx.PutUser(carl); err != nil {
			return err
		}
		_, err := tx.PutUser(hub.User{Name: "alice", UID: hub.NoUID, Created: today, Roles: []string{"warden"}})
		return err
	}))
	w.workshop.put("ann", "", hub.Running)
	w.workshop.put("bert", "secret-plan", hub.Running)
	alice := w.alice()
	for _, path := range []string{"/hub/admin?search=ann", "/hub/admin?search=bert", "/hub/admin?search=carl"} {
		p := alice.get(path).want(http.StatusOK)
		row := rendered(t, elements(p.root, "tbody")[0])
		for _, leak := range []string{"running", "secret-plan", "<time", "/user/", "<button"} {
			if strings.Contains(row, leak) {
				t.Errorf("%s tells %q: %s", path, leak, row)
			}
		}
		if p.byID("stop-all") != nil || p.byID("add-users") != nil {
			t.Errorf("%s offers what would be refused", path)
		}
	}
	byName, byActivity := names(alice.get("/hub/admin?sort=name")), names(alice.get("/hub/admin?sort=-last_activity"))
	if !slices.Equal(byName, byActivity) {
		t.Errorf("the order tells who was active: %v", byActivity)
	}
}

// names are those on an admin page, from top to bottom.
func names(p *page) (users []string) {
	for _, row := range elements(p.root, "tbody") {
		users = append(users, attr(row, "data-user"))
	}
	return users
}

func rendered(t *testing.T, n *html.Node) string {
	t.Helper()
	var text strings.Builder
	if err := html.Render(&text, n); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
