package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
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

// An admin makes others admins, and ends that; never for themselves, who would lock themselves out, and not where groups of the
// machine decide it. Who is no admin has no such button, and is refused before anybody is asked.
func TestAdminsAreMadeOnTheAdminPage(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.store.Update(func(tx *store.Tx) error {
		_, err := tx.PutUser(hub.User{Name: "carl", UID: hub.NoUID, Admin: true, Created: today})
		return err
	}))
	w.addUser("bob")
	admin, alice := w.admin(), w.alice()
	page := admin.get("/hub/admin?search=b")
	w.pressFirst(admin, page, "promote-user").wantLocation(http.StatusSeeOther, "/hub/admin?search=b&sort=name")
	w.pressFirst(admin, admin.get("/hub/admin?search=carl"), "demote-user").wantLocation(http.StatusSeeOther, "/hub/admin?search=carl&sort=name")
	if want := []string{"bob an admin: true", "carl an admin: false"}; !slices.Equal(w.directory.said, want) {
		t.Errorf("asked for %q, want %q", w.directory.said, want)
	}
	if own := admin.get("/hub/admin?search=admin"); hasClass(own, "demote-user") {
		t.Error("the admin can lock themselves out")
	}
	w.gives("alice", "warden")
	if p := alice.get("/hub/admin"); hasClass(p, "promote-user") {
		t.Error("alice has a button that would be refused")
	}
	alice.post("/hub/admin", url.Values{"_xsrf": {attr(alice.get("/hub/admin").all("body")[0], "data-xsrf-token")}, "action": {"promote"}, "user": {"alice"}}).want(http.StatusForbidden)
	if len(w.directory.said) != 2 {
		t.Errorf("asked for %q", w.directory.said)
	}
	w = newWorld(t, func(o *web.Options) { o.AdminGroups = []string{"sudo", "wheel"} })
	w.addUser("bob")
	if p := w.admin().get("/hub/admin?search=bob").want(http.StatusOK, "members of sudo, wheel are"); hasClass(p, "promote-user") {
		t.Error("what the button does would end at the next login")
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
