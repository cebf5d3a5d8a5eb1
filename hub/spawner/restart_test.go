package spawner_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

// A restart is a stop and a start with the same options; who waits for it waits for both.
func TestRestart(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		if _, err := h.Start(t.Context(), alice, "gpu", json.RawMessage(`{"count":"2"}`)); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Running)
		before, _ := h.machine.Unit(alice)
		h.machine.Script(alice, spawnertest.Script{StopDelay: time.Second, StartDelay: time.Second})
		if err := h.Restart(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Stopping)
		if live, err := h.Wait(t.Context(), alice); err != nil || live.State != hub.Running || live.Unit.Invocation == before.Invocation ||
			live.Profile != "gpu" || string(live.Options) != `{"count":"2"}` {
			t.Errorf("it is %+v, %v", live, err)
		}
		if calls := h.machine.Calls(); !slices.Equal(calls, []string{"start alice/", "stop alice/", "start alice/"}) {
			t.Errorf("asked for was %q", calls)
		}
		h.routed("/user/alice/")
	})
}

// Who stops a server while it is restarted has the last word; one that does not run is not restarted.
func TestAStopEndsARestart(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		if err := h.Restart(t.Context(), alice); hub.KindOf(err) != hub.NotRunning {
			t.Errorf("answered %v", err)
		}
		h.machine.Script(alice, spawnertest.Script{StopDelay: time.Second})
		h.run(alice)
		if err := h.Restart(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		sleep(2 * time.Second)
		h.is(alice, hub.Stopped)
		h.nothingIsLeft(t, []hub.ServerRef{alice})
	})
}
