package spawner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// limits changes the policy as a reload does.
func (h *house) limits(change func(*spawner.Policy)) {
	change(&h.options.Policy)
	h.SetPolicy(h.options.Policy)
}

// enrol gives a user an account and lets all starts of the server take so long.
func (h *house) enrol(ref hub.ServerRef, takes time.Duration) hub.ServerRef {
	h.t.Helper()
	h.update(func(tx *store.Tx) error {
		_, err := tx.User(ref.User)
		if hub.KindOf(err) == hub.NotFound {
			_, err = tx.PutUser(hub.User{Name: ref.User, UID: hub.NoUID})
		}
		return err
	})
	h.machine.Script(ref, spawnertest.Script{StartDelay: takes})
	return ref
}

// 100 of a class start at nine, three at a time: everybody gets their turn in order, is told where they stand, and nobody
// is refused.
func TestQueue(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.limits(func(p *spawner.Policy) { p.ConcurrentSpawnLimit = 3 })
		var refs []hub.ServerRef
		for i := range 100 {
			ref := h.enrol(hub.ServerRef{User: fmt.Sprintf("student%02d", i)}, time.Second)
			h.start(ref)
			refs = append(refs, ref)
		}
		h.is(refs[2], hub.Starting)
		h.is(refs[3], hub.Queued)
		if got := messages(h.story(refs[5])); !strings.Contains(got, "Waiting in line, 2 before you") {
			t.Errorf("number five is told %q", got)
		}
		if _, err := h.Stop(t.Context(), refs[4]); err != nil {
			t.Fatal(err)
		}
		h.is(refs[4], hub.Stopped)
		sleep(1100 * time.Millisecond)
		for i, want := range map[int]hub.State{2: hub.Running, 3: hub.Starting, 5: hub.Starting, 6: hub.Starting, 7: hub.Queued} {
			h.is(refs[i], want)
		}
		told := h.story(refs[12])
		last := told[len(told)-1]
		if last.Position != 6 || last.Estimate != 2 || !strings.HasSuffix(last.Message, "Your turn comes in about 2 seconds") {
			t.Errorf("number twelve is told %+v", last)
		}
		sleep(time.Minute)
		for i, ref := range refs {
			if i != 4 && h.state(ref) != hub.Running {
				t.Errorf("%s is %s", ref, h.state(ref))
			}
		}
	})
}

// Mallory asks for five servers before bob asks for his first: she gets one, then bob gets his, then she her second.
func TestNobodysSecondServerGoesBeforeAnybodysFirst(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.limits(func(p *spawner.Policy) { p.ConcurrentSpawnLimit = 1 })
		var many []hub.ServerRef
		for i := range 5 {
			ref := h.enrol(hub.ServerRef{User: "mallory", Server: fmt.Sprintf("s%d", i)}, time.Second)
			many = append(many, ref)
			h.start(ref)
		}
		h.start(h.enrol(bob, time.Second))
		h.start(h.enrol(alice, time.Second))
		h.start(h.enrol(aliceLab, time.Second))
		if got := h.story(bob); got[len(got)-1].Position != 1 {
			t.Errorf("bob is told %q", messages(got))
		}
		if got := h.story(many[1]); got[len(got)-1].Position != 3 {
			t.Errorf("mallory's second is told %q", messages(got))
		}
		for _, next := range []hub.ServerRef{many[0], bob, alice, many[1], aliceLab, many[2], many[3], many[4]} {
			h.is(next, hub.Starting)
			sleep(1001 * time.Millisecond)
			h.is(next, hub.Running)
		}
	})
}

// What runs already counts: when a place gets free, it goes to somebody who has nothing.
func TestAFreePlaceGoesToWhoHasNothing(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.limits(func(p *spawner.Policy) { p.ActiveServerLimit = 2 })
		other := hub.ServerRef{User: "alice", Server: "other"}
		h.run(alice, aliceLab)
		h.start(other)
		h.start(bob)
		h.is(other, hub.Queued)
		h.is(bob, hub.Queued)
		if got := h.story(bob); got[len(got)-1].Position != 1 || got[len(got)-1].Estimate != 0 {
			t.Errorf("nobody knows when alice will stop hers, and bob is told %+v", got[len(got)-1])
		}
		if _, err := h.Stop(t.Context(), aliceLab); err != nil {
			t.Fatal(err)
		}
		h.is(bob, hub.Running)
		h.is(other, hub.Queued)
		h.machine.Die(bob, nil)
		h.is(other, hub.Running)
	})
}

