package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// widths are the windows that pages are looked at in.
var widths = []struct {
	name          string
	width, height int
}{{"desktop", 1280, 800}, {"phone", 375, 720}}

// Alice mistypes her password and is told so, at the form, with her name kept and the password asked for again.
func TestWrongPassword(t *testing.T) {
	h := visit(t)
	h.plainFor("alice")
	for _, w := range widths {
		t.Run(w.name, func(t *testing.T) {
			x := (&house{Bed: h.Bed, t: t, hub: h.hub, url: h.url}).open(w.width, w.height)
			x.visit("hub/home")
			x.types("#username_input", "alice")
			x.types("#password_input", "not hers")
			x.clicks("#toggle_password_visibility")
			if kind, pressed := eval[string](x, "password_input.type"), eval[string](x, "toggle_password_visibility.ariaPressed"); kind != "text" || pressed != "true" {
				t.Errorf("she cannot see what she typed: %s, %s", kind, pressed)
			}
			x.presses("#login_submit")
			x.says("[role=alert]", "password")
			if name, at := eval[string](x, "username_input.value"), eval[string](x, "document.activeElement.id"); name != "alice" || at != "password_input" {
				t.Errorf("the form has the name %q, and the cursor is in %s", name, at)
			}
			x.picture("refused")
			x.mustFit("the login form")
			// That a login is refused with 403 is all that a browser has to say about it.
			x.mustSayOnly("the login form", "403 (Forbidden)")
			x.types("#password_input", h.Password("alice"))
			x.presses("#login_submit")
			x.says("h1", "Home")
			x.mustBeQuiet("the home page")
		})
	}
}

// Alice starts and stops her server from the home page, and goes to it.
func TestHomePage(t *testing.T) {
	h := visit(t)
	h.plainFor("alice")
	x := h.open(1280, 800)
	x.visit("hub/home")
	x.logIn("alice")
	x.says("#main", "It is stopped")
	x.picture("stopped")
	x.presses("#start")
	x.sees("#plain")
	x.visit("hub/home")
	x.says("#main", "It is running")
	x.picture("running")
	x.presses("#stop")
	x.becomes(`document.querySelector("#main").innerText.includes("It is stopped")`)
	x.mustBeQuiet("the home page")
	for _, w := range widths {
		x.resize(w.width, w.height)
		x.visit("hub/home")
		x.mustFit("the home page on a " + w.name)
		x.picture(w.name)
	}
}

// Alice calls a new server what she likes, by keys alone, and it starts at an address made of that. She stops and deletes it, which asks
// once more.
func TestNamedServerFromTheHomePage(t *testing.T) {
	h := visit(t)
	h.configure("[hub]\nallow_named_servers = true\nnamed_server_limit_per_user = 3\n[spawner.user.alice]\ncmd = [\"plain\"]\nargs = [\"{socket}\"]\n")
	x := h.open(1280, 800)
	x.visit("hub/home")
	x.logIn("alice")
	x.says("#new-server-hint", "You may have 3")
	x.do(chromedp.Focus("#new-server-name", chromedp.ByQuery))
	x.keys("The <b>big</b> one", enter)
	x.sees("#plain")
	if at := x.at(); at != "user/alice/the-b-big-b-one/" {
		t.Errorf("the new server is at %s", at)
	}
	x.visit("hub/home")
	x.says(".home-server-row", "The <b>big</b> one")
	x.picture("runs")
	x.presses(".home-server-row .stop-server")
	x.becomes(`document.querySelector(".home-server-row summary")`)
	x.clicks(".home-server-row summary")
	x.picture("delete")
	x.presses(".home-server-row .delete-server")
	x.becomes(`!document.querySelector(".home-server-row")`)
	x.mustBeQuiet("the home page")
	for _, w := range widths {
		x.resize(w.width, w.height)
		x.mustFit("the home page on a " + w.name)
	}
}

