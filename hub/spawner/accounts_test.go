package spawner_test

import (
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

// worked lets alice's server have used so much processor time, in all, and 2 GiB.
func (h *house) worked(seconds int) {
	h.machine.Work(alice, time.Duration(seconds)*time.Second, 2<<30)
}

// kill ends the hub without a last look at anything.
func (h *house) kill() {
	h.machine.Crash()
	h.stop()
	h.machine.Return()
}

// paid checks that alice's account holds exactly so much processor time, and no more memory than she can have had.
func (h *house) paid(seconds float64, began time.Time) {
	h.t.Helper()
	got := h.used("alice")
	if d := got.CPUSeconds - seconds; d > 1e-6 || d < -1e-6 {
		h.t.Errorf("the account holds %g s, used were %g", got.CPUSeconds, seconds)
	}
	if most := 2 * time.Since(began).Hours(); got.MemoryHours < 0 || got.MemoryHours > most+1e-9 {
		h.t.Errorf("the account holds %g GiB hours of at most %g", got.MemoryHours, most)
	}
}

// Whatever happens to the hub and whenever, alice's account has what her servers used, to the nanosecond.
func TestNoProcessorTimeIsLostOrCountedTwice(t *testing.T) {
	for name, happens := range map[string]func(t *testing.T, h *house){
		"the hub is killed and her server goes on": func(_ *testing.T, h *house) {
			h.kill()
			h.worked(900)
			sleep(time.Hour)
			h.open()
		},
		"the hub is killed again and again": func(_ *testing.T, h *house) {
			for second := range 20 {
				h.kill()
				h.worked(880 + second + 1)
				h.open()
				sleep(time.Duration(second) * time.Second)
			}
		},
		"her server ends while there is no hub": func(_ *testing.T, h *house) {
			h.kill()
			h.worked(900)
			h.machine.Die(alice, nil)
			sleep(time.Hour)
			h.open()
		},
		"her server dies while there is no hub": func(_ *testing.T, h *house) {
			h.kill()
			h.worked(900)
			h.machine.Die(alice, &hub.Cause{Kind: hub.CauseSignal, Message: "killed"})
			h.open()
		},
		"her server ends by itself": func(_ *testing.T, h *house) {
			h.worked(900)
			h.machine.Die(alice, nil)
		},
		"the hub is killed when it has heard of the end": func(_ *testing.T, h *house) {
			h.worked(900)
			h.machine.Die(alice, nil)
			h.is(alice, hub.Stopped)
			h.kill()
			h.open()
		},
		"she stops it": func(t *testing.T, h *house) {
			h.worked(900)
			if _, err := h.Stop(t.Context(), alice); err != nil {
				t.Error(err)
			}
		},
		"it ends, and the next one while there is no hub": func(_ *testing.T, h *house) {
			h.worked(400)
			h.machine.Die(alice, nil)
			h.is(alice, hub.Stopped)
			h.worked(100) // and 400 before
			h.run(alice)
			h.worked(500)
			sleep(time.Second)
			h.kill()
			h.machine.Die(alice, nil)
			h.open()
		},
	} {
		for when, before := range map[string]time.Duration{"after a second": time.Second, "after the first look": 11 * time.Second, "later": 7 * time.Minute} {
			t.Run(name+", "+when, func(t *testing.T) {
				play(t, func(t *testing.T, h *house) {
					began := time.Now()
					h.worked(0)
					h.run(alice)
					sleep(before / 2)
					h.worked(300)
					sleep(before / 2)
					happens(t, h)
					sleep(20 * time.Minute)
					h.paid(900, began)
				})
			})
		}
	}
}

// A server with a name is removed right after its end: what it used is in the account all the same.
func TestWhatARemovedServerUsedIsInTheAccount(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(aliceLab)
		h.machine.Work(aliceLab, 70*time.Second, 1<<30)
		if err := h.Remove(t.Context(), aliceLab); err != nil {
			t.Fatal(err)
		}
		if got := h.used("alice").CPUSeconds; got != 70 {
			t.Errorf("the account holds %g s", got)
		}
	})
}

// A run of less than a second, at which nobody looked while it ran, is in the account as its end was told: its processor time, and its
// memory by the most that it had.
func TestABriefRunIsInTheAccount(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Work(alice, 300*time.Millisecond, 4<<30)
		h.machine.Script(alice, spawnertest.Script{DieAfter: 900 * time.Millisecond})
		h.run(alice)
		sleep(time.Minute)
		h.is(alice, hub.Stopped)
		got := h.used("alice")
		if !near(got.CPUSeconds, 0.3) || !near(got.ServerHours, 0.9/3600) || !near(got.MemoryHours, 4*0.9/3600) {
			t.Errorf("the account holds %+v", got)
		}
	})
}

// Systemd says nothing of the end: what was counted until then stays, and nobody asks for ever.
func TestAnEndOfWhichNobodyKnowsIsLetGo(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.worked(300)
		h.run(alice)
		sleep(11 * time.Second)
		h.kill()
		h.machine.Forget()
		h.machine.Die(alice, nil)
		h.machine.Forget()
		h.open()
		sleep(time.Minute)
		if got := h.used("alice").CPUSeconds; got != 300 {
			t.Errorf("the account holds %g s", got)
		}
		if runs := h.record(alice).Runs; len(runs) > 0 {
			t.Errorf("still asked for are %+v", runs)
		}
	})
}