// A line has an end: who comes later is told when to come again, and takes no place.
func TestTheLineHasAnEnd(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.limits(func(p *spawner.Policy) { p.ActiveServerLimit, p.SpawnQueueLimit = 1, 1 })
		h.run(alice)
		h.start(bob)
		_, err := h.Start(t.Context(), aliceLab, "", nil)
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.TooMany || e.RetryAfter < 10*time.Second {
			t.Errorf("answered %v", err)
		}
		if _, err := h.Start(t.Context(), bob, "", nil); err != nil {
			t.Errorf("bob, who is in line, asks again: %v", err)
		}
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(bob, hub.Running)
		h.start(aliceLab)
		h.is(aliceLab, hub.Queued)
		h.limits(func(p *spawner.Policy) { p.ActiveServerLimit = 0 })
		h.is(aliceLab, hub.Running)
	})
}

// headroom is a machine whose memory a test sets.
type headroom struct {
	mu    sync.Mutex // guards what follows
	left  hub.Headroom
	err   error
	looks int
}

func (r *headroom) set(left hub.Headroom, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left, r.err = left, err
}

func (r *headroom) look(context.Context) (hub.Headroom, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	return r.left, r.err
}

// A machine that is short of memory starts nobody and says so; when there is memory again the line goes on, as far as what is
// there will bear.
func TestStartsWaitForTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		left := hub.Headroom{Memory: 200 << 20, MemoryPressure: -1, IOPressure: -1, CPUPressure: -1}
		room := &headroom{left: left}
		h.options.Headroom = room.look
		h.options.Policy.Reserve = spawner.Reserve{Memory: 128 << 20, MemoryPressure: 40}
		h.open()
		defer h.close()
		h.start(h.enrol(alice, time.Second))
		h.start(h.enrol(bob, time.Second))
		h.is(alice, hub.Queued)
		if got := messages(h.story(bob)); !strings.Contains(got, "Waiting in line, 1 before you. The machine is short of memory just now") {
			t.Errorf("bob is told %q", got)
		}
		left.Memory = 300 << 20
		room.set(left, nil) // for one that starts, not for two
		sleep(6 * time.Second)
		h.is(alice, hub.Running)
		h.is(bob, hub.Starting) // alice's has become ready, and what it took shows in what is left
		sleep(2 * time.Second)
		h.is(bob, hub.Running)
		if _, err := h.Stop(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		left.MemoryPressure = 41
		room.set(left, nil)
		sleep(2 * time.Second)
		h.start(bob)
		h.is(bob, hub.Queued)
		room.set(left, errors.New("nobody answers"))
		sleep(6 * time.Second)
		h.is(bob, hub.Running)
	})
}

// An idle hub looks at nothing.
func TestNobodyLooksAtTheMachineForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		room := &headroom{left: hub.Headroom{Memory: 64 << 30}}
		h.options.Headroom, h.options.Policy.Reserve = room.look, spawner.Reserve{Memory: 1}
		h.open()
		defer h.close()
		h.run(alice)
		looks := room.looks
		sleep(time.Hour)
		if looks != 1 || room.looks != looks {
			t.Errorf("looked %d times for one start, %d times in all", looks, room.looks)
		}
	})
}

// Whatever comes, in whatever order: the limits hold at every moment, and when everything has been stopped nothing is left.
func TestQueueAgainstAModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			play(t, func(t *testing.T, h *house) { playAtRandom(t, h, rand.New(rand.NewPCG(seed, 6))) })
		})
	}
}

