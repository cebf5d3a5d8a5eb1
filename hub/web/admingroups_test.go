package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// An admin makes groups, says who is in them, keeps properties of theirs, and deletes them, each by a form.
func TestGroupsAreKeptOnTheirPages(t *testing.T) {
	w := newWorld(t, nil)
	w.addGroups(hub.Group{Name: "staff", Users: []string{"ann", "bert"}, Properties: map[string]any{"quota": 3}})
	admin := w.admin()
	list := admin.get("/hub/admin/groups").want(http.StatusOK, "Groups 1 to 1 of 1", "staff 2")
	admin.submit(list, "add-groups-submit", url.Values{"groups": {"course-1\ncourse-2\n"}, "usernames": {" ann \n\nwe ird"}}).wantLocation(http.StatusSeeOther, "/hub/admin/groups")
	const at = "/hub/admin/groups/staff"
	page := admin.get(at).want(http.StatusOK, "Members 1 to 2 of 2", `"quota": 3`)
	admin.submit(page, "add-members", url.Values{"usernames": {"carl\ndora"}}).wantLocation(http.StatusSeeOther, at)
	admin.submit(page, "set-properties", url.Values{"properties": {`{"quota": 4}`}}).wantLocation(http.StatusSeeOther, at)
	admin.post(at, with(formValues(elements(find(page.root, "tr", "data-user", "bert"), "form")[0], ""), "action", "leave")).wantLocation(http.StatusSeeOther, at)
	admin.submit(page, "delete-group", nil).wantLocation(http.StatusSeeOther, "/hub/admin/groups")
	want := []string{"make groups course-1|course-2 with ann|we ird", "into staff: carl|dora", `properties of staff: {"quota": 4}`, "out of staff: bert", "remove group staff"}
	if !slices.Equal(w.directory.said, want) {
		t.Errorf("asked for %q, want %q", w.directory.said, want)
	}
	admin.get("/hub/admin/groups/none").want(http.StatusNotFound)
}

// What is refused is told on the page where it was typed, with what was typed and a word to screen readers.
func TestRefusedChangesKeepWhatWasTyped(t *testing.T) {
	w := newWorld(t, nil)
	w.addGroups(hub.Group{Name: "staff", Users: []string{"ann"}})
	w.directory.refuse = hub.Errorf(hub.Invalid, "No such user: nobody")
	admin := w.admin()
	for _, c := range []struct{ path, button, field, typed string }{
		{"/hub/admin?search=ann", "add-users-submit", "new-usernames", "nobody\nsomebody"},
		{"/hub/admin/groups", "add-groups-submit", "new-members", "nobody"},
		{"/hub/admin/groups/staff", "add-members", "new-members", "nobody"},
		{"/hub/admin/groups/staff", "set-properties", "properties", "{wrong"},
		{"/hub/admin/users/ann", "rename-user", "new-name", "nobody"},
	} {
		form := admin.get(c.path)
		name := attr(form.byID(c.field), "name")
		fill := url.Values{name: {c.typed}}
		if c.button == "add-groups-submit" {
			fill.Set("groups", "course")
		}
		p := admin.submit(form, c.button, fill).want(http.StatusBadRequest, "No such user: nobody")
		field := p.byID(c.field)
		if got := strings.TrimSpace(textOf(field) + attr(field, "value")); got != strings.Join(strings.Fields(c.typed), " ") {
			t.Errorf("%s: the field holds %q, not %q", c.button, got, c.typed)
		}
		if alert := p.byID("admin-error"); attr(alert, "role") != "alert" || !strings.Contains(attr(field, "aria-describedby"), "admin-error") {
			t.Errorf("%s: the field does not say what is wrong with it", c.button)
		}
	}
	w.directory.refuse = hub.Errorf(hub.Conflict, "group course is there already")
	admin.submit(admin.get("/hub/admin/groups"), "add-groups-submit", url.Values{"groups": {"course"}}).want(http.StatusConflict, "group course is there already")
}