// Alice makes a token, sees it once, and revokes it.
func TestTokenPage(t *testing.T) {
	h := visit(t)
	x := h.open(1280, 800)
	x.visit("hub/token")
	x.logIn("alice")
	x.types("#token-note", "for my script")
	x.presses("#request-token-form button")
	token := x.text("#token-result")
	script, err := client.New(h.Path("/run/jupyterhub/admin.sock"), token)
	if err != nil {
		t.Fatal(err)
	}
	defer script.Close()
	if who, err := script.Identity(t.Context()); err != nil || who.Name != "alice" {
		t.Errorf("the token %q is of %+v, %v", token, who, err)
	}
	for _, w := range widths {
		x.resize(w.width, w.height)
		x.mustFit("the token page on a " + w.name)
		x.picture("made-" + w.name)
	}
	x.visit("hub/token")
	if strings.Contains(x.text("body"), token) {
		t.Error("the token is shown again")
	}
	x.says(".token-row", "for my script")
	x.presses(".token-row .revoke-token-btn")
	if strings.Contains(x.text("#main"), "for my script") {
		t.Error("the revoked token is in the list")
	}
	if who, err := script.Identity(t.Context()); err == nil && who.Name == "alice" {
		t.Errorf("revoked, the token is of %+v", who)
	}
	x.mustBeQuiet("the token page")
}

