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
)

// shares lets alice share by name and by link, and be shared with, by bob and by a group of hers.
func (w *world) shares() {
	w.t.Helper()
	w.gives("alice", "teacher")
	w.must(w.store.Update(func(tx *store.Tx) error {
		if _, err := tx.PutUser(hub.User{Name: "bob", UID: hub.NoUID, Created: today}); err != nil {
			return err
		}
		if _, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice"}}); err != nil {
			return err
		}
		for _, ref := range []hub.ServerRef{{User: "alice"}, {User: "alice", Server: "gpu"}, {User: "bob"}, {User: "bob", Server: "gpu"}} {
			if err := tx.PutServer(hub.Server{ServerRef: ref, Created: today}); err != nil {
				return err
			}
		}
		for _, s := range []hub.Share{
			{Server: hub.ServerRef{User: "alice", Server: "gpu"}, User: "bob", Scopes: []string{"access:servers", "start:servers"}},
			{Server: hub.ServerRef{User: "alice"}, Group: "class", Scopes: []string{"access:servers", "users:activity"}},
			{Server: hub.ServerRef{User: "bob", Server: "gpu"}, User: "alice", Scopes: []string{"access:servers", "start:servers"}},
			{Server: hub.ServerRef{User: "bob"}, Group: "class", Scopes: []string{"access:servers"}},
		} {
			if _, err := tx.PutShare(s); err != nil {
				return err
			}
		}
		_, _, err := tx.NewShareCode(hub.ShareCode{Server: hub.ServerRef{User: "alice", Server: "gpu"}, Scopes: []string{"access:servers"}, Expires: today.AddDate(0, 0, 7)})
		return err
	}))
	w.workshop.put("bob", "", hub.Running)
	w.workshop.put("bob", "gpu", hub.Stopped)
}

// gives gives somebody a role.
func (w *world) gives(name, role string) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		u, err := tx.User(name)
		if err == nil {
			u.Roles = append(u.Roles, role)
			_, err = tx.PutUser(u)
		}
		return err
	}))
}

// Every button of the page does what it says, to the server of the one who presses it.
func TestSharing(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.alice()
	w.shares()
	page := alice.get("/hub/shares").want(http.StatusOK, "bob – default server through group class", "gpu bob work in it, start it", "default server group class work in it, users:activity", "2026-12-01")
	for _, c := range []struct {
		button string
		fill   url.Values
		want   string
	}{
		{"share-submit", url.Values{"name": {" bob "}, "server": {"gpu"}, "right": {"start:servers", "admin:users"}}, "alice shares alice/gpu with bob: access:servers start:servers"},
		{"share-submit", url.Values{"name": {"class"}, "kind": {"group"}, "server": {""}}, "alice shares alice/ with class: access:servers"},
	} {
		alice.submit(page, c.button, c.fill).wantLocation(http.StatusSeeOther, "/hub/shares")
		if last := w.directory.said[len(w.directory.said)-1]; last != c.want {
			t.Errorf("%s: %q, want %q", c.button, last, c.want)
		}
	}
	made := alice.submit(page, "make-link", url.Values{"server": {"gpu"}, "expires_in": {"3600"}, "right": {"read:servers"}}).want(http.StatusOK)
	if link := textOf(made.byID("share-link")); link != w.url+"/hub/accept-share?code=the-code" {
		t.Errorf("the link is %q", link)
	}
	for class, want := range map[string]string{"unshare": "take alice/gpu back from bob", "revoke-code": "revoke sc_1 of alice/gpu", "leave-share": "alice gives up bob/gpu"} {
		w.pressFirst(alice, page, class).wantLocation(http.StatusSeeOther, "/hub/shares")
		if !slices.Contains(w.directory.said, want) {
			t.Errorf("%s: asked for %q, want %q", class, w.directory.said, want)
		}
	}
	if !slices.Contains(w.directory.said, "alice makes a code for alice/gpu, 1h0m0s: access:servers read:servers") {
		t.Errorf("asked for %q", w.directory.said)
	}
	if n := strings.Count(page.body, "leave-share"); n != 1 {
		t.Errorf("%d shares can be given up; what a group has is not hers to give up", n)
	}
}

