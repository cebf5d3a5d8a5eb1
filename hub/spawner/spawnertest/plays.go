package spawnertest

import (
	"context"
	"testing"
	"time"

	"jupyterhubd/hub"
)

func playInventory(t *testing.T, s *stage) {
	r := s.watch(t)
	if r.wholes[0].BootID == "" {
		t.Error("the inventory does not name the boot")
	}
}

func playStart(t *testing.T, s *stage) {
	r := s.watch(t)
	u := s.start(t, s.alice())
	switch {
	case u.ServerRef != s.alice() || u.Name == "":
		t.Errorf("started %s as %s", u.ServerRef, u.Name)
	case u.State != hub.UnitActive:
		t.Errorf("the unit is %s when Start returns", u.State)
	case u.Invocation == "" || u.Socket == "" || u.UID <= 0:
		t.Errorf("the unit says too little of itself: %+v", u)
	}
	r.await(t, s.Patience, "active and listening", func() bool {
		last := r.last(s.alice())
		return last.State == hub.UnitActive && last.Listening && last.Invocation == u.Invocation && last.Socket == u.Socket
	})
}

func playSecondStart(t *testing.T, s *stage) {
	first := s.start(t, s.alice())
	if _, err := s.Start(s.context(t), s.alice(), "", nil); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a second start answered %v", err)
	}
	if whole := s.watch(t).wholes[0]; find(whole, s.alice()).Invocation != first.Invocation {
		t.Error("the second start changed the first one's unit")
	}
}

func playUnknown(t *testing.T, s *stage) {
	_, err := s.Start(s.context(t), hub.ServerRef{User: s.Unknown}, "", nil)
	cause := causeIn(err)
	if cause == nil || cause.Kind != hub.CauseAccount {
		t.Fatalf("answered %v with cause %+v", err, cause)
	}
	if hub.KindOf(err) == hub.Unavailable || cause.Message == "" {
		t.Errorf("a refusal is not %q, and has a sentence: %+v", hub.KindOf(err), cause)
	}
}

func playNames(t *testing.T, s *stage) {
	seen := map[string]hub.ServerRef{}
	for _, ref := range []hub.ServerRef{s.alice(), s.aliceLab(), s.bob()} {
		u := s.start(t, ref)
		for _, of := range []string{u.Name, u.Socket, u.Invocation} {
			if other, twice := seen[of]; twice {
				t.Errorf("%s and %s share %s", other, ref, of)
			}
			seen[of] = ref
		}
	}
}

func playStop(t *testing.T, s *stage) {
	r := s.watch(t)
	u := s.start(t, s.alice())
	if err := s.Stop(s.context(t), s.alice()); err != nil {
		t.Fatal(err)
	}
	if find(s.watch(t).wholes[0], s.alice()).State.Alive() {
		t.Error("the unit is alive after Stop returned")
	}
	r.await(t, s.Patience, "the end", func() bool { return r.last(s.alice()).State == hub.UnitInactive })
	next := s.start(t, s.alice())
	r.await(t, s.Patience, "the next start", func() bool { return r.last(s.alice()).Invocation == next.Invocation })
	r.mu.Lock()
	defer r.mu.Unlock()
	ends := 0
	for _, c := range r.changes {
		if c.ServerRef == s.alice() && !c.State.Alive() && c.Invocation == u.Invocation {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("the end was told %d times: %+v", ends, r.changes)
	}
}

func playStopNothing(t *testing.T, s *stage) {
	if err := s.Stop(s.context(t), s.alice()); err != nil {
		t.Error(err)
	}
}

func playStopStart(t *testing.T, s *stage) {
	r := s.watch(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Start(s.context(t), s.alice(), "", nil) // may be done before the stop comes
	}()
	r.await(t, s.Patience, "anything of the start", func() bool { return r.last(s.alice()).Name != "" })
	if err := s.Stop(s.context(t), s.alice()); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(s.Patience):
		t.Fatal("the start goes on")
	}
	if find(s.watch(t).wholes[0], s.alice()).State.Alive() {
		t.Error("the unit is alive")
	}
}

func playAdopt(t *testing.T, s *stage) {
	r := s.watch(t)
	u := s.start(t, s.alice())
	r.await(t, s.Patience, "listening", func() bool { return r.last(s.alice()).Listening })
	got := find(s.watch(t).wholes[0], s.alice())
	if got.State != hub.UnitActive || !got.Listening || got.Invocation != u.Invocation || got.UID != u.UID || got.Socket != u.Socket {
		t.Errorf("started %+v, found %+v", u, got)
	}
}

func playDeath(t *testing.T, s *stage) {
	if s.Kill == nil {
		t.Skip("the cast has nobody who kills")
	}
	r := s.watch(t)
	u := s.start(t, s.alice())
	r.await(t, s.Patience, "listening", func() bool { return r.last(s.alice()).Listening })
	s.Kill(t, s.Spawner, u)
	r.await(t, s.Patience, "the whole cause", func() bool {
		c := r.last(s.alice()).Cause
		return c != nil && !c.Partial
	})
	r.mu.Lock()
	for _, c := range r.changes {
		if c.State.Alive() {
			continue
		}
		if c.State != hub.UnitFailed || c.Invocation != u.Invocation || c.Cause == nil || c.Cause.Message == "" || c.Cause.Invocation != u.Invocation {
			t.Errorf("of the death of %s was told %+v with %+v", u.Invocation, c, c.Cause)
		}
	}
	r.mu.Unlock()
	next := s.start(t, s.alice())
	r.await(t, s.Patience, "the next start", func() bool { return r.last(s.alice()).Invocation == next.Invocation && r.last(s.alice()).State.Alive() })
}

func playUsage(t *testing.T, s *stage) {
	s.start(t, s.alice())
	units, err := s.Usage(s.context(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if u.ServerRef == s.alice() && u.Tasks != 0 {
			return
		}
	}
	t.Errorf("usage is %+v", units)
}

func playContext(t *testing.T, s *stage) {
	ctx, cancel := context.WithCancel(s.context(t))
	cancel()
	if _, err := s.Start(ctx, s.alice(), "", nil); !isTimeout(err) {
		t.Errorf("a start whose caller has left answered %v", err)
	}
	if err := s.Watch(ctx, func(hub.Inventory) {}, func(hub.Unit) {}); !isTimeout(err) {
		t.Errorf("a watch whose caller has left answered %v", err)
	}
}

func find(whole hub.Inventory, ref hub.ServerRef) hub.Unit {
	for _, u := range whole.Units {
		if u.ServerRef == ref {
			return u
		}
	}
	return hub.Unit{}
}
