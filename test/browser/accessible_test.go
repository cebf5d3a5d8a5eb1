package browser

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// looks are how each page is judged: in either colours and either width.
var looks = []struct {
	name, scheme  string
	width, height int
}{{"light", "light", 1280, 800}, {"dark-phone", "dark", 375, 720}}

// axe asks axe-core about the page that is shown: everything of WCAG 2.0 to 2.2, levels A and AA, and what its makers call good practice.
const axe = `axe.run({
	preload: false,
	runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
	rules: { "target-size": { enabled: true } },
}).then((found) => found.violations.flatMap((rule) => rule.nodes.map((node) =>
	rule.id + ": " + rule.help + ": " + node.html.slice(0, 200) + ": " + node.any.concat(node.all, node.none).map((why) => why.message).join("; "))))`

// judge is a tab with axe-core.
type judge struct {
	*tab
	axe string // its source
}

func (h *house) judge() *judge {
	h.t.Helper()
	source, err := os.ReadFile(filepath.Join(testbed.Environment("axe-core-4.14.1"), "node_modules/axe-core/axe.min.js"))
	if err != nil {
		h.t.Skipf("axe-core is not there, test/browser/axe fetches it: %v", err)
	}
	return &judge{h.open(1280, 800), string(source)}
}

// looks judges the page that is shown, with everything on it unfolded, in all its looks. Behind it the window is a desktop's again.
func (j *judge) looks(name string) {
	j.t.Helper()
	j.do(chromedp.Evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })", nil))
	for _, look := range looks {
		j.resize(look.width, look.height)
		j.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}}))
		var found []string
		j.do(chromedp.Evaluate(j.axe+"; true", nil), chromedp.Evaluate(axe, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
		for _, line := range found {
			j.t.Errorf("%s, %s: %s", name, look.name, line)
		}
		j.mustFit(name + ", " + look.name)
		j.picture(name + "-" + look.name)
	}
	j.resize(1280, 800)
}

// hasTroubles prepares what makes pages full: profiles with questions, an announcement, names that are long, a failed start.
func (h *house) hasTroubles() {
	h.t.Helper()
	h.forgotten("alice") // what was chosen for a start is chosen for the next one
	if err := h.WriteFile(h.t.Context(), "/usr/local/bin/quits", "#!/bin/sh\necho the reason for it; exit 3\n", 0o755); err != nil {
		h.t.Fatal(err)
	}
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() { // her choice of a profile is remembered, and the profile is gone: the next play makes her anew
		c, err := client.New(h.Path("/run/jupyterhub/admin.sock"), "")
		if err != nil {
			h.t.Fatal(err)
		}
		defer c.Close()
		if err := c.DeleteUser(ctx, "alice"); err != nil {
			h.t.Error(err)
		}
	})
	h.configure(`[hub]
allow_named_servers = true
extra_user_scopes = ["shares!user", "read:users:name", "read:groups:name"]
template_vars = { announcement = "The machine is down on Sunday, see https://status.example.org/jupyter" }
[[spawner.profile]]
name = "course"
cmd = ["plain"]
args = ["{socket}"]
display_name = "The course on statistics"
description = "Everything that the exercises need, with as much memory as they take."
[spawner.profile.profile_options.memory]
display_name = "Memory"
[spawner.profile.profile_options.memory.range]
least = 1
most = 8
step = 1
unit = "GB"
mem_limit = "{value}G"
[spawner.profile.profile_options.python]
display_name = "Python"
[spawner.profile.profile_options.python.choices.stable]
display_name = "as taught"
[spawner.profile.profile_options.python.choices.next]
display_name = "the next one"
[[spawner.profile]]
name = "broken"
display_name = "What does not start"
cmd = ["quits"]
[[spawner.profile]]
name = "mute"
display_name = "What never answers"
cmd = ["sh", "-c", "exec sleep 600"]
`)
}

// named gives somebody a named server for the length of a play.
func (h *house) named(ref hub.ServerRef, display string) {
	h.t.Helper()
	if _, err := h.hub.StartServer(h.t.Context(), ref, client.StartRequest{UserOptions: json.RawMessage(`{"profile": "course"}`), DisplayName: &display}); err != nil {
		h.t.Fatal(err)
	}
	ctx := context.WithoutCancel(h.t.Context())
	h.t.Cleanup(func() {
		if _, err := h.hub.StopServer(ctx, ref, true); err != nil && hub.KindOf(err) != hub.NotFound {
			h.t.Error(err)
		}
	})
	h.ready(ref)
}