// pressFirst submits the form of the first button of a class.
func (w *world) pressFirst(b *browser, p *page, class string) *page {
	w.t.Helper()
	for _, f := range p.all("form") {
		for _, button := range elements(f, "button") {
			if slices.Contains(strings.Fields(attr(button, "class")), class) {
				return b.post(attr(f, "action"), with(formValues(f, ""), "action", attr(button, "value")))
			}
		}
	}
	w.t.Fatalf("there is no button .%s: %s", class, p.body)
	return nil
}

// What is shared leads where its scopes lead: into a server that runs, to the start of one that does not.
func TestWhatIsSharedCanBeFound(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.alice()
	w.shares()
	p := alice.get("/hub/shares")
	if find(p.root, "a", "href", "/user/bob/") == nil || find(p.root, "a", "href", "/hub/spawn/bob/gpu") == nil {
		t.Errorf("no way to what is shared: %s", p.body)
	}
	home := alice.get("/hub/home").want(http.StatusOK, "Shared with you")
	if find(home.root, "a", "href", "/user/bob/") == nil || find(home.root, "a", "href", "/hub/shares") == nil {
		t.Errorf("the home page leads to nothing that is shared: %s", home.body)
	}
	if p := w.as("admin", "hunter2 and more").get("/hub/home"); p.byID("shared") != nil {
		t.Error("nothing is shared with the admin, and the home page speaks of it")
	}
}

