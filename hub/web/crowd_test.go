package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// However many users there are, a page of them is of one size: the store searches, sorts and cuts.
func TestAdminPageOfACrowd(t *testing.T) {
	const users, size = 2000, 50
	w := newWorld(t, func(o *web.Options) { o.PageSize = size })
	w.must(w.store.Update(func(tx *store.Tx) error {
		for i := range users - 1 { // and the admin
			u := hub.User{Name: fmt.Sprintf("student-%04d", i), UID: hub.NoUID, Created: today, LastActivity: today.Add(-time.Duration(i*7919%users+1) * time.Hour)}
			if _, err := tx.PutUser(u); err != nil {
				return err
			}
		}
		return nil
	}))
	w.workshop.put("student-1234", "gpu", hub.Running)
	w.workshop.put("student-0007", "", hub.Starting)
	w.workshop.put("student-0008", "", hub.Stopped)
	admin := w.admin()
	for query, want := range map[string]struct {
		count string
		rows  int
		first string
		links string // the addresses of other pages
	}{
		"":                                     {"Users 1 to 50 of 2000", 50, "admin", "next last"},
		"?offset=1950":                         {"Users 1951 to 2000 of 2000", 50, "student-1949", "first prev"},
		"?offset=1000&sort=-name":              {"Users 1001 to 1050 of 2000", 50, "student-0998", "first prev next last"},
		"?sort=-last_activity":                 {"Users 1 to 50 of 2000", 50, "admin", "next last"},
		"?sort=last_activity&offset=100":       {"Users 101 to 150 of 2000", 50, "", "first prev next last"},
		"?search=99":                           {"Users 1 to 37 of 37", 37, "student-0099", ""},
		"?search=STUDENT-01":                   {"Users 1 to 50 of 100", 50, "student-0100", "next last"},
		"?search=nobody":                       {"No user has “nobody” in the name", 0, "", ""},
		"?state=active":                        {"Users 1 to 2 of 2", 2, "student-0007", ""},
		"?state=active&search=123&sort=-name":  {"Users 1 to 1 of 1", 1, "student-1234", ""},
		"?state=active&search=0008":            {"No user with a server that runs has “0008” in the name", 0, "", ""},
		"?offset=-7&sort=password&state=crazy": {"Users 1 to 50 of 2000", 50, "admin", "next last"},
		"?offset=99999999999999999999":         {"Users 1 to 50 of 2000", 50, "admin", "next last"},
		"?offset=5000":                         {"No user on this page", 0, "", "first prev"},
	} {
		p := admin.get("/hub/admin"+query).want(http.StatusOK, want.count)
		rows := names(p)
		if len(rows) != want.rows || want.first != "" && rows[0] != want.first || len(rows) > size || len(p.body) > 112<<10 {
			t.Errorf("%s: %d rows from %q on in %d bytes", query, len(rows), rows[:min(1, len(rows))], len(p.body))
		}
		if got := strings.Join(pageLinks(p), " "); got != want.links {
			t.Errorf("%s leads to %q, want %q", query, got, want.links)
		}
	}
	next := admin.get("/hub/admin?state=active&sort=-name")
	if sorted := find(next.root, "a", "href", "/hub/admin?sort=name&state=active"); sorted == nil {
		t.Errorf("another order shows others: %s", next.body)
	}
}

// pageLinks are the ways from a page of users to others, by what they are called.
func pageLinks(p *page) (links []string) {
	for _, nav := range p.all("nav") {
		if attr(nav, "aria-label") != "Pages" {
			continue
		}
		for _, a := range elements(nav, "a") {
			links = append(links, strings.NewReplacer("previous", "prev").Replace(strings.ToLower(textOf(a))))
		}
	}
	return links
}

// Vulnerability: a filter tells what may not be read. Attack: alice, who may list users and not read servers, asks for those whose server
// runs. Verified: she gets everybody, and no such box.
func TestWhoseServerRunsIsNotToldByAFilter(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("ann", "bert")
	w.workshop.put("ann", "", hub.Running)
	alice := w.alice()
	w.gives("alice", "warden")
	if p := alice.get("/hub/admin?state=active").want(http.StatusOK, "of 3"); p.byID("user-active") != nil {
		t.Error("there is a box for what she may not know")
	}
}
