package spawner_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
)

// fallsAsleep runs alice's server until it is being laid to sleep, which takes a second.
func (h *house) fallsAsleep() {
	h.t.Helper()
	h.machine.Script(alice, spawnertest.Script{FreezeDelay: time.Second})
	h.drowsy()
	h.run(alice)
	for h.state(alice) != hub.Freezing {
		sleep(100 * time.Millisecond)
	}
}

// mustWake checks that whoever comes is served: the proxy asks, and the server runs.
func (h *house) mustWake() {
	h.t.Helper()
	if h.waking() == "" {
		h.t.Fatal("the proxy does not know that the server sleeps")
	}
	if err := h.wake(alice); err != nil {
		h.t.Fatal(err)
	}
	h.is(alice, hub.Running)
	if h.frozen(alice) || h.waking() != "" {
		h.t.Errorf("frozen is %t, and the proxy asks for %q", h.frozen(alice), h.waking())
	}
}

// Root's side is killed when it has frozen the unit and not said so. When it is back the server is known to sleep, and wakes.
func TestRootsSideDiesWhileAServerFallsAsleep(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.fallsAsleep()
		h.machine.Crash()
		sleep(5 * time.Second)
		if !h.frozen(alice) {
			t.Fatal("it is not frozen")
		}
		h.machine.Return()
		sleep(5 * time.Second)
		h.is(alice, hub.Frozen)
		h.mustWake()
	})
}

// The hub is killed after the proxy was told and before the unit is frozen, or before it heard that it is. The next hub makes the
// route right either way.
func TestTheHubDiesWhileAServerFallsAsleep(t *testing.T) {
	for name, frozen := range map[string]bool{"before it is frozen": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.fallsAsleep()
				h.stop()
				if h.waking() == "" {
					t.Fatal("the proxy was not told")
				}
				if frozen {
					if _, err := h.machine.Freeze(t.Context(), alice); err != nil {
						t.Fatal(err)
					}
				}
				h.open()
				sleep(time.Second)
				if frozen {
					h.is(alice, hub.Frozen)
					h.mustWake()
					return
				}
				h.is(alice, hub.Running)
				if h.waking() != "" {
					t.Error("the proxy goes on asking for a server that is awake")
				}
			})
		})
	}
}

// A hundred people come at once to a server that sleeps: it is woken once, and all of them are served.
func TestAStormWakesOnce(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{FreezeDelay: 100 * time.Millisecond})
		h.asleep()
		woken, key := make(chan error), h.keyOf(alice)
		for range 100 {
			go func() { woken <- h.Wake(t.Context(), alice, key) }()
		}
		for range 100 {
			if err := <-woken; err != nil {
				t.Error(err)
			}
		}
		h.is(alice, hub.Running)
		if thaws := strings.Count(strings.Join(h.machine.Calls(), "\n"), "thaw"); thaws != 1 {
			t.Errorf("thawed %d times", thaws)
		}
	})
}

// lateVisitor is a proxy at which somebody comes just before it takes in that a server sleeps.
type lateVisitor struct{ spawner.Router }

func (v lateVisitor) Add(ctx context.Context, r hub.Route) error {
	if r.Wake != "" {
		r.LastActivity = time.Now()
	}
	return v.Router.Add(ctx, r)
}

// Somebody comes between the last look at the proxy and its being told: their server is not frozen at all.
func TestWhoComesInTheLastMomentIsServed(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.run(alice)
		for range 100 {
			sleep(time.Minute)
			if h.frozen(alice) || h.state(alice) == hub.Frozen {
				t.Fatal("the server sleeps")
			}
		}
		h.is(alice, hub.Running)
		if h.waking() != "" {
			t.Error("the proxy goes on asking")
		}
		if strings.Contains(strings.Join(h.machine.Calls(), "\n"), "freeze") {
			t.Error("it was frozen for a moment")
		}
	}, func(h *house) { h.options.Router = lateVisitor{h.router} })
}

// A server of alice's starts while another one is laid to sleep, and one is woken while another starts: neither hinders the other.
func TestSleepAndStartOfOneUser(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(aliceLab, spawnertest.Script{StartDelay: 3 * time.Second})
		h.fallsAsleep()
		h.start(aliceLab)
		sleep(2 * time.Second)
		h.is(alice, hub.Frozen)
		h.is(aliceLab, hub.Starting)
		if err := h.wake(alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Running)
		sleep(2 * time.Second)
		h.is(aliceLab, hub.Running)
	})
}

// systemctl stops the unit while it is being laid to sleep, sleeps, or is being woken: nobody waits for it for ever.
func TestAUnitThatEndsAroundItsSleep(t *testing.T) {
	for name, until := range map[string]hub.State{"falling asleep": hub.Freezing, "asleep": hub.Frozen, "waking up": hub.Thawing} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.fallsAsleep()
				if until != hub.Freezing {
					sleep(2 * time.Second)
				}
				woken, key := make(chan error, 1), h.keyOf(alice)
				if until == hub.Thawing {
					go func() { woken <- h.Wake(t.Context(), alice, key) }()
					synctest.Wait()
				}
				h.is(alice, until)
				h.machine.Die(alice, nil)
				sleep(5 * time.Second)
				h.is(alice, hub.Stopped)
				h.nothingIsLeft(t, []hub.ServerRef{alice})
				if until == hub.Thawing {
					if err := <-woken; hub.KindOf(err) != hub.NotRunning {
						t.Errorf("who waits is told %v", err)
					}
				}
			})
		})
	}
}
