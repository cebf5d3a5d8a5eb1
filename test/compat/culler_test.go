package compat

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// answersAtOnce is the probe of servers that are not there.
func answersAtOnce(context.Context, hub.Unit, string) (string, error) { return "6.1.1", nil }

// cull runs jupyterhub-idle-culler until the house is as awaited, then stops it.
func cull(t *testing.T, h *house, done func() bool, flags ...string) {
	t.Helper()
	program := needs(t, "idle-culler-2.0.0", "jupyterhub-idle-culler")
	h.update(func(tx *store.Tx) error { return tx.PutService(hub.Service{Name: "culler", Roles: []string{"culler"}}) })
	out := new(spoken)
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--url=" + h.url + "/hub/api", "--timeout=3600", "--cull-every=600"}, flags...)...)
	cmd.Env = []string{"JUPYTERHUB_API_TOKEN=" + h.token("service/culler", "inherit"), "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("the culler says:\n%s", out)
		}
	}()
	deadline := time.After(time.Minute)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-deadline:
			t.Error("the culler did not do it within a minute")
			return
		}
	}
}

// long is a house in which everybody's server was last used two hours ago.
func long(t *testing.T) (*house, *spawnertest.Fake) {
	machine := spawnertest.NewFake()
	return newHouse(t, machine, spawnertest.NewRouter(), func() time.Time { return time.Now().Add(-2 * time.Hour) }, answersAtOnce), machine
}

func (h *house) state(ref hub.ServerRef) hub.State {
	h.t.Helper()
	live, err := h.manager.Server(ref)
	if err != nil {
		return ""
	}
	return live.State
}

// The culler stops whose server is idle and leaves whose is busy.
func TestPythonCullerStopsTheIdle(t *testing.T) {
	h, _ := long(t)
	idle, busy, named := hub.ServerRef{User: "alice"}, hub.ServerRef{User: "bob"}, hub.ServerRef{User: "alice", Server: "gpu"}
	if _, err := h.manager.Create(named, ""); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []hub.ServerRef{idle, busy, named} {
		h.start(ref)
	}
	h.store.Touch(busy, time.Now())
	cull(t, h, func() bool { return h.state(idle) == hub.Stopped && h.state(named) == "" }, "--remove-named-servers=True")
	if got := h.state(busy); got != hub.Running {
		t.Errorf("bob's server is %s", got)
	}
}

// More servers than fit on ten pages: the culler follows our next links.
func TestPythonCullerFollowsPages(t *testing.T) {
	h, machine := long(t)
	var refs []hub.ServerRef
	h.update(func(tx *store.Tx) error {
		for i := range 520 {
			name := fmt.Sprintf("student%03d", i)
			refs = append(refs, hub.ServerRef{User: name})
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, ref := range refs {
		h.start(ref)
	}
	cull(t, h, func() bool { return len(h.manager.Active()) == 0 })
	if t.Failed() {
		t.Logf("%d servers run on, the machine was asked %d times", len(h.manager.Active()), len(machine.Calls()))
	}
}

// A server that takes long to stop answers 202, which the culler understands; users who were active once, and are not any
// more, go when it is told to remove them.
func TestPythonCullerRemovesUsers(t *testing.T) {
	h, machine := long(t)
	slow := hub.ServerRef{User: "mallory"}
	machine.Script(slow, spawnertest.Script{StopDelay: 200 * time.Millisecond})
	h.start(slow)
	h.store.TouchUser("bob", time.Now())
	cull(t, h, func() bool { return !h.knows("mallory") }, "--cull-users=True")
	for _, name := range []string{"admin", "alice", "bob"} { // never active, never active, active just now
		if !h.knows(name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func (h *house) knows(user string) bool {
	return h.store.View(func(tx *store.Tx) error { _, err := tx.User(user); return err }) == nil
}