// The admin finds one among many, goes from page to page, adds and removes, starts and stops, sees what servers use, and
// stops all.
func TestAdminPage(t *testing.T) {
	h := visit(t)
	h.plainFor("bob", "mallory")
	h.crowd(t, 120)
	x := h.open(1280, 800)
	x.visit("hub/admin")
	x.logIn("admin")
	x.says("#count", "Users 1 to 50 of")
	x.picture("many")
	x.presses("[rel=next]")
	x.says("#count", "Users 51 to 100 of")
	x.presses("[rel=prev]")
	x.types("#user-search", "student-11")
	x.presses("[role=search] button")
	x.says("#count", "of 10")

	x.visit("hub/admin?search=bob")
	x.presses(".user-row[data-user=bob] .start-server")
	x.becomes(`document.querySelector(".user-row[data-user=bob] .state")?.textContent == "running"`)
	x.becomes(`/[0-9.]+ [KM]iB/.test(document.querySelector("[data-memory='bob/']").textContent)`)
	x.becomes(`/[0-9.]+ (s|%)/.test(document.querySelector("[data-cpu='bob/']").textContent)`)
	x.becomes(`/^[1-9][0-9]*$/.test(document.querySelector("[data-tasks='bob/']").textContent)`)
	x.becomes(`/^([0-9.]+ ([KM]i)?B, [0-9.]+ ([KM]i)?B|–)$/.test(document.querySelector("[data-io='bob/']").textContent)`) // "–" where no kernel counts it
	x.picture("bob-runs")
	x.presses(".user-row[data-user=bob] .stop-server")
	x.becomes(`document.querySelector(".user-row[data-user=bob] .state")?.textContent == "stopped"`)

	x.visit("hub/admin?search=newcomer")
	x.clicks("#add-users summary")
	x.types("#new-usernames", "newcomer")
	x.presses("#add-users-submit")
	x.says(".user-row[data-user=newcomer]", "newcomer")
	x.clicks(".user-row[data-user=newcomer] summary")
	x.presses(".user-row[data-user=newcomer] .delete-user")
	x.says("#count", "No user")

	for _, name := range []string{"bob", "mallory"} {
		if _, err := h.hub.StartServer(t.Context(), hub.ServerRef{User: name}, client.StartRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	x.visit("hub/admin?search=b")
	x.clicks("#stop-all summary")
	x.picture("stop-all")
	x.presses("#stop-all-servers")
	x.becomes(`![...document.querySelectorAll(".state")].some((state) => state.textContent != "stopped")`)
	x.mustBeQuiet("the admin page")
	x.resize(375, 720)
	x.visit("hub/admin")
	x.mustFit("the admin page on a phone")
	x.picture("phone")
}

// crowd adds so many users who have no account, until the play ends.
func (h *house) crowd(t *testing.T, size int) {
	t.Helper()
	names := make([]string, size)
	for i := range names {
		names[i] = fmt.Sprintf("student-%03d", i)
	}
	if _, err := h.hub.CreateUsers(t.Context(), client.CreateUsers{Usernames: names}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c, err := client.New(h.Path("/run/jupyterhub/admin.sock"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, name := range names {
			if err := c.DeleteUser(context.WithoutCancel(t.Context()), name); err != nil {
				t.Error(err)
			}
		}
	})
}

// Alice has a keyboard and nothing else. She logs in, goes past the navigation to the page's one button, and her server runs.
func TestKeyboardOnly(t *testing.T) {
	h := visit(t)
	h.plainFor("alice")
	x := h.open(1280, 800)
	x.visit("hub/home")
	x.becomes(`document.activeElement.name == "username"`) // where the page put her, once it is there
	x.keys("alice", tabulator, h.Password("alice"), enter)
	x.sees("#start")
	x.keys(tabulator)
	if at := eval[string](x, "document.activeElement.className"); at != "skip" {
		t.Errorf("the first stop is %q, and not the way past the navigation", at)
	}
	x.picture("skip")
	x.keys(enter, tabulator)
	if at := eval[string](x, "document.activeElement.id"); at != "start" {
		t.Errorf("the first stop in the page is %q", at)
	}
	if outline := eval[string](x, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
		t.Error("one does not see where one is")
	}
	x.keys(enter)
	x.sees("#plain")
}

// Bob's server does not start: the page says why, shows the last lines of his unit's journal, and offers to try again.
func TestFailedStart(t *testing.T) {
	h := visit(t)
	if err := h.WriteFile(t.Context(), "/usr/local/bin/quits", "#!/bin/sh\nsleep 2; echo the reason for it; exit 3\n", 0o755); err != nil {
		t.Fatal(err)
	}
	h.configure("[spawner.user.bob]\ncmd = [\"quits\"]\n")
	x := h.open(1280, 800)
	x.visit("hub/spawn")
	x.logIn("bob")
	x.sees("#journal")
	x.says("[role=alert]", "ended by itself with status 3")
	x.says("#journal", "the reason for it")
	x.says("#start", "Start again")
	x.picture("failed")
	x.mustSayOnly("the page of a failed start", "500 (Internal Server Error)")
	x.resize(375, 720)
	x.mustFit("the page of a failed start on a phone")
	x.picture("failed-phone")
}

// Alice's browser runs no scripts. Everything but JupyterLab itself works.
func TestWithoutScripts(t *testing.T) {
	h := visit(t)
	if err := h.WriteFile(t.Context(), "/usr/local/bin/slow", strings.Replace(plain, "\nserver =", "\nimport time; time.sleep(4)\nserver =", 1), 0o755); err != nil {
		t.Fatal(err)
	}
	h.configure("[spawner.user.alice]\ncmd = [\"slow\"]\nargs = [\"{socket}\"]\n")
	x := h.open(1280, 800)
	x.do(emulation.SetScriptExecutionDisabled(true))
	x.visit("hub/spawn")
	x.logIn("alice")
	x.sees("#progress-message")
	x.picture("starting")
	x.sees("#plain")
	x.visit("hub/home")
	x.presses("#stop")
	x.says("#main", "stop")
}

// Pages that nobody wants to see are pages as well.
func TestErrorPages(t *testing.T) {
	h := visit(t)
	x := h.open(375, 720)
	x.visit("hub/home")
	x.logIn("alice")
	x.mustBeQuiet("the home page")
	for path, status := range map[string]string{"hub/nothing-here": "404", "hub/admin": "403", "hub/spawn/bob": "40", "user/bob/lab": "40"} {
		if _, err := chromedp.RunResponse(x.ctx, chromedp.Navigate(h.url+path)); err != nil {
			t.Fatal(err)
		}
		x.sees("h1")
		x.mustFit(path)
		x.mustSayOnly(path, status)
		x.picture(strings.ReplaceAll(path, "/", "-"))
	}
}
