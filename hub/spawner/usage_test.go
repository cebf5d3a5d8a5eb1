package spawner_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/store"
)

// used returns what is in a user's account, over all days.
func (h *house) used(user string) (sum hub.Consumption) {
	h.t.Helper()
	err := h.store.View(func(tx *store.Tx) error {
		days, err := tx.Usage(user, "", "")
		for _, d := range days {
			sum = sum.Plus(d)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return sum
}

func near(a, b float64) bool { return math.Abs(a-b) <= 0.02*math.Abs(b)+1e-9 }

// Two hours of a server with 4 GiB, half of the time at work: that is what is in alice's account when it has stopped, though
// the hub was started anew in between, and bob has nothing in his.
func TestAccounts(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Work(alice, 0, 4<<30)
		h.run(alice)
		for minute := range 120 {
			h.machine.Work(alice, time.Duration(minute)*30*time.Second, 4<<30)
			sleep(time.Minute)
			if minute == 61 {
				h.stop()
				h.open()
			}
		}
		h.machine.Work(alice, time.Hour, 4<<30)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Stopped)
		got := h.used("alice")
		if !near(got.CPUSeconds, 3600) || !near(got.MemoryHours, 8) || !near(got.ServerHours, 2) {
			t.Errorf("in the account is %+v", got)
		}
		if got := h.used("bob"); got != (hub.Consumption{}) {
			t.Errorf("bob's account holds %+v", got)
		}
	})
}

// Who has used up the day, to this moment, starts nothing more until midnight and is told why; who runs goes on.
func TestQuotas(t *testing.T) {
	for want, quota := range map[string]spawner.Quota{
		"have used 1.0 hours of processor time today, of 1 that": {CPUHours: 1, MemoryHours: 100},
		"have used 2.0 GiB hours of memory today, of 2 that":     {CPUHours: 100, MemoryHours: 2},
	} {
		t.Run(want, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.limits(func(p *spawner.Policy) { p.Quota = quota })
				h.machine.Work(alice, 0, 8<<30)
				h.run(alice)
				sleep(14 * time.Minute)
				h.run(aliceLab)
				if _, err := h.Stop(t.Context(), aliceLab); err != nil {
					t.Fatal(err)
				}
				h.machine.Work(alice, 61*time.Minute, 8<<30)
				sleep(75 * time.Second)
				_, err := h.Start(t.Context(), aliceLab, "", nil)
				var e *hub.Error
				if !errors.As(err, &e) || e.Kind != hub.TooMany || e.RetryAfter <= 0 || e.RetryAfter > 24*time.Hour || !strings.Contains(e.Text, want) {
					t.Fatalf("answered %v", err)
				}
				h.is(alice, hub.Running)
				h.run(bob)
				sleep(e.RetryAfter + time.Second)
				h.run(aliceLab)
			})
		})
	}
}

// Nobody looks at what servers use when none runs.
func TestAnIdleHubCountsNothing(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		h.is(alice, hub.Stopped)
		before := h.machine.Looks()
		sleep(10 * time.Hour)
		if looks := h.machine.Looks(); looks != before {
			t.Errorf("looked %d times", looks-before)
		}
	})
}
