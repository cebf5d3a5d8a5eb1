package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// Vulnerability: a group's name, its properties or a user's name are a page's code for the admin who looks at them.
// Attack: a program with a token for groups calls one a script, and puts another into its properties.
// Verified: on every page of the administration they are text, with scripts on; the console says nothing.
func TestHostileGroupIsText(t *testing.T) {
	h := visit(t)
	const name = `<img id=evil src=x onerror="document.title='evil'">&'`
	h.group(name, map[string]any{"<script id=evil>": "<script>document.title='evil'</script></textarea>"}, "bob")
	x := h.open(1280, 800)
	x.visit("hub/admin/groups?search=evil")
	x.logIn("admin")
	x.says("#groups", name)
	x.picture("groups")
	x.presses("#groups a")
	x.says("h1", name)
	if typed := eval[string](x, "properties.value"); !strings.Contains(typed, "textarea") {
		t.Errorf("the properties are %q", typed)
	}
	x.picture("group")
	x.mustFit("the page of a group")
	x.presses("#members a")
	x.says("#user-groups", name)
	x.picture("user")
	for _, w := range widths {
		x.resize(w.width, w.height)
		x.mustFit("the page of a user on a " + w.name)
		x.picture("user-" + w.name)
	}
	if eval[bool](x, "document.querySelector('#evil') != null || document.title == 'evil'") {
		t.Error("the name is part of the page's code")
	}
	x.mustBeQuiet("the administration")
}

// group makes a group for the length of a play.
func (h *house) group(name string, properties map[string]any, members ...string) {
	h.t.Helper()
	if _, err := h.hub.CreateGroup(h.t.Context(), name, client.GroupRequest{Users: members}); err != nil {
		h.t.Fatal(err)
	}
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() { h.forget(ctx, name) })
	if _, err := h.hub.SetProperties(h.t.Context(), name, properties); err != nil {
		h.t.Fatal(err)
	}
}

// forget deletes a group that a play may have deleted itself.
func (h *house) forget(ctx context.Context, group string) {
	again, err := client.New(h.Path("/run/jupyterhub/admin.sock"), "")
	if err == nil {
		defer again.Close()
		err = again.DeleteGroup(ctx, group)
	}
	if err != nil && hub.KindOf(err) != hub.NotFound {
		h.t.Errorf("delete group %s: %v", group, err)
	}
}

// The admin's browser runs no scripts, and everything of the administration works: groups are made, filled, described and
// deleted, users renamed and removed, servers started, stopped and deleted, and mistakes told with what was typed.
func TestAdministrationWithoutScripts(t *testing.T) {
	h := visit(t)
	h.plainFor("bob")
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { h.forget(ctx, "course") })
	x := h.open(1280, 800)
	x.do(emulation.SetScriptExecutionDisabled(true))
	x.visit("hub/admin")
	x.logIn("admin")
	x.clicks("#add-users summary")
	x.types("#new-usernames", "fresh-one\nfresh-two")
	x.presses("#add-users-submit")
	x.visit("hub/admin?search=fresh-")
	x.says("#count", "Users 1 to 2 of 2")

	x.visit("hub/admin/groups")
	x.clicks("#add-groups summary")
	x.types("#new-groups", "course")
	x.types("#new-members", "fresh-one\nnobody-at-all")
	x.presses("#add-groups-submit")
	x.says("#admin-error", "No such user: nobody-at-all")
	if typed := eval[string](x, "document.getElementById('new-groups').value"); typed != "course" {
		t.Errorf("what was typed is %q", typed)
	}
	x.types("#new-members", "fresh-one")
	x.presses("#add-groups-submit")
	x.visit("hub/admin/groups/course")
	x.types("#new-members", "fresh-two\nbob")
	x.presses("#add-members")
	x.says("#count", "Members 1 to 3 of 3")
	x.presses("tr[data-user=bob] .remove-member")
	x.says("#count", "Members 1 to 2 of 2")
	x.types("#properties", `{"quota": `)
	x.presses("#set-properties")
	x.says("#admin-error", "Invalid JSON")
	x.types("#properties", `{"quota": 7}`)
	x.presses("#set-properties")
	if g, err := h.hub.Group(t.Context(), "course"); err != nil || g.Properties.Value["quota"] != float64(7) || len(g.Users.Value) != 2 {
		t.Errorf("the group is %+v, %v", g, err)
	}

	x.visit("hub/admin/users/fresh-one")
	x.types("#new-name", "fresh-two")
	x.presses("#rename-user")
	x.says("#admin-error", "already exists")
	x.types("#new-name", "fresh-three")
	x.presses("#rename-user")
	x.says("h1", "User fresh-three")
	x.says("#user-groups", "course")
	for _, name := range []string{"fresh-two", "fresh-three"} {
		x.visit("hub/admin/users/" + name)
		x.clicks("#remove summary")
		x.presses(".delete-user")
	}
	x.visit("hub/admin/groups/course")
	x.says("#count", "Nobody is in this group")
	x.clicks("#delete summary")
	x.presses("#delete-group")
	if _, err := h.hub.Group(t.Context(), "course"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("deleted, the group is there: %v", err)
	}

	x.visit("hub/admin/users/bob")
	x.presses(".start-server")
	h.ready(hub.ServerRef{User: "bob"})
	x.visit("hub/admin/users/bob")
	x.says("#servers", "running")
	x.presses(".stop-server")
	x.says("#servers", "stop") // stopped, or on its way
	if at := x.at(); at != "hub/admin/users/bob" {
		t.Errorf("after the stop, one is at %s", at)
	}
}

