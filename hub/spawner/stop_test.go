package spawner_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// The order is JupyterHub's: no visitor meets a server that is half gone, and what it was known by opens nothing later.
func TestStop(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StopDelay: 5 * time.Second})
		h.run(alice)
		h.identify(alice)
		if live, err := h.Stop(t.Context(), alice); err != nil || live.State != hub.Stopping {
			t.Fatalf("%s, %v", live.State, err)
		}
		h.routed()
		if !h.alive(alice) || h.tokens("alice") != 1 {
			t.Error("the route goes first")
		}
		if _, err := h.Start(t.Context(), alice, "", nil); hub.KindOf(err) != hub.Conflict {
			t.Errorf("a start meanwhile: %v", err)
		}
		if _, err := h.Watch(t.Context(), alice); hub.KindOf(err) != hub.Invalid {
			t.Errorf("progress meanwhile: %v", err)
		}
		sleep(time.Second)
		h.is(alice, hub.Stopping)
		if live, err := h.Wait(t.Context(), alice); err != nil || live.State != hub.Stopped || !live.Started.IsZero() || live.Wanted {
			t.Fatalf("%+v, %v", live, err)
		}
		if h.alive(alice) || h.tokens("alice") != 0 {
			t.Error("something is left")
		}
		if _, err := h.client("jupyterhub-user-alice"); hub.KindOf(err) != hub.NotFound {
			t.Errorf("the OAuth client: %v", err)
		}
		if live, err := h.Stop(t.Context(), alice); err != nil || live.State != hub.Stopped {
			t.Errorf("stopping it again: %s, %v", live.State, err)
		}
	})
}

// identify lets a server's unit fetch its identity, as PID 1 does.
func (h *house) identify(ref hub.ServerRef) credential.Environment {
	h.t.Helper()
	u, err := h.machine.Unit(ref)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := h.Credential(h.t.Context(), u.Name, credential.Name)
	if err != nil {
		h.t.Fatal(err)
	}
	env, err := credential.Decode(b)
	if err != nil {
		h.t.Fatal(err)
	}
	return env
}

func (h *house) client(id string) (c hub.Client, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		c, err = tx.Client(id)
		return err
	})
	return c, err
}

func TestServerThatEndsByItself(t *testing.T) {
	for _, c := range []struct {
		cause *hub.Cause
		want  hub.State
	}{
		{nil, hub.Stopped},
		{&hub.Cause{Kind: hub.CauseOutOfMemory, Message: "It used more memory than it may."}, hub.Failed},
	} {
		play(t, func(t *testing.T, h *house) {
			h.run(alice)
			h.identify(alice)
			h.machine.Die(alice, c.cause)
			h.is(alice, c.want)
			h.routed()
			if r := h.record(alice); r.Wanted || !r.Started.IsZero() || (r.Failure == nil) != (c.cause == nil) || h.tokens("alice") != 0 {
				t.Errorf("left is %+v", r)
			}
			if slices.Contains(h.machine.Calls(), "stop alice/") {
				t.Error("stopped what was gone")
			}
			h.run(alice)
			if h.record(alice).Failure != nil {
				t.Error("the failure outlives the next start")
			}
		})
	}
}

func TestStopWhileNobodyAnswers(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		h.machine.Crash()
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		sleep(30 * time.Second)
		h.is(alice, hub.Stopping)
		h.machine.Return()
		sleep(5 * time.Second)
		h.is(alice, hub.Stopped)
	})
}

// A unit that systemd does not get rid of is told, and nobody waits for it for good.
func TestStopThatHangs(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StopDelay: time.Hour})
		h.run(alice)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		sleep(3 * time.Minute)
		h.is(alice, hub.Failed)
	})
}

// The hub is killed while a server is stopped: the wish is gone already, so the next one sees the rest off.
func TestHubRestartDuringAStop(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StopDelay: time.Hour})
		h.run(alice)
		h.identify(alice)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		sleep(time.Second)
		h.stop()
		h.machine.Script(alice, spawnertest.Script{})
		h.open()
		h.is(alice, hub.Stopped)
		sleep(61 * time.Second)
		if h.alive(alice) || h.tokens("alice") != 0 {
			t.Error("it goes on")
		}
	})
}

func TestRemove(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(aliceLab)
		h.identify(aliceLab)
		if err := h.Remove(t.Context(), aliceLab); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Server(aliceLab); hub.KindOf(err) != hub.NotFound || h.alive(aliceLab) || h.tokens("alice") != 0 {
			t.Errorf("left of it: %v", err)
		}
		if err := h.Remove(t.Context(), aliceLab); hub.KindOf(err) != hub.NotFound {
			t.Errorf("again: %v", err)
		}
		if err := h.Remove(t.Context(), alice); hub.KindOf(err) != hub.Invalid {
			t.Errorf("the default server: %v", err)
		}
		if _, err := h.Create(aliceLab, ""); err != nil {
			t.Fatal(err)
		}
		if err := h.Remove(t.Context(), aliceLab); err != nil {
			t.Errorf("a stopped one: %v", err)
		}
	})
}

// Whoever waits for a removal may leave; it goes on.
func TestRemoveGoesOnAlone(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(aliceLab, spawnertest.Script{StopDelay: 20 * time.Second})
		h.run(aliceLab)
		ctx, done := context.WithTimeout(t.Context(), 10*time.Second)
		defer done()
		if err := h.Remove(ctx, aliceLab); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answered %v", err)
		}
		sleep(11 * time.Second)
		if _, err := h.Server(aliceLab); hub.KindOf(err) != hub.NotFound {
			t.Errorf("left of it: %v", err)
		}
	})
}

func TestStopAllAndActive(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice, aliceLab, bob)
		if got := h.Active(); len(got) != 3 || got[0].ServerRef != alice || got[1].ServerRef != aliceLab || got[0].Started.IsZero() {
			t.Errorf("active is %+v", got)
		}
		if used, err := h.Usage(t.Context()); err != nil || used[bob].Memory == 0 || len(used) != 3 {
			t.Errorf("usage is %+v, %v", used, err)
		}
		if err := h.Evict(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
		if got := h.Active(); len(got) != 1 || got[0].ServerRef != bob {
			t.Errorf("after alice was evicted, active is %+v", got)
		}
		h.run(alice, aliceLab)
		if n, err := h.StopAll(t.Context()); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		synctest.Wait()
		if got := h.Active(); len(got) != 0 {
			t.Errorf("active is %+v", got)
		}
		h.routed()
	})
}
