package spawner_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
)

// Whoever wants to know how many servers are active is told when it changes, and at most once a second however often it does.
func TestTheNumberOfActiveServersIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		var told []int
		h.options.Report = func(active int) { told = append(told, active) }
		h.open()
		heard := func(want ...int) {
			t.Helper()
			sleep(2 * time.Second)
			if !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
			told = nil
		}
		heard(0)
		h.run(alice)
		heard(1)
		heard() // nothing happens
		h.run(bob)
		heard(2)

		began := time.Now()
		for range 3 { // one change after another
			h.stopped(alice)
			h.run(alice)
		}
		h.stopped(bob)
		sleep(2 * time.Second)
		if most := int(time.Since(began)/time.Second) + 1; len(told) > most || told[len(told)-1] != 1 {
			t.Errorf("told %v in %s", told, time.Since(began))
		}
		h.close()
	})
}

// stopped stops a server and waits until it has.
func (h *house) stopped(ref hub.ServerRef) {
	h.t.Helper()
	if _, err := h.Stop(h.t.Context(), ref); err != nil {
		h.t.Fatal(err)
	}
	if live, err := h.Wait(h.t.Context(), ref); err != nil || live.State != hub.Stopped {
		h.t.Fatalf("%s is %s: %v", ref, live.State, err)
	}
}
