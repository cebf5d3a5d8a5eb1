package browser

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// unified returns a machine of its own for one play, where servers can be frozen.
func unified(t *testing.T) *house {
	t.Helper()
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{Unified: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	bed.Watch(t)
	return settle(t, bed)
}

// refused counts the requests of a page that were answered with a status, by path.
type refused struct {
	mu    sync.Mutex // guards paths
	paths map[string]int
}

// refusals counts from now on what a tab is refused with a status.
func (x *tab) refusals(status int64) *refused {
	r := &refused{paths: map[string]int{}}
	chromedp.ListenTarget(x.ctx, func(event any) {
		if e, ok := event.(*network.EventResponseReceived); ok && e.Response.Status == status {
			path, _, _ := strings.Cut(strings.TrimPrefix(e.Response.URL, x.h.url), "?")
			r.mu.Lock()
			defer r.mu.Unlock()
			r.paths[path]++
		}
	})
	return r
}

func (r *refused) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.paths)
}

// server asks the hub for a server, with the state that it is in.
func (h *house) server(ref hub.ServerRef) (state hub.State, active time.Time) {
	h.t.Helper()
	s, err := h.hub.Server(h.t.Context(), ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return hub.State(s.State.Value.State), s.LastActivity.Time
}

// notebook puts a notebook of one cell into alice's home.
func (h *house) notebook(name, cell string) {
	h.t.Helper()
	const form = `{"cells": [{"cell_type": "code", "execution_count": null, "id": "one", "metadata": {}, "outputs": [], "source": %q}],
"metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}`
	path := "/home/alice/" + name + ".ipynb"
	if err := h.WriteFile(h.t.Context(), path, fmt.Sprintf(form, cell), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.run("chown", "alice:", path)
}

// Alice's notebook stands open and visible on her desk, its kernel idle, and she is away. JupyterLab goes on to ask for kernels,
// sessions, terminals and files every ten seconds, and its server reports every second what it takes for activity: the server falls
// asleep, and her page neither wakes it nor says a word. She comes back, moves the mouse, and goes on where she was. As long as
// she is there and only reads, it stays awake.
func TestATabThatStandsOpenIsNobodyAtWork(t *testing.T) {
	h := unified(t)
	const after = 11 * time.Second // longer than the page rests between two questions
	h.configure(fmt.Sprintf("[spawner]\nsleep_after = %q\nbusy_cpu = 0.9\ncmd = [\"env\", \"JUPYTERHUB_ACTIVITY_INTERVAL=1\", %q]\n", after, testbed.SingleUser()))
	alice := hub.ServerRef{User: "alice"}
	is := func(want hub.State) func() bool {
		return func() bool { state, _ := h.server(alice); return state == want }
	}
	x := h.open(1280, 800)
	asleep := x.refusals(http.StatusConflict)
	h.notebook("kept", "x = 42; print('kept')")
	if _, err := h.hub.StartServer(t.Context(), alice, client.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	h.ready(alice)
	x.visit("user/alice/lab/tree/kept.ipynb")
	x.logIn("alice")
	x.sees(".jp-Notebook .jp-Cell .cm-content")
	x.runFirstCell()
	x.do(chromedp.KeyEvent("s", chromedp.KeyModifiers(input.ModifierCtrl)))
	x.becomes(`!document.querySelector(".jp-mod-dirty")`)

	h.eventually("it sleeps", is(hub.Frozen))
	h.eventually("the page has asked on", func() bool {
		told := asleep.all()
		return strings.Contains(told, "user/alice/api/kernels:") && strings.Contains(told, "user/alice/api/sessions:") &&
			strings.Contains(told, "user/alice/api/terminals:") && strings.Contains(told, "user/alice/api/contents")
	})
	if state, _ := h.server(alice); state != hub.Frozen {
		t.Fatalf("while its page asked %s, it became %s", asleep.all(), state)
	}
	if words := x.text("body"); eval[bool](x, `Boolean(document.querySelector(".jp-Dialog"))`) || strings.Contains(words, "sleep") {
		t.Errorf("JupyterLab says %q", words)
	}
	x.picture("asleep")

	hand := 0
	moves := func() {
		hand++
		x.do(input.DispatchMouseEvent(input.MouseMoved, 600+float64(hand%9)*10, 500))
	}
	h.eventually("her hand wakes it", func() bool { moves(); return is(hub.Running)() })
	x.clicks(".jp-Notebook .jp-Cell:last-child .cm-content")
	x.do(input.InsertText("print('still', x)"), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(input.ModifierShift)))
	x.becomes(`[...document.querySelectorAll(".jp-OutputArea-output pre")].some((out) => out.textContent.trim() == "still 42")`)

	began := time.Now()
	h.eventually("she has read for long", func() bool {
		x.keys(kb.ArrowUp)
		state, active := h.server(alice)
		if state != hub.Running {
			t.Fatalf("while she reads, her server becomes %s", state)
		}
		return active.Sub(began) > after
	})
}