// Vulnerability: who may administer something administers everything.
// Attack: alice may list users and keep groups, or keep one group; she asks for pages and presses buttons that are not hers.
// Verified: she sees what is hers, no button that would be refused, and what she posts nonetheless is refused before anybody is asked.
func TestPagesOfGroupsShowNoMoreThanScopesDo(t *testing.T) {
	w := newWorld(t, nil)
	w.addGroups(hub.Group{Name: "staff", Users: []string{"ann"}}, hub.Group{Name: "secret", Users: []string{"bert"}})
	alice := w.alice()
	token := func() string { return attr(alice.get("/hub/home").all("body")[0], "data-xsrf-token") }
	alice.get("/hub/admin/groups").want(http.StatusForbidden)

	w.holds("alice", "warden")
	if p := alice.get("/hub/admin").want(http.StatusOK); find(p.root, "a", "href", "/hub/admin/groups") != nil {
		t.Error("there is a way to groups for who may see none")
	}
	alice.get("/hub/admin/groups").want(http.StatusForbidden)
	if p := alice.get("/hub/admin/users/ann").want(http.StatusOK); len(elements(p.byID("main"), "form")) > 0 || p.byID("user-groups") != nil || strings.Contains(p.text(), "Last activity 2") {
		t.Errorf("the page of ann shows what may not be seen: %s", p.text())
	}

	w.holds("alice", "clerk")
	alice.get("/hub/admin/groups").want(http.StatusOK, "of 2", "staff 1", "secret 1")
	p := alice.get("/hub/admin/groups/secret").want(http.StatusOK, "bert")
	alice.submit(p, "delete-group", nil).wantLocation(http.StatusSeeOther, "/hub/admin/groups")
	if p := alice.get("/hub/admin/users/ann"); len(elements(p.byID("main"), "form")) > 0 {
		t.Errorf("a clerk of groups may change ann: %s", p.text())
	}

	w.holds("alice", "mentor")
	w.directory.said = nil
	list := alice.get("/hub/admin/groups").want(http.StatusOK, "of 1", "staff")
	if list.byID("add-groups") != nil || strings.Contains(list.text(), "secret") {
		t.Errorf("the keeper of staff sees %s", list.text())
	}
	alice.get("/hub/admin/groups/secret").want(http.StatusNotFound)
	own := alice.get("/hub/admin/groups/staff").want(http.StatusOK, "ann")
	if own.byID("delete-group") != nil {
		t.Error("there is a button that would be refused")
	}
	for path, form := range map[string]url.Values{
		"/hub/admin/groups":        {"action": {"add"}, "groups": {"mine"}},
		"/hub/admin/groups/secret": {"action": {"add"}, "usernames": {"alice"}},
		"/hub/admin/groups/staff":  {"action": {"delete"}},
		"/hub/admin/users/ann":     {"action": {"rename"}, "name": {"eve"}},
		"/hub/admin":               {"action": {"start-shown"}, "shown": {"ann"}},
	} {
		if status := alice.post(path, with(form, "_xsrf", token())).status; status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("%s %v: %d", path, form, status)
		}
	}
	alice.submit(own, "add-members", url.Values{"usernames": {"bert"}}).wantLocation(http.StatusSeeOther, "/hub/admin/groups/staff")
	if want := []string{"into staff: bert"}; !slices.Equal(w.directory.said, want) || len(w.workshop.started) > 0 {
		t.Errorf("asked for %q and started %q", w.directory.said, w.workshop.started)
	}
}

// holds gives a user one role in the place of all.
func (w *world) holds(name, role string) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		u, err := tx.User(name)
		if err == nil {
			u.Roles = []string{role}
			_, err = tx.PutUser(u)
		}
		return err
	}))
}

// Vulnerability: cross-site request forgery against the forms of the admin pages. Attack: an admin's browser posts them without the page's
// token. Verified: 403, and nothing has changed.
func TestFormsOfTheAdministrationWantTheToken(t *testing.T) {
	ended := false
	w := newWorld(t, func(o *web.Options) { o.Shutdown = func(bool) { ended = true } })
	w.addGroups(hub.Group{Name: "staff", Users: []string{"ann"}})
	admin := w.admin()
	for _, path := range []string{"/hub/admin", "/hub/admin/groups", "/hub/admin/groups/staff", "/hub/admin/users/ann"} {
		for _, action := range []string{"add", "delete", "remove", "rename", "shutdown", "promote", "stop-all"} {
			admin.post(path, url.Values{"action": {action}, "name": {"eve"}, "usernames": {"eve"}, "groups": {"eve"}, "user": {"ann"}}).want(http.StatusForbidden)
		}
	}
	if len(w.directory.said) > 0 || ended {
		t.Errorf("asked for %q; ended: %t", w.directory.said, ended)
	}
}

// However large a group is, a page of it is of one size; and so is the list of groups.
func TestPagesOfManyGroupsAndMembers(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.PageSize = 50 })
	crowd := hub.Group{Name: "crowd"}
	for i := range 1000 {
		crowd.Users = append(crowd.Users, fmt.Sprintf("student-%04d", i))
	}
	w.addGroups(crowd)
	for i := range 120 {
		w.addGroups(hub.Group{Name: fmt.Sprintf("course-%03d", i)})
	}
	admin := w.admin()
	for path, want := range map[string][]string{
		"/hub/admin/groups":                               {"Groups 1 to 50 of 121", "next last"},
		"/hub/admin/groups?offset=100":                    {"Groups 101 to 121 of 121", "first prev"},
		"/hub/admin/groups?search=COURSE-01":              {"Groups 1 to 10 of 10", ""},
		"/hub/admin/groups/crowd":                         {"Members 1 to 50 of 1000", "next last"},
		"/hub/admin/groups/crowd?search=-099":             {"Members 1 to 10 of 10", ""},
		"/hub/admin/groups/crowd?offset=950":              {"Members 951 to 1000 of 1000", "first prev"},
		"/hub/admin/groups/crowd?offset=99999&search=-09": {"No member on this page", "first prev"},
	} {
		p := admin.get(path).want(http.StatusOK, want[0])
		if got := strings.Join(pageLinks(p), " "); got != want[1] || len(p.body) > 64<<10 {
			t.Errorf("%s leads to %q, want %q, in %d bytes", path, got, want[1], len(p.body))
		}
	}
}

