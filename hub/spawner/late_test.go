package spawner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

// A start failed, and alice tries again at once. What Watch tells late of the first unit is no news of the second.
func TestLateNewsOfAFormerUnit(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second})
		h.start(alice)
		synctest.Wait()
		former := hub.Unit{ServerRef: alice, Name: "jupyter-alice.service", Invocation: "f0", State: hub.UnitActivating}
		h.machine.Say(former)
		synctest.Wait()
		former.State, former.Cause = hub.UnitFailed, &hub.Cause{Kind: hub.CauseExited, Message: "It ended at once."}
		h.machine.Say(former)
		h.is(alice, hub.Starting)
		sleep(time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}

// The same, and alice cancels: the second unit does not stay because the first one is gone.
func TestLateNewsWhileAStartIsCancelled(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second})
		h.start(alice)
		synctest.Wait()
		for _, state := range []hub.UnitState{hub.UnitActivating, hub.UnitFailed} {
			h.machine.Say(hub.Unit{ServerRef: alice, Name: "jupyter-alice.service", Invocation: "f0", State: state})
			synctest.Wait()
		}
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Stopped)
		if h.alive(alice) {
			t.Error("the unit goes on")
		}
	})
}

// A unit's end that is told before Start has answered ends the start all the same, and at once.
func TestDeathToldBeforeTheAnswer(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		killed := &hub.Cause{Kind: hub.CauseOutOfMemory, Message: "It used more memory than it may."}
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second, Refuse: &hub.Error{Kind: hub.Unknown, Cause: killed}})
		h.start(alice)
		synctest.Wait()
		u, err := h.machine.Unit(alice)
		if err != nil {
			t.Fatal(err)
		}
		u.State, u.Cause = hub.UnitFailed, killed
		h.machine.Say(u)
		sleep(time.Second)
		h.is(alice, hub.Failed)
		if live, err := h.Wait(t.Context(), alice); err == nil || live.Failure.Kind != hub.CauseOutOfMemory {
			t.Errorf("%+v, %v", live.Failure, err)
		}
	})
}
