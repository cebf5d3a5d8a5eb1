package spawner_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
)

// drowsy lets servers sleep after half an hour without activity.
func (h *house) drowsy() {
	h.limits(func(p *spawner.Policy) { p.SleepAfter = map[string]time.Duration{"": 30 * time.Minute} })
}

// asleep runs alice's server until it sleeps.
func (h *house) asleep() {
	h.t.Helper()
	h.drowsy()
	h.run(alice)
	sleep(32 * time.Minute)
	h.is(alice, hub.Frozen)
}

// waking is what the proxy was told to ask of the hub, by route.
func (h *house) waking() string {
	h.t.Helper()
	synctest.Wait()
	routes, err := h.router.Routes(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	var told []string
	for _, r := range routes {
		if r.Wake != "" {
			path, _, _ := strings.Cut(r.Wake, "?key=")
			told = append(told, path)
		}
	}
	return strings.Join(told, " ")
}

// wake does what the proxy does when somebody comes.
func (h *house) wake(ref hub.ServerRef) error {
	h.key = h.keyOf(ref)
	return h.Wake(h.t.Context(), ref, h.key)
}

// keyOf is the key that the proxy has for a server that sleeps.
func (h *house) keyOf(ref hub.ServerRef) string {
	h.t.Helper()
	routes, err := h.router.Routes(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range routes {
		if _, key, ok := strings.Cut(r.Wake, "?key="); ok && r.Server == ref {
			return key
		}
	}
	return ""
}

func (h *house) frozen(ref hub.ServerRef) bool {
	u, err := h.machine.Unit(ref)
	return err == nil && u.Frozen
}

// Alice goes to lunch: her server sleeps, and the first thing that she does afterwards wakes it. Nothing of it was stopped or
// started.
func TestAnIdleServerSleepsUntilSomebodyComes(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.run(alice)
		sleep(29 * time.Minute)
		h.is(alice, hub.Running)
		sleep(3 * time.Minute)
		h.is(alice, hub.Frozen)
		if !h.frozen(alice) || h.waking() != "/hub/api/users/alice/server/wake" {
			t.Errorf("frozen is %t, and the proxy asks for %q", h.frozen(alice), h.waking())
		}
		if live, _ := h.Server(alice); !live.State.Ready() || live.State.Pending() != "" {
			t.Error("to JupyterHub's clients a server that sleeps is ready")
		}
		if err := h.wake(alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Running)
		if h.frozen(alice) || h.waking() != "" {
			t.Errorf("frozen is %t, and the proxy asks for %q", h.frozen(alice), h.waking())
		}
		if got := slices.DeleteFunc(h.machine.Calls(), func(c string) bool { return c == "start alice/" }); !slices.Equal(got, []string{"freeze alice/", "thaw alice/"}) {
			t.Errorf("asked for was %q", got)
		}
		sleep(32 * time.Minute)
		h.is(alice, hub.Frozen) // and again
	})
}

// Bob trains a network overnight with his browser closed: the kernel's processor time keeps his server awake. Alice's idles.
func TestAServerAtWorkDoesNotSleep(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.run(alice, bob)
		for worked := time.Duration(0); worked < 2*time.Hour; worked += time.Minute {
			h.machine.Work(bob, worked, 1<<30)
			h.machine.Work(alice, worked/100, 1<<30) // a server that does nothing ticks all the same
			sleep(time.Minute)
		}
		h.is(bob, hub.Running)
		h.is(alice, hub.Frozen)
		if idle := time.Since(h.record(bob).LastActivity); idle > 6*time.Minute {
			t.Errorf("bob's server looks idle for %s", idle)
		}
		if idle := time.Since(h.record(alice).LastActivity); idle < 2*time.Hour-time.Minute {
			t.Errorf("alice's server looks active %s ago", idle)
		}
	})
}

// What the proxy has seen and the hub not yet, counts.
func TestWhoComesThroughTheProxyIsNotLaidToSleep(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.run(alice)
		sleep(29 * time.Minute)
		routes, _ := h.router.Routes(t.Context())
		for _, r := range routes {
			r.LastActivity = time.Now()
			h.router.Put(r)
		}
		sleep(20 * time.Minute)
		h.is(alice, hub.Running)
		sleep(12 * time.Minute)
		h.is(alice, hub.Frozen)
	})
}

// Somebody comes just while the server is laid to sleep, or woken by somebody else: everybody waits for the same, and gets it.
func TestComingWhileItIsLaidToSleep(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{FreezeDelay: time.Second})
		h.drowsy()
		h.run(alice)
		for h.state(alice) != hub.Freezing {
			sleep(100 * time.Millisecond)
		}
		woken, key := make(chan error), h.keyOf(alice)
		for range 3 {
			go func() { woken <- h.Wake(t.Context(), alice, key) }()
		}
		for range 3 {
			if err := <-woken; err != nil {
				t.Error(err)
			}
		}
		h.is(alice, hub.Running)
		if thaws := strings.Count(strings.Join(h.machine.Calls(), "\n"), "thaw"); thaws != 1 || h.frozen(alice) {
			t.Errorf("thawed %d times, frozen is %t", thaws, h.frozen(alice))
		}
	})
}