// The page of one user: another name, where no server carries the old one; servers with their options, opened, started and deleted.
func TestPageOfOneUser(t *testing.T) {
	w := newWorld(t, nil)
	w.addGroups(hub.Group{Name: "staff", Users: []string{"ann"}})
	w.workshop.put("ann", "gpu", hub.Stopped)
	admin := w.admin()
	const at = "/hub/admin/users/ann"
	p := admin.get(at).want(http.StatusOK, "Groups staff", "Administers the hub no")
	admin.submit(p, "rename-user", url.Values{"name": {" anna "}}).wantLocation(http.StatusSeeOther, "/hub/admin/users/anna")
	w.pressFirst(admin, p, "promote-user").wantLocation(http.StatusSeeOther, at)
	w.pressFirst(admin, p, "delete-user").wantLocation(http.StatusSeeOther, "/hub/admin")
	if want := []string{"rename ann to anna", "ann an admin: true", "remove ann"}; !slices.Equal(w.directory.said, want) {
		t.Errorf("asked for %q, want %q", w.directory.said, want)
	}
	w.pressFirst(admin, p, "delete-server").wantLocation(http.StatusSeeOther, at)
	if _, err := w.workshop.Server(hub.ServerRef{User: "ann", Server: "gpu"}); hub.KindOf(err) != hub.NotFound {
		t.Errorf("deleted, the server is there: %v", err)
	}
	w.pressFirst(admin, p, "start-server").wantLocation(http.StatusSeeOther, at)
	p = admin.get(at).want(http.StatusOK, "While a server runs, the name stays")
	if p.byID("rename-user") != nil || find(p.root, "a", "href", "/user/ann/") == nil {
		t.Errorf("ann's server runs, and her page has a form for another name, or no way to it: %s", p.body)
	}
	w.pressFirst(admin, p, "stop-server").wantLocation(http.StatusSeeOther, at)
	admin.get("/hub/admin/users/nobody").want(http.StatusNotFound)
}

// The admin starts what is shown, deletes a named server, and ends the hub; and chooses how long a page is.
func TestTheRestOfTheAdminPage(t *testing.T) {
	var ended []bool
	w := newWorld(t, func(o *web.Options) { o.Shutdown = func(servers bool) { ended = append(ended, servers) } })
	w.addUser("ann", "bert", "carl")
	w.workshop.put("bert", "", hub.Running)
	w.workshop.put("carl", "old", hub.Stopped)
	admin := w.admin()
	p := admin.get("/hub/admin?limit=10").want(http.StatusOK, "Users 1 to 4 of 4")
	admin.submit(p, "start-shown-servers", nil).wantLocation(http.StatusSeeOther, "/hub/admin?limit=10&sort=name")
	if want := []string{"admin/", "ann/", "carl/"}; !slices.Equal(w.workshop.started, want) {
		t.Errorf("started %q, want %q", w.workshop.started, want)
	}
	w.pressFirst(admin, p, "delete-server").wantLocation(http.StatusSeeOther, "/hub/admin?limit=10&sort=name")
	if _, err := w.workshop.Server(hub.ServerRef{User: "carl", Server: "old"}); hub.KindOf(err) != hub.NotFound {
		t.Errorf("deleted, the server is there: %v", err)
	}
	w.workshop.refuse = hub.Errorf(hub.TooMany, "Too many servers")
	admin.submit(p, "start-shown-servers", nil).want(http.StatusBadRequest, "ann: Too many servers; carl: Too many servers")
	admin.submit(p, "shutdown-hub", nil).want(http.StatusAccepted, "systemd starts it again")
	admin.submit(p, "shutdown-hub", url.Values{"servers": {"yes"}}).want(http.StatusAccepted, "stops all servers")
	if !slices.Equal(ended, []bool{false, true}) {
		t.Errorf("ended with servers: %v", ended)
	}
	if w := newWorld(t, nil); w.admin().get("/hub/admin").byID("shutdown") != nil {
		t.Error("there is a button to end a hub that cannot be ended")
	}
}
