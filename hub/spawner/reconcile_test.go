package spawner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

func running(ref hub.ServerRef) hub.Unit {
	return hub.Unit{
		ServerRef: ref, Name: hub.UnitName(ref), UID: 1005, Socket: "/run/jupyter/0123456789abcdef/s",
		State: hub.UnitActive, Listening: true, Invocation: "00000000000000000000000000000abc",
	}
}

func withState(u hub.Unit, s hub.UnitState, cause *hub.Cause) hub.Unit {
	u.State, u.Listening, u.Cause = s, false, cause
	return u
}

// What becomes of wishes and units when a hub starts.
func TestReconcileTable(t *testing.T) {
	oom := &hub.Cause{Kind: hub.CauseOutOfMemory, Message: "The server used more memory than it may."}
	for _, c := range []struct {
		name    string
		wish    bool
		boot    string // in which the wish was made; now is boot-0
		profile string
		unit    *hub.Unit
		at0     hub.State // at once
		at61    hub.State // a minute later
		cause   hub.CauseKind
		routed  bool
		alive   bool // the unit, after the minute
	}{
		{name: "wish and unit", wish: true, boot: "boot-0", unit: ptr(running(alice)), at0: hub.Running, at61: hub.Running, routed: true, alive: true},
		{name: "wish without unit, same boot", wish: true, boot: "boot-0", at0: hub.Failed, at61: hub.Failed, cause: hub.CauseVanished},
		{name: "wish and a unit that failed, same boot", wish: true, boot: "boot-0", unit: ptr(withState(running(alice), hub.UnitFailed, oom)),
			at0: hub.Failed, at61: hub.Failed, cause: hub.CauseOutOfMemory},
		{name: "wish without unit, new boot", wish: true, boot: "boot-former", at0: hub.Stopped, at61: hub.Stopped},
		{name: "wish without unit, new boot, profile that starts at boot", wish: true, boot: "boot-former", profile: "always",
			at0: hub.Running, at61: hub.Running, routed: true, alive: true},
		{name: "wish without unit, new boot, profile that does not", wish: true, boot: "boot-former", profile: "gpu", at0: hub.Stopped, at61: hub.Stopped},
		{name: "wish that was never sent anywhere", wish: true, boot: "", at0: hub.Stopped, at61: hub.Stopped},
		{name: "ours without wish", unit: ptr(running(alice)), at0: hub.Stopped, at61: hub.Stopped},
		{name: "ours without wish that ended badly", unit: ptr(withState(running(alice), hub.UnitFailed, oom)), at0: hub.Stopped, at61: hub.Stopped},
		{name: "neither", at0: hub.Stopped, at61: hub.Stopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t)
				defer h.close()
				h.options.Policy.StartAtBoot = []string{"always"}
				if c.wish {
					h.wish(hub.Server{ServerRef: alice, BootID: c.boot, Profile: c.profile})
				}
				if c.unit != nil {
					h.machine.Plant(*c.unit)
				}
				h.open()
				h.is(alice, c.at0)
				if c.unit != nil && c.unit.State.Alive() && !h.alive(alice) {
					t.Error("the unit was stopped at once")
				}
				sleep(61 * time.Second)
				h.is(alice, c.at61)
				if got := h.alive(alice); got != c.alive {
					t.Errorf("after a minute the unit is alive: %t", got)
				}
				if c.routed {
					h.routed("/user/alice/")
				} else {
					h.routed()
				}
				live, err := h.Server(alice)
				if err != nil {
					t.Fatal(err)
				}
				if (live.Failure != nil) != (c.cause != "") || c.cause != "" && live.Failure.Kind != c.cause {
					t.Errorf("the failure is %+v, want %q", live.Failure, c.cause)
				}
			})
		})
	}
}

func ptr[T any](v T) *T { return &v }

// A start at boot leaves a wish of this boot behind, so that the next hub of this boot does not take it for an old one.
func TestRevivedServerIsWishedInThisBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		defer h.close()
		h.options.Policy.StartAtBoot = []string{"always"}
		h.wish(hub.Server{ServerRef: alice, BootID: "boot-former", Profile: "always"})
		h.open()
		h.is(alice, hub.Running)
		if r := h.record(alice); r.BootID != "boot-0" || r.Profile != "always" {
			t.Errorf("the wish is %+v", r)
		}
	})
}