// What a stranger and a person see, in light and in dark, on a desk and on a telephone: axe-core has nothing to say of any page.
func TestPagesForPeopleAreAccessible(t *testing.T) {
	h := visit(t)
	j := h.judge()
	h.hasTroubles()
	h.named(hub.ServerRef{User: "alice", Server: "the-second"}, "A second server with a name that goes on and on, Rindfleischetikettierungsüberwachung")
	j.visit("hub/login")
	j.looks("login")
	j.types("#username_input", "alice")
	j.types("#password_input", "not hers")
	j.presses("#login_submit")
	j.looks("login-refused")
	j.logsInWithAnExpiredPassword("mallory")
	j.looks("question")
	j.visit("hub/login?next=%2Fhub%2Fhome")
	j.logIn("alice")
	j.looks("home-stopped")
	j.visit("hub/spawn/alice")
	j.looks("spawn")
	j.starts("mute")
	j.sees("#progress-message")
	j.looks("pending")
	j.presses("#stop-server-btn")
	j.visit("hub/spawn/alice")
	j.starts("broken")
	j.sees("#journal")
	j.looks("failed")
	j.visit("hub/home")
	j.looks("home-failed")
	j.visit("hub/user/alice/lab")
	j.looks("not-running")
	j.visit("hub/spawn/alice")
	j.starts("course")
	j.sees("#plain")
	j.visit("hub/home")
	j.looks("home-running")
	j.visit("hub/token")
	j.looks("token")
	j.types("#token-note", "for the script that fetches everybody's exercises at night")
	j.presses("#request-token-form button")
	j.looks("token-made")
	j.visit("hub/shares")
	j.looks("shares")
	link := j.makesALink()
	j.looks("shares-link")
	for path, name := range map[string]string{"hub/nothing-here": "absent", "hub/admin": "forbidden"} {
		j.visit(path)
		j.looks(name)
	}
	j.visit("hub/logout")
	j.looks("logged-out")
	j.visit(link)
	j.logIn("bob")
	j.looks("offer")
	j.visit("hub/api/oauth2/authorize?response_type=code&state=s&client_id=jupyterhub-user-alice&redirect_uri=" + url.QueryEscape("/user/alice/oauth_callback"))
	j.looks("confirm-or-refused")
}

func (j *judge) starts(profile string) {
	j.t.Helper()
	j.clicks("#profile-" + profile)
	j.presses("#start")
}

// makesALink shares the first server by a link, and returns the path of it.
func (j *judge) makesALink() string {
	j.t.Helper()
	j.presses("#make-link")
	return strings.TrimPrefix(j.text("#share-link"), j.h.url)
}

// logsInWithAnExpiredPassword goes as far as the question for a new one.
func (j *judge) logsInWithAnExpiredPassword(name string) {
	j.t.Helper()
	j.h.run("chage", "--lastday", "0", name)
	ctx := context.WithoutCancel(j.t.Context())
	j.t.Cleanup(func() {
		if out, err := j.h.Run(ctx, "chage", "--lastday", "-1", name); err != nil {
			j.t.Errorf("%v\n%s", err, out)
		}
	})
	j.visit("hub/login")
	j.logIn(name)
	j.sees("#answer-1")
}

// The pages of the administration, as an admin sees them.
func TestPagesForAdminsAreAccessible(t *testing.T) {
	h := visit(t)
	j := h.judge()
	h.hasTroubles()
	h.crowd(t, 60)
	h.group("statistics-for-the-second-year-of-sociology", map[string]any{"quota": json.Number("3")}, "alice", "bob")
	h.named(hub.ServerRef{User: "alice", Server: "the-second"}, "Second")
	j.visit("hub/admin")
	j.logIn("admin")
	j.looks("admin")
	j.visit("hub/admin?search=nobody-of-that-name")
	j.looks("admin-nobody")
	j.visit("hub/admin?search=alice")
	j.looks("admin-one")
	j.visit("hub/admin/users/alice")
	j.looks("admin-user")
	j.visit("hub/admin/groups")
	j.looks("admin-groups")
	j.types("#new-groups", "statistics-for-the-second-year-of-sociology")
	j.presses("#add-groups-submit")
	j.looks("admin-groups-refused")
	j.visit("hub/admin/groups/statistics-for-the-second-year-of-sociology")
	j.looks("admin-group")
	j.visit("hub/api/oauth2/authorize?response_type=code&state=s&client_id=jupyterhub-user-alice-the-second&redirect_uri=" + url.QueryEscape("/user/alice/the-second/oauth_callback"))
	j.looks("confirm")
}
