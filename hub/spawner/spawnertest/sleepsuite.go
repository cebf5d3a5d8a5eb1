package spawnertest

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
)

// Sleepy is a Spawner that can lay servers to sleep.
type Sleepy interface {
	spawner.Spawner
	spawner.Sleeper
}

// RunSleep checks that what make returns keeps the promises of spawner.Sleeper as well. It is for those who can freeze here.
func RunSleep(t *testing.T, cast Cast, make func(*testing.T) Sleepy) {
	for name, play := range map[string]func(*testing.T, *stage, Sleepy){
		"who sleeps is told as asleep, and as alive":           playAsleep,
		"laying to sleep and waking twice is no error":         playTwice,
		"who sleeps is stopped as any other":                   playStopAsleep,
		"what does not run is neither laid to sleep nor woken": playNoSleep,
	} {
		t.Run(name, func(t *testing.T) {
			sleepy := make(t)
			s := &stage{Spawner: sleepy, Cast: cast}
			s.clear(t)
			play(t, s, sleepy)
			s.clear(t)
		})
	}
}

func playAsleep(t *testing.T, s *stage, sleepy Sleepy) {
	r := s.watch(t)
	first := s.start(t, s.alice())
	r.await(t, s.Patience, "listening", func() bool { return r.last(s.alice()).Listening })
	if u, err := sleepy.Freeze(s.context(t), s.alice()); err != nil || !u.Frozen || !u.State.Alive() || u.Invocation != first.Invocation {
		t.Fatalf("laid to sleep: %+v, %v", u, err)
	}
	if u := find(s.watch(t).wholes[0], s.alice()); !u.Frozen || !u.Listening {
		t.Errorf("a new watcher finds %+v", u)
	}
	if u, err := sleepy.Thaw(s.context(t), s.alice()); err != nil || u.Frozen || u.Invocation != first.Invocation {
		t.Fatalf("woken: %+v, %v", u, err)
	}
	if u := find(s.watch(t).wholes[0], s.alice()); u.Frozen || !u.State.Alive() {
		t.Errorf("a new watcher finds %+v", u)
	}
}

func playTwice(t *testing.T, s *stage, sleepy Sleepy) {
	s.start(t, s.alice())
	for range 2 {
		if u, err := sleepy.Freeze(s.context(t), s.alice()); err != nil || !u.Frozen {
			t.Errorf("laid to sleep: %+v, %v", u, err)
		}
	}
	for range 2 {
		if u, err := sleepy.Thaw(s.context(t), s.alice()); err != nil || u.Frozen {
			t.Errorf("woken: %+v, %v", u, err)
		}
	}
}

func playStopAsleep(t *testing.T, s *stage, sleepy Sleepy) {
	s.start(t, s.alice())
	if _, err := sleepy.Freeze(s.context(t), s.alice()); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(s.context(t), s.alice()); err != nil {
		t.Fatal(err)
	}
	if find(s.watch(t).wholes[0], s.alice()).State.Alive() {
		t.Error("it lives on")
	}
}

func playNoSleep(t *testing.T, s *stage, sleepy Sleepy) {
	if _, err := sleepy.Freeze(s.context(t), s.alice()); hub.KindOf(err) != hub.NotRunning {
		t.Errorf("laying to sleep answered %v", err)
	}
	if _, err := sleepy.Thaw(s.context(t), s.alice()); hub.KindOf(err) != hub.NotRunning {
		t.Errorf("waking answered %v", err)
	}
}
