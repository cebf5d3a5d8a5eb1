package spawner

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
)

// Every life ends, and what the table does not list does not happen.
func TestTransitions(t *testing.T) {
	states := []hub.State{hub.Stopped, hub.Queued, hub.Starting, hub.Running, hub.Freezing, hub.Frozen, hub.Thawing,
		hub.Stopping, hub.Failed}
	for _, from := range states {
		for _, to := range states {
			m := New(Options{Log: zerolog.Nop()})
			s := m.enter(hub.ServerRef{User: "alice"}, hub.Queued)
			s.state = from
			if got, want := m.change(s, to), slices.Contains(transitions[from], to); got != want {
				t.Errorf("%s to %s: %t", from, to, got)
			} else if !got && s.state != from {
				t.Errorf("refused, and %s became %s", from, s.state)
			}
		}
	}
	for from := range transitions {
		if from != hub.Stopping && !slices.Contains(transitions[from], hub.Stopping) {
			t.Errorf("%s has no way out", from)
		}
	}
}

func TestSpansArePutIntoWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "60 seconds", time.Second: "1 second", 1500 * time.Millisecond: "1.5 seconds", 2 * time.Minute: "2 minutes",
		90 * time.Second: "90 seconds", time.Hour: "60 minutes",
	} {
		if got := spoken(d); got != want {
			t.Errorf("%v is spoken as %q, want %q", d, got, want)
		}
	}
}

// Somebody watches and never reads: nobody waits for them, and memory stays bounded.
func TestProgressIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress()
		slow := p.watch(t.Context())
		for range 10 * maxEvents {
			p.step(1, "Waiting in line")
		}
		p.add(failedEvent(nil))
		p.add(readyEvent("/"))
		n, last := 0, hub.Event{}
		for e := range slow {
			n, last = n+1, e
		}
		if n != maxEvents+1 || !last.Failed {
			t.Errorf("%d events, the last %+v", n, last)
		}
	})
}