// The admin ends the hub from its page. systemd starts it again, the page comes back by itself, and bob's server has heard nothing of it.
func TestTheHubIsEndedFromItsPage(t *testing.T) {
	h := visit(t)
	h.plainFor("bob")
	bobs := hub.ServerRef{User: "bob"}
	if _, err := h.hub.StartServer(t.Context(), bobs, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(bobs)
	pid := func(unit string) string { return h.run("systemctl", "show", "-P", "MainPID", unit) }
	hubs, servers := pid("jupyterhub.service"), pid(hub.UnitName(bobs))
	x := h.open(1280, 800)
	x.visit("hub/admin?search=bob")
	x.logIn("admin")
	x.clicks("#shutdown summary")
	x.says("#shutdown", "systemctl stop jupyterhub.target")
	x.presses("#shutdown-hub")
	x.becomes(`document.querySelector("#users")`) // the page that tells of it leads back
	h.eventually("another hub runs", func() bool { now := pid("jupyterhub.service"); return now != hubs && now != "0" })
	x.visit("hub/admin?search=bob")
	x.becomes(`(() => { // once the new hub has looked at what runs
		fetch(location).then((answer) => answer.text()).then((page) => { window.runs = page.includes('class="state ready"'); });
		return window.runs;
	})()`)
	if now := pid(hub.UnitName(bobs)); now != servers {
		t.Errorf("bob's server was %s, and is %s", servers, now)
	}
}

// eventually waits until something holds that no page shows.
func (h *house) eventually(what string, holds func() bool) {
	h.t.Helper()
	testbed.Eventually(h.t, patience, what, holds)
}

// Alice keeps groups and may see who there is, and nothing else. She has a keyboard, and scripts; she finds what is hers, with no
// button that would be refused, and makes a group by keys alone.
func TestKeeperOfGroups(t *testing.T) {
	h := visit(t)
	h.configure("[[hub.load_roles]]\nname = \"keeper\"\nscopes = [\"admin-ui\", \"list:users\", \"admin:groups\"]\nusers = [\"alice\"]\n")
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { h.forget(ctx, "reading") })
	x := h.open(1280, 800)
	x.visit("hub/admin?search=bob")
	x.logIn("alice")
	x.says("#users", "bob")
	if eval[int](x, "document.querySelectorAll('#main form:not([role=search])').length") != 0 {
		t.Errorf("there are buttons for a keeper of groups: %s", x.text("#main"))
	}
	x.presses(".user-row[data-user=bob] a")
	x.says("h1", "User bob")
	if eval[int](x, "document.querySelectorAll('#main form').length") != 0 {
		t.Errorf("there are buttons for a keeper of groups: %s", x.text("#main"))
	}
	x.visit("hub/admin/groups")
	x.sees("#add-groups summary")
	x.do(chromedp.Focus("#add-groups summary", chromedp.ByQuery))
	x.keys(enter, tabulator)
	x.becomes(`document.activeElement.id == "new-groups"`)
	x.keys("reading", tabulator, "bob", tabulator)
	if at := eval[string](x, "document.activeElement.id"); at != "add-groups-submit" {
		t.Errorf("after the fields comes %q", at)
	}
	x.keys(enter)
	x.becomes(`document.querySelector("tr[data-group=reading]")`)
	x.presses("tr[data-group=reading] a")
	x.says("#members", "bob")
	x.mustBeQuiet("the pages of groups")
	for _, w := range widths {
		x.resize(w.width, w.height)
		x.mustFit("the page of a group on a " + w.name)
		x.picture("group-" + w.name)
	}
}
