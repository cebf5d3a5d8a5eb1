package browser

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// watcher keeps what the page of a start tells while it goes on, and over the next page.
const watcher = `document.addEventListener("DOMContentLoaded", () => {
	const log = document.getElementById("progress-log");
	if (!log) return;
	new MutationObserver(() => {
		sessionStorage.setItem("told", [...log.children].map((line) => line.textContent).join("\n"));
		sessionStorage.setItem("bar", document.getElementById("progress-bar").value);
	}).observe(log, { childList: true });
});`

// Alice comes with her system password and works: the door, her server starting before her eyes, JupyterLab, a notebook, a
// cell, its output. It is the real JupyterLab, and nothing is prepared but her account.
func TestAliceWorks(t *testing.T) {
	h := visit(t)
	x := h.open(1280, 800)
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(watcher).Do(ctx)
		return err
	}))
	x.visit("")
	x.sees("#login-form")
	x.picture("login")
	x.mustBeQuiet("the login page")
	x.logIn("alice")

	x.sees(".jp-LauncherCard[data-category=Notebook]")
	if at := x.at(); !strings.HasPrefix(at, "user/alice/lab") {
		t.Errorf("JupyterLab is at %s", at)
	}
	told := eval[string](x, "sessionStorage.getItem('told') || ''")
	for _, want := range []string{"systemd", "jupyter-alice.service", "answer"} {
		if !strings.Contains(told, want) {
			t.Errorf("while her server started, alice did not read %q but\n%s", want, told)
		}
	}
	x.picture("launcher")

	x.writesCell("import os; print('cell of uid', os.getuid(), 6 * 7)")
	if out, want := x.text(".jp-OutputArea-output pre"), "cell of uid "+h.run("id", "--user", "alice")+" 42"; out != want {
		t.Errorf("the cell prints %q, want %q", out, want)
	}
	x.picture("notebook")

	x.worksThroughReload()
}

// writesCell opens a new notebook, and writes and runs its first cell.
func (x *tab) writesCell(code string) {
	x.t.Helper()
	x.clicks(".jp-LauncherCard[data-category=Notebook]")
	x.sees(".jp-Notebook .jp-Cell .cm-content")
	x.clicks(".jp-Notebook .jp-Cell .cm-content")
	x.becomes(`document.activeElement.matches(".jp-Notebook .cm-content")`)
	x.do(input.InsertText(code))
	x.runFirstCell()
}

// worksThroughReload upgrades the proxy while the notebook is open, and goes on with the next cell, over the same WebSockets.
func (x *tab) worksThroughReload() {
	x.t.Helper()
	open := x.openSockets()
	x.h.run("systemctl", "reload", "jupyterhub-proxy")
	x.clicks(".jp-Notebook .jp-Cell:last-child .cm-content")
	x.do(input.InsertText("print(6 * 8)"), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(input.ModifierShift)))
	x.becomes(`[...document.querySelectorAll(".jp-OutputArea-output pre")].some((out) => out.textContent.trim() == "48")`)
	now := x.openSockets()
	maps.DeleteFunc(open, func(id network.RequestID, _ bool) bool { return now[id] })
	if len(now) == 0 || len(open) > 0 {
		x.t.Errorf("of the notebook's WebSockets %d were closed by a reload of the proxy, %d are open", len(open), len(now))
	}
}

// runFirstCell presses Shift and Enter in the first cell until there is output: JupyterLab does nothing without a word while
// it is still connecting to the kernel.
func (x *tab) runFirstCell() {
	x.t.Helper()
	for began := time.Now(); time.Since(began) < patience; {
		x.clicks(".jp-Notebook .jp-Cell .cm-content")
		x.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(input.ModifierShift)))
		if x.becomesWithin(5*time.Second, `document.querySelector(".jp-OutputArea-output pre")`) {
			return
		}
	}
	x.picture("stuck")
	x.t.Fatalf("the cell has no output\n%s", x.text("body"))
}

// Alice's server may run for ten minutes. She works in JupyterLab and looks at nothing else: there she is told to save her work. Her
// JupyterLab is the unmodified one; what tells her was installed beside it, and stays where she has no extensions of her own.
func TestJupyterLabSaysWhenTheTimeIsOver(t *testing.T) {
	h := visit(t)
	h.configure("[spawner.user.alice]\nruntime_max = \"10m\"\n")
	x := h.open(1280, 800)
	x.visit("")
	x.logIn("alice")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	x.becomes(`[...document.querySelectorAll(".Toastify__toast")].some((toast) => /over in [0-9]+ minutes.*Save your work/.test(toast.textContent))`)
	x.picture("time-left")
}

// Vulnerability: a session that was ended goes on (GHSA-cw7p, CVE-2021-41247: with several tabs). Attack: what the other tab has open, and what the
// browser held. Verified: alice logs out in one tab while a notebook is open in another: within seconds its connections are cut, and nothing that
// the browser held opens her server again.
func TestLogoutClosesWhatIsOpen(t *testing.T) {
	h := visit(t)
	x := h.open(1280, 800)
	x.visit("")
	x.logIn("alice")
	x.clicks(".jp-LauncherCard[data-category=Notebook]")
	x.sees(".jp-Notebook .jp-Cell .cm-content")
	x.awaitSockets(patience, func(open int) bool { return open > 0 })
	held := x.cookies("user/alice/api/kernels")
	if status := h.status("user/alice/api/kernels", held); status != 200 {
		t.Fatalf("with the cookies of the open notebook her server answers %d", status)
	}

	other := x.another()
	other.visit("hub/home")
	other.presses("#logout")
	out := time.Now()
	x.awaitSockets(patience, func(open int) bool { return open == 0 })
	if took := time.Since(out); took > 5*time.Second {
		t.Errorf("the WebSockets were open for %s", took)
	}
	if status := h.status("user/alice/api/kernels", held); status == 200 {
		t.Error("the cookies of before open her server")
	}
	other.visit("user/alice/lab")
	other.sees("#login-form")
}
