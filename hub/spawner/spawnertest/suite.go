package spawnertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
)

// Cast is who takes part in the suite's plays. The accounts User and Other exist and may start servers; Unknown does not
// exist. Patience bounds every wait. Kill ends a server's first process as a crash would; without it nobody dies.
type Cast struct {
	User, Other, Unknown string
	Patience             time.Duration
	Kill                 func(*testing.T, spawner.Spawner, hub.Unit)
}

// Run checks that what make returns keeps the promises of spawner.Spawner. It is called once a play; nothing may run of
// the cast's servers before, and nothing does afterwards.
func Run(t *testing.T, cast Cast, make func(*testing.T) spawner.Spawner) {
	plays := []struct {
		name string
		play func(*testing.T, *stage)
	}{
		{"the first report is a whole, and names the boot", playInventory},
		{"a start returns a unit that is active, and its changes are told", playStart},
		{"a second start is a conflict", playSecondStart},
		{"an account that does not exist is refused with that cause", playUnknown},
		{"two servers of a user, and those of two users, are different units", playNames},
		{"a stop returns when the unit is gone, and its end is told once", playStop},
		{"a stop of what does not run is no error", playStopNothing},
		{"a stop ends a start under way", playStopStart},
		{"a new watcher finds in its inventory what runs, as it is", playAdopt},
		{"a death is told with its cause, and told again where that was partial", playDeath},
		{"usage names what runs", playUsage},
		{"every call ends when its context does", playContext},
	}
	for _, p := range plays {
		t.Run(p.name, func(t *testing.T) {
			s := &stage{Spawner: make(t), Cast: cast}
			s.clear(t)
			p.play(t, s)
			s.clear(t)
		})
	}
}

// stage is a Spawner with its cast.
type stage struct {
	spawner.Spawner
	Cast
}

func (s *stage) alice() hub.ServerRef    { return hub.ServerRef{User: s.User} }
func (s *stage) aliceLab() hub.ServerRef { return hub.ServerRef{User: s.User, Server: "lab"} }
func (s *stage) bob() hub.ServerRef      { return hub.ServerRef{User: s.Other} }

func (s *stage) context(t *testing.T) context.Context {
	ctx, done := context.WithTimeout(t.Context(), s.Patience)
	t.Cleanup(done)
	return ctx
}

func (s *stage) clear(t *testing.T) {
	t.Helper()
	for _, ref := range []hub.ServerRef{s.alice(), s.aliceLab(), s.bob()} {
		if err := s.Stop(s.context(t), ref); err != nil {
			t.Errorf("stop %s: %v", ref, err)
		}
	}
}

func (s *stage) start(t *testing.T, ref hub.ServerRef) hub.Unit {
	t.Helper()
	u, err := s.Start(s.context(t), ref, "", nil)
	if err != nil {
		t.Fatalf("start %s: %v", ref, err)
	}
	return u
}

// reports is what a watcher was told.
type reports struct {
	mu      sync.Mutex // guards the rest
	wholes  []hub.Inventory
	changes []hub.Unit
	more    chan struct{}
}

func (s *stage) watch(t *testing.T) *reports {
	t.Helper()
	r := &reports{more: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, func(i hub.Inventory) { r.add(&i, nil) }, func(u hub.Unit) { r.add(nil, &u) })
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-ended:
		case <-time.After(s.Patience):
			t.Error("Watch does not end with its context")
		}
	})
	r.await(t, s.Patience, "an inventory", func() bool { return len(r.wholes) > 0 })
	return r
}

func (r *reports) add(i *hub.Inventory, u *hub.Unit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i != nil {
		r.wholes = append(r.wholes, *i)
	}
	if u != nil {
		r.changes = append(r.changes, *u)
	}
	close(r.more)
	r.more = make(chan struct{})
}

// await waits until is true of what was reported.
func (r *reports) await(t *testing.T, patience time.Duration, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		done, more := is(), r.more
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("never told: %s; told was %+v", what, r.changes)
		}
	}
}

// last returns the last change of a server that was told.
func (r *reports) last(ref hub.ServerRef) (last hub.Unit) {
	for _, u := range r.changes {
		if u.ServerRef == ref {
			last = u
		}
	}
	return last
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func causeIn(err error) *hub.Cause {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return nil
}