// The hub is killed and started again: servers, and what visitors reach of them, do not notice.
func TestHubRestartTouchesNoServer(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice, bob)
		before := len(h.router.Edits())
		h.stop()
		if !h.alive(alice) || !h.alive(bob) {
			t.Fatal("the hub's end stopped a server")
		}
		h.open()
		h.is(alice, hub.Running)
		h.is(bob, hub.Running)
		if edits := h.router.Edits()[before:]; len(edits) > 0 {
			t.Errorf("edited the routes: %q", edits)
		}
		for _, call := range h.machine.Calls()[2:] {
			t.Errorf("asked for %q", call)
		}
	})
}

// A server that runs and is too busy to answer is somebody's work: it stays.
func TestBusyServerIsAdopted(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		h.stop()
		h.probe = never
		h.open()
		h.is(alice, hub.Starting)
		h.routed("/user/alice/")
		sleep(31 * time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}

// The hub is killed while a server starts: the next one goes on with it.
func TestServerThatWasStartingIsAdopted(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{ListenDelay: 20 * time.Second})
		h.start(alice)
		sleep(5 * time.Second)
		h.stop()
		h.open()
		h.is(alice, hub.Starting)
		h.routed()
		sleep(16 * time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}

func TestSpawnerThatCrashesTouchesNoServer(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		h.machine.Crash()
		sleep(time.Hour)
		h.is(alice, hub.Running)
		h.machine.Return()
		sleep(11 * time.Second)
		h.is(alice, hub.Running)
		if calls := h.machine.Calls(); len(calls) != 1 {
			t.Errorf("asked for %q", calls)
		}
	})
}

// What happened while nobody looked is found in the next inventory.
func TestServersThatEndUnseen(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice, bob)
		h.machine.Crash()
		synctest.Wait()
		h.machine.Die(alice, nil)
		h.machine.Die(bob, &hub.Cause{Kind: hub.CauseSignal, Message: "Killed.", Signal: "SIGKILL"})
		h.machine.Return()
		sleep(11 * time.Second)
		h.is(alice, hub.Failed)
		h.is(bob, hub.Failed)
		h.routed()
		if got := h.record(alice).Failure.Kind; got != hub.CauseVanished {
			t.Errorf("alice's cause is %q", got)
		}
		if got := h.record(bob).Failure.Signal; got != "SIGKILL" {
			t.Errorf("bob's cause is %q", got)
		}
	})
}

// The spawner dies after it has asked systemd and before it has answered the hub.
func TestStartWhoseAnswerIsLost(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: 2 * time.Second})
		h.start(alice)
		sleep(time.Second)
		h.machine.Crash()
		sleep(3 * time.Second)
		h.is(alice, hub.Starting)
		h.machine.Return()
		sleep(11 * time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}

func TestStartWhileNobodyAnswers(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Crash()
		h.start(alice)
		sleep(20 * time.Second)
		h.is(alice, hub.Starting)
		h.machine.Return()
		sleep(11 * time.Second)
		h.is(alice, hub.Running)
	})
}

func TestMachineShutdownIsNoFailure(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.options.Policy.StartAtBoot = []string{"always"}
		h.SetPolicy(h.options.Policy)
		if _, err := h.Start(t.Context(), alice, "always", options(t, map[string]string{})); err != nil {
			t.Fatal(err)
		}
		h.run(bob)
		h.is(alice, hub.Running)
		for _, ref := range []hub.ServerRef{alice, bob} {
			h.machine.Die(ref, &hub.Cause{Kind: hub.CauseShutdown, Message: "The machine was shut down."})
		}
		h.is(alice, hub.Stopped)
		h.is(bob, hub.Stopped)
		h.stop()
		h.machine.Reboot()
		h.open()
		h.is(alice, hub.Running)
		h.is(bob, hub.Stopped)
		if r := h.record(bob); r.Wanted || r.Failure != nil {
			t.Errorf("bob's record is %+v", r)
		}
	})
}

// Nobody wishes the server, and within the grace somebody does: the old unit's identity is not ours, so it makes way.
func TestStartWhileAStrayRuns(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Plant(running(alice))
		sleep(10 * time.Second)
		h.run(alice)
		u, _ := h.machine.Unit(alice)
		if u.Invocation == running(alice).Invocation {
			t.Error("the stray was taken for alice's server")
		}
		sleep(2 * time.Minute)
		h.is(alice, hub.Running)
	})
}

func TestRestartBySystemd(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{ListenDelay: 2 * time.Second})
		h.run(alice)
		h.machine.Restart(alice)
		h.is(alice, hub.Starting)
		h.routed()
		sleep(3 * time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}