func playAtRandom(t *testing.T, h *house, dice *rand.Rand) {
	starting, active := 1+dice.IntN(3), 2+dice.IntN(4)
	h.limits(func(p *spawner.Policy) { p.ConcurrentSpawnLimit, p.ActiveServerLimit = starting, active })
	var refs []hub.ServerRef
	for _, user := range []string{"alice", "bob", "mallory"} {
		for _, server := range []string{"", "one", "two"} {
			refs = append(refs, h.enrol(hub.ServerRef{User: user, Server: server}, time.Duration(dice.IntN(3))*time.Second))
		}
	}
	wished := map[hub.ServerRef]bool{}
	for range 60 {
		ref := refs[dice.IntN(len(refs))]
		switch dice.IntN(5) {
		case 0, 1:
			if _, err := h.Start(t.Context(), ref, "", nil); err == nil {
				wished[ref] = true
			} else if hub.KindOf(err) != hub.Conflict {
				t.Fatalf("start %s: %v", ref, err)
			}
		case 2:
			if _, err := h.Stop(t.Context(), ref); err != nil && hub.KindOf(err) != hub.NotFound {
				t.Fatalf("stop %s: %v", ref, err)
			}
			delete(wished, ref)
		case 3:
			if h.alive(ref) && h.state(ref) == hub.Running {
				h.machine.Die(ref, &hub.Cause{Kind: hub.CauseExited, Message: "It ended."})
				delete(wished, ref)
			}
		case 4:
			sleep(time.Duration(dice.IntN(2500)) * time.Millisecond)
		}
		synctest.Wait()
		h.within(t, starting, active)
	}
	h.limits(func(p *spawner.Policy) { p.ActiveServerLimit = 0 })
	sleep(time.Minute)
	for _, ref := range refs {
		live, err := h.Server(ref)
		if running := err == nil && live.State == hub.Running; running != wished[ref] {
			t.Errorf("%s is %s, and wished is %t", ref, live.State, wished[ref])
		}
	}
	if _, err := h.StopAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.nothingIsLeft(t, refs)
}

// within checks that limits hold.
func (h *house) within(t *testing.T, starting, active int) {
	t.Helper()
	count := map[hub.State]int{}
	alive := 0
	for _, live := range h.Active() {
		count[live.State]++
		if h.alive(live.ServerRef) {
			alive++
		}
		if live.State == hub.Queued && h.alive(live.ServerRef) {
			t.Errorf("%s waits, and runs", live.ServerRef)
		}
	}
	if count[hub.Starting] > starting || alive > active {
		t.Fatalf("%d start and %d run; the limits are %d and %d", count[hub.Starting], alive, starting, active)
	}
	if count[hub.Queued] > 0 && count[hub.Starting] < starting && count[hub.Starting]+count[hub.Running]+count[hub.Stopping] < active {
		t.Fatalf("%d wait while there is room: %v", count[hub.Queued], count)
	}
}

func (h *house) nothingIsLeft(t *testing.T, refs []hub.ServerRef) {
	t.Helper()
	synctest.Wait()
	h.routed()
	for _, ref := range refs {
		if h.alive(ref) {
			t.Errorf("%s runs on", ref)
		}
		if n := h.tokens(ref.User); n != 0 {
			t.Errorf("%s has %d tokens left", ref.User, n)
		}
	}
	if left := h.Active(); len(left) > 0 {
		t.Errorf("left are %+v", left)
	}
}

// Cancelling leaves nothing behind, at whatever moment it comes.
func TestCancelInAnyState(t *testing.T) {
	for after := range 12 {
		t.Run(fmt.Sprint(after*250, " ms"), func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.limits(func(p *spawner.Policy) { p.ConcurrentSpawnLimit = 1 })
				h.probe = func(ctx context.Context, _ hub.Unit) error { // half a second
					select {
					case <-time.After(500 * time.Millisecond):
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
				h.enrol(bob, time.Second)
				h.start(bob)
				h.machine.Script(alice, spawnertest.Script{StartDelay: 500 * time.Millisecond, ListenDelay: 250 * time.Millisecond})
				h.start(alice)
				sleep(time.Duration(after) * 250 * time.Millisecond)
				for _, ref := range []hub.ServerRef{alice, bob} {
					if _, err := h.Stop(t.Context(), ref); err != nil {
						t.Fatal(err)
					}
				}
				h.nothingIsLeft(t, []hub.ServerRef{alice, bob})
				h.probe = nil
				h.run(bob, alice)
			})
		})
	}
}
