package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// What JupyterLab's menu says of the hub works: the control panel opens in another tab, the way out leads out.
func TestHubMenuOfJupyterLab(t *testing.T) {
	h := visit(t)
	h.configure("[hub]\nallow_named_servers = true\n")
	for _, c := range []struct {
		ref hub.ServerRef
		at  string
	}{{hub.ServerRef{User: "alice"}, "user/alice/"}, {hub.ServerRef{User: "alice", Server: "second"}, "user/alice/second/"}} {
		t.Run(c.at, func(t *testing.T) {
			h := settle(t, h.Bed)
			h.leadsThroughTheMenu(c.ref, c.at)
		})
	}
}

// leadsThroughTheMenu works through the hub's entries in the menu of a server that is open at an address.
func (h *house) leadsThroughTheMenu(ref hub.ServerRef, address string) {
	t := h.t
	t.Helper()
	if _, err := h.hub.StartServer(t.Context(), ref, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(ref)
	if ref.Server != "" {
		ctx := context.WithoutCancel(t.Context())
		t.Cleanup(func() {
			if _, err := h.hub.StopServer(ctx, ref, true); err != nil {
				t.Error(err)
			}
		})
	}
	x := h.open(1280, 800)
	x.visit(address + "lab")
	x.logIn("alice")
	panel := x.opens(func() { x.chooses("File", "hub:control-panel") })
	panel.sees("#main")
	if at := panel.at(); at != "hub/home" {
		t.Errorf("the control panel is %s", at)
	}
	panel.says("#main", ref.Server)
	held := x.cookies(address + "api/kernels")
	x.do(page.BringToFront())
	x.chooses("File", "hub:logout")
	x.becomes(`location.pathname.startsWith("/hub/") && document.querySelector("#login-form, a[href$='/hub/login']")`)
	if status := h.status(address+"api/kernels", held); status == 200 {
		t.Error("the cookies of before open her server")
	}
}

// Alice's named server is stopped while JupyterLab is open in it. JupyterLab notices, and its button starts that server again: not
// her default one.
func TestRestartFromJupyterLab(t *testing.T) {
	h := visit(t)
	h.configure("[hub]\nallow_named_servers = true\n")
	named := hub.ServerRef{User: "alice", Server: "second"}
	t.Cleanup(func() {
		if _, err := h.hub.StopServer(context.WithoutCancel(t.Context()), named, true); err != nil {
			t.Error(err)
		}
	})
	if _, err := h.hub.StartServer(t.Context(), named, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(named)
	x := h.open(1280, 800)
	x.visit("user/alice/second/lab")
	x.logIn("alice")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	if _, err := h.hub.StopServer(t.Context(), named, false); err != nil {
		t.Fatal(err)
	}
	x.sees(".jp-Dialog .jp-mod-accept")
	x.picture("server-is-gone")
	if words := x.text(".jp-Dialog"); !strings.Contains(words, "/user/alice/second/ is not running") {
		t.Errorf("JupyterLab says %q", words)
	}
	again := x.opens(func() { x.clicks(".jp-Dialog .jp-mod-accept") })
	again.sees(".jp-LauncherCard[data-category=Notebook]")
	if at := again.at(); !strings.HasPrefix(at, "user/alice/second/lab") {
		t.Errorf("the button led to %s", at)
	}
	if s, err := h.hub.Server(t.Context(), named); err != nil || !s.Ready {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := h.hub.Server(t.Context(), hub.ServerRef{User: "alice"}); err == nil && s.Ready {
		t.Error("her default server runs as well")
	}
}

// chooses opens one of JupyterLab's menus and takes the entry of a command, with the mouse: menus of Lumino look at where it is, and
// do nothing at a click alone.
func (x *tab) chooses(menu, command string) {
	x.t.Helper()
	title := fmt.Sprintf(`[...document.querySelectorAll(".lm-MenuBar-item")].find((item) => item.textContent == %q)`, menu)
	entry := fmt.Sprintf(`document.querySelector(".lm-Menu-item[data-command='%s']")`, command)
	for began := time.Now(); ; {
		x.becomes(title)
		x.mouse(title, input.MouseMoved, input.MousePressed, input.MouseReleased)
		// While JupyterLab still builds its menus, one that is open is closed again.
		if x.becomesWithin(5*time.Second, entry) {
			break
		}
		if time.Since(began) > patience {
			x.picture("stuck")
			x.t.Fatalf("the menu %s has no %s\n%s", menu, command, x.text("body"))
		}
	}
	x.picture("menu")
	x.mouse(entry, input.MouseMoved, input.MousePressed, input.MouseReleased)
}

// mouse does something with the mouse in the middle of the element that an expression finds.
func (x *tab) mouse(element string, events ...input.MouseType) {
	x.t.Helper()
	at := eval[[]float64](x, "(({left, top, width, height}) => [left + width / 2, top + height / 2])(("+element+").getBoundingClientRect())")
	for _, kind := range events {
		event := input.DispatchMouseEvent(kind, at[0], at[1])
		if kind != input.MouseMoved {
			event = event.WithButton(input.Left).WithClickCount(1)
		}
		x.do(event)
	}
}

// opens returns the tab that opens when something is done.
func (x *tab) opens(by func()) *tab {
	x.t.Helper()
	born := chromedp.WaitNewTarget(x.ctx, func(i *target.Info) bool { return i.Type == "page" })
	by()
	select {
	case id := <-born:
		return x.attach(chromedp.WithTargetID(id))
	case <-time.After(patience):
		x.picture("stuck")
		x.t.Fatalf("no tab opens\n%s", x.text("body"))
		return nil
	}
}