// A server that sleeps is stopped awake, and so is one that is just being laid to sleep or woken. Nothing is left.
func TestStopOfAServerThatSleeps(t *testing.T) {
	for name, prepare := range map[string]func(*house){
		"asleep": func(h *house) { h.asleep() },
		"falling asleep": func(h *house) {
			h.drowsy()
			h.run(alice)
			h.machine.Script(alice, spawnertest.Script{FreezeDelay: time.Second})
			for h.state(alice) != hub.Freezing {
				sleep(100 * time.Millisecond)
			}
		},
		"waking up": func(h *house) {
			h.machine.Script(alice, spawnertest.Script{FreezeDelay: time.Second})
			h.asleep()
			h.key = h.keyOf(alice)
			go func() { _ = h.Wake(h.t.Context(), alice, h.key) }()
			h.is(alice, hub.Thawing)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				prepare(h)
				if _, err := h.Stop(t.Context(), alice); err != nil {
					t.Fatal(err)
				}
				sleep(5 * time.Second)
				h.is(alice, hub.Stopped)
				calls := h.machine.Calls()
				if last := calls[len(calls)-2:]; !slices.Equal(last, []string{"thaw alice/", "stop alice/"}) {
					t.Errorf("asked for was %q", calls)
				}
				h.nothingIsLeft(t, []hub.ServerRef{alice})
				if h.key != "" {
					if err := h.Wake(t.Context(), alice, h.key); hub.KindOf(err) != hub.NotRunning {
						t.Errorf("waking what is stopped says %v", err)
					}
				}
				h.run(alice)
			})
		})
	}
}

// A machine that cannot freeze stops who is idle.
func TestAMachineThatCannotFreezeStops(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{Restless: true})
		h.drowsy()
		h.run(alice)
		sleep(32 * time.Minute)
		h.is(alice, hub.Stopped)
		h.nothingIsLeft(t, []hub.ServerRef{alice})
	})
}

// The unit of a server that sleeps ends: it was killed. Its user learns why.
func TestAServerThatDiesInItsSleep(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.asleep()
		h.machine.Die(alice, &hub.Cause{Kind: hub.CauseOutOfMemory, Message: "It used too much."})
		h.is(alice, hub.Failed)
		h.routed()
	})
}

// The hub is started anew while a server sleeps: it lets it sleep, and can wake it.
func TestHubRestartWhileAServerSleeps(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.asleep()
		h.stop()
		h.open()
		h.is(alice, hub.Frozen)
		events := h.story(alice)
		if len(events) != 1 || !events[0].Ready {
			t.Errorf("who asks how it starts is told %+v", events)
		}
		if err := h.wake(alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Running)
		if h.waking() != "" {
			t.Error("the proxy goes on asking")
		}
	})
}

// An admin freezes a unit by hand: the next visit wakes it as any other.
func TestSomebodyElseFreezes(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		if _, err := h.machine.Freeze(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Frozen)
		if h.waking() == "" {
			t.Error("the proxy does not know")
		}
		if err := h.wake(alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Running)
	})
}

// While nobody answers who could wake a server, its visitor waits, and is served when somebody does.
func TestWakingWhileNobodyAnswers(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.asleep()
		h.machine.Crash()
		woken, key := make(chan error), h.keyOf(alice)
		go func() { woken <- h.Wake(t.Context(), alice, key) }()
		sleep(3 * time.Second)
		h.is(alice, hub.Thawing)
		h.machine.Return()
		if err := <-woken; err != nil {
			t.Error(err)
		}
		h.is(alice, hub.Running)
	})
}

// Without sleep_after nobody sleeps.
func TestNobodySleepsUnasked(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		sleep(10 * time.Hour)
		h.is(alice, hub.Running)
	})
}

// Vulnerability: whoever reaches the hub wakes, or learns of, other people's servers.
// Attack: mallory asks without a key, with a wrong one, and with that of her own server.
// Verified: she is refused, and nothing wakes.
func TestOnlyTheProxyWakes(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(bob)
		if _, err := h.machine.Freeze(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := h.wake(bob); err != nil {
			t.Fatal(err)
		}
		h.asleep()
		for _, key := range []string{"", "0", strings.Repeat("0", 32), h.key} {
			if err := h.Wake(t.Context(), alice, key); hub.KindOf(err) != hub.Forbidden {
				t.Errorf("key %q: %v", key, err)
			}
		}
		h.is(alice, hub.Frozen)
	})
}