// Vulnerability: a form does what the API would refuse. Attack: alice, who may not share, posts the forms of somebody who may;
// and, who may, with another's server in them. Verified: it is refused and nobody is asked; the page says what an admin can do about
// it, and where by name is not allowed offers a link alone.
func TestSharingThatIsOff(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.alice()
	off := alice.get("/hub/shares").want(http.StatusOK, "You may not share your own servers", `extra_user_scopes = ["shares!user"]`)
	if off.byID("make-link") != nil || off.byID("share-submit") != nil {
		t.Error("there are forms that do nothing")
	}
	xsrf := attr(off.all("body")[0], "data-xsrf-token")
	form := url.Values{"_xsrf": {xsrf}, "server": {"gpu"}, "name": {"bob"}, "user": {"bob"}, "id": {"sc_1"}, "expires_in": {"3600"}}
	for _, action := range []string{"share", "link", "unshare", "revoke"} {
		alice.post("/hub/shares", with(form, "action", action)).want(http.StatusForbidden, "requires any of [shares]")
	}
	alice.post("/hub/shares", with(form, "action", "fly")).want(http.StatusBadRequest)
	alice.post("/hub/shares", with(with(form, "action", "share"), "_xsrf", "planted")).want(http.StatusForbidden)
	if len(w.directory.said) > 0 {
		t.Errorf("asked for %q", w.directory.said)
	}
	w.gives("alice", "sharer")
	alice.get("/hub/shares").want(http.StatusOK, "You have no server yet")
	w.must(w.store.Update(func(tx *store.Tx) error { return tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice"}}) }))
	if p := alice.get("/hub/shares").want(http.StatusOK, "A link needs no names"); p.byID("make-link") == nil || p.byID("share-submit") != nil {
		t.Error("alice may make links, and knows no names")
	}
}

// What the directory refuses is told on the page, with what was typed.
func TestSharingThatIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.alice()
	w.shares()
	w.directory.refuse = hub.Errorf(hub.Invalid, "No such user: nobody")
	page := alice.get("/hub/shares")
	p := alice.submit(page, "share-submit", url.Values{"name": {"nobody"}, "right": {"start:servers"}, "server": {"gpu"}}).want(http.StatusBadRequest, "No such user: nobody")
	if attr(p.byID("share-name"), "value") != "nobody" || !hasAttr(p.byID("name-start"), "checked") || !hasAttr(find(p.byID("name-server"), "option", "value", "gpu"), "selected") {
		t.Errorf("what was typed is gone: %s", p.body)
	}
	alice.submit(page, "share-submit", url.Values{"name": {"  "}}).want(http.StatusBadRequest, "The name is missing")
	alice.submit(page, "make-link", url.Values{"expires_in": {"soon"}}).want(http.StatusBadRequest, "How long")
}

// A page shows a hundred of each list, and leads to the others, each by itself; what is searched for stays, and so does the place
// where somebody takes something back, even when nothing is left there.
func TestListsOfSharesHavePages(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.alice()
	w.shares()
	w.must(w.store.Update(func(tx *store.Tx) error {
		for n := range 199 {
			name := fmt.Sprintf("student-%03d", n)
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID}); err != nil {
				return err
			}
			if err := tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: name}}); err != nil {
				return err
			}
			for _, s := range []hub.Share{{Server: hub.ServerRef{User: "alice"}, User: name}, {Server: hub.ServerRef{User: name}, User: "alice"}} {
				s.Scopes = []string{"access:servers"}
				if _, err := tx.PutShare(s); err != nil {
					return err
				}
			}
			if _, _, err := tx.NewShareCode(hub.ShareCode{Server: hub.ServerRef{User: "alice"}, Scopes: []string{"access:servers"}, Expires: today.AddDate(0, 0, 1)}); err != nil {
				return err
			}
		}
		return nil
	}))
	rows := func(p *page, tables ...int) {
		t.Helper()
		for i, id := range []string{"shared-with-me", "shared-by-me", "share-codes"} {
			if n := len(elements(p.byID(id), "tr")) - 1; n != tables[i] {
				t.Errorf("%s has %d rows, want %d", id, n, tables[i])
			}
		}
	}
	first := alice.get("/hub/shares").want(http.StatusOK, "1 to 100 of 201", "1 to 100 of 200")
	rows(first, 100, 100, 100)
	for _, way := range []string{"/hub/shares?taken=100", "/hub/shares?given=100", "/hub/shares?codes=100"} {
		if find(first.root, "a", "href", way) == nil {
			t.Errorf("nothing leads to %s", way)
		}
	}
	last := alice.get("/hub/shares?given=200&taken=100").want(http.StatusOK, "201 to 201 of 201", "101 to 200 of 201")
	rows(last, 100, 1, 100)
	if find(last.root, "a", "href", "/hub/shares?given=100&taken=100") == nil {
		t.Error("one list turns the pages of another")
	}
	w.pressFirst(alice, last, "unshare").wantLocation(http.StatusSeeOther, "/hub/shares?given=200&taken=100")
	w.must(w.store.Update(func(tx *store.Tx) error {
		s, err := tx.Share(hub.ServerRef{User: "alice"}, "student-198", "")
		if err != nil {
			return err
		}
		return tx.DeleteShare(s.ID)
	}))
	rows(alice.get("/hub/shares?given=200").want(http.StatusOK, "101 to 200 of 200"), 100, 100, 100)
	rows(alice.get("/hub/shares?given=nonsense&taken=-1").want(http.StatusOK), 100, 100, 100)

	found := alice.get("/hub/shares?search=Student-01").want(http.StatusOK, "student-019")
	if n := strings.Count(found.body, `class="share-row"`); n != 20 || attr(found.byID("share-search"), "value") != "Student-01" {
		t.Errorf("ten students' servers, and ten with whom hers is shared, are %d rows", n)
	}
	alice.get("/hub/shares?search=nobody").want(http.StatusOK, "Nothing that is shared with you has “nobody”", "Nothing that you share has “nobody”")
}
