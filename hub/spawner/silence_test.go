package spawner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
)

// kernels is what servers say of theirs, and how often they were asked.
type kernels struct {
	hangs bool // they do not answer

	mu    sync.Mutex // guards the rest
	busy  map[hub.ServerRef]bool
	asked map[hub.ServerRef]int
	token string // of the last question
}

// ask answers the hub.
func (k *kernels) ask(ctx context.Context, u hub.Unit, _, token string) (bool, error) {
	k.mu.Lock()
	if k.asked == nil {
		k.asked = map[hub.ServerRef]int{}
	}
	k.asked[u.ServerRef]++
	k.token = token
	busy := k.busy[u.ServerRef]
	k.mu.Unlock()
	if k.hangs {
		<-ctx.Done()
		return true, ctx.Err()
	}
	return busy, nil
}

// looks is how often a server was asked.
func (k *kernels) looks(ref hub.ServerRef) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked[ref]
}

// says lets a server say whether a kernel of it is at work.
func (h *house) says(ref hub.ServerRef, busy bool) {
	h.kernels.mu.Lock()
	defer h.kernels.mu.Unlock()
	if h.kernels.busy == nil {
		h.kernels.busy = map[hub.ServerRef]bool{}
	}
	h.kernels.busy[ref] = busy
}

// Alice's cell waits for a batch system all afternoon, without a message and without processor time. Her server neither sleeps
// nor looks idle to a culler; when the cell is done it does. Bob's, whose kernels wait for bob, sleeps all along.
func TestACellThatWaitsKeepsItsServerAwake(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.says(alice, true)
		h.run(alice, bob)
		for range 5 * 60 {
			sleep(time.Minute)
			if idle := time.Since(h.record(alice).LastActivity); idle > 31*time.Minute {
				t.Fatalf("it looks idle for %s", idle)
			}
		}
		h.is(alice, hub.Running)
		h.is(bob, hub.Frozen)
		h.says(alice, false)
		sleep(32 * time.Minute)
		h.is(alice, hub.Frozen)
	})
}

// Where nothing sleeps, what a culler goes by is true all the same: it never sees a server at work idle for as long as it waits. An
// answer that nothing is done is no activity, and nobody asks for it all the time.
func TestACullerLearnsOfACellThatWaits(t *testing.T) {
	for _, timeout := range []time.Duration{6 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(timeout.String(), func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.limits(func(p *spawner.Policy) { p.CullAfter = timeout })
				h.says(alice, true)
				h.run(alice, bob)
				began := time.Now()
				for time.Since(began) < 4*timeout {
					sleep(timeout / 60)
					if idle := time.Since(h.record(alice).LastActivity); idle >= timeout {
						t.Fatalf("alice's server looks idle for %s", idle)
					}
				}
				if idle := time.Since(h.record(bob).LastActivity); idle < 4*timeout {
					t.Errorf("bob's looks active %s ago", idle)
				}
				if asked := h.kernels.looks(bob); asked == 0 || asked > 8 {
					t.Errorf("bob's was asked %d times", asked)
				}
			})
		})
	}
}

// Vulnerability: what a server says of itself decides how long it holds the machine's memory.
// Attack: mallory's server says for ever that a kernel is at work.
// Verified: its word counts as long as the admin allows, from when something else last showed it to be in use.
func TestAServersWordCountsForAWhile(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.limits(func(p *spawner.Policy) { p.BusyKernels = 3 * time.Hour })
		h.says(alice, true)
		h.run(alice)
		sleep(2*time.Hour + 10*time.Minute)
		h.is(alice, hub.Running)
		h.store.Touch(alice, time.Now()) // somebody was there
		sleep(3*time.Hour - time.Minute)
		h.is(alice, hub.Running)
		sleep(time.Hour)
		h.is(alice, hub.Frozen)
	})
}

// A server that does not answer, or whose word does not count, is judged by its traffic and its work.
func TestAServerThatSaysNothingSleeps(t *testing.T) {
	for name, set := range map[string]func(*house){
		"it hangs":            func(h *house) { h.kernels.hangs = true },
		"nobody may be asked": func(h *house) { h.limits(func(p *spawner.Policy) { p.BusyKernels = 0 }) },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.drowsy()
				h.says(alice, true)
				set(h)
				h.run(alice)
				sleep(32 * time.Minute)
				h.is(alice, hub.Frozen)
				if asked := h.kernels.looks(alice); (asked > 0) != h.kernels.hangs {
					t.Errorf("it was asked %d times", asked)
				}
			})
		})
	}
}

// Vulnerability: the hub hands a token to a server that its user controls.
// Attack: mallory keeps it.
// Verified: it opens that one server and nothing else, as its user, is no activity of theirs, and is gone with the answer.
func TestTheTokenOfAQuestion(t *testing.T) {
	var h *house
	var during hub.Token
	var known bool
	play(t, func(t *testing.T, h *house) {
		h.drowsy()
		h.run(aliceLab)
		tokens := h.tokens("alice")
		sleep(29 * time.Minute)
		h.limits(func(p *spawner.Policy) { p.SleepAfter = map[string]time.Duration{"": time.Minute} })
		sleep(2 * time.Minute)
		if !known || during.Owner != (hub.Owner{Kind: hub.OwnerUser, Name: "alice"}) || len(during.Scopes) != 1 || during.Scopes[0] != "access:servers!server=alice/lab" || !during.ServerToken {
			t.Errorf("the hub asks with %+v", during)
		}
		if _, still := h.Momentary(h.kernels.token); still || h.kernels.token == "" {
			t.Error("the token outlives its question")
		}
		if now := h.tokens("alice"); now != tokens {
			t.Errorf("alice has %d tokens, had %d", now, tokens)
		}
	}, func(house *house) {
		h = house
		h.options.Kernels = func(ctx context.Context, u hub.Unit, prefix, token string) (bool, error) {
			during, known = h.Momentary(token)
			return h.kernels.ask(ctx, u, prefix, token)
		}
	})
}
