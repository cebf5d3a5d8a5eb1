package spawner_test

import (
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

// There is one deadline, from the moment when the server's turn has come, and whoever watches is told it with every step.
func TestTheDeadlineIsTold(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.options.Policy.ConcurrentSpawnLimit = 1
		h.SetPolicy(h.options.Policy)
		for _, ref := range []hub.ServerRef{alice, bob} {
			h.machine.Script(ref, spawnertest.Script{StartDelay: time.Second, ListenDelay: 9 * time.Second})
			h.start(ref)
		}
		sleep(5 * time.Second)
		for _, e := range h.story(bob) {
			if !e.Deadline.IsZero() {
				t.Errorf("in line bob is told %+v", e)
			}
		}
		sleep(5 * time.Second) // his turn has come
		turn := time.Now()
		h.is(alice, hub.Running)
		sleep(7 * time.Second)
		told := h.story(bob)
		for _, e := range told {
			began := !strings.HasPrefix(e.Message, "Server requested") && e.Position == 0
			if e.Deadline.IsZero() == began || began && !e.Deadline.Equal(turn.Add(60*time.Second)) {
				t.Errorf("%q is to be given up at %s; his turn came at %s", e.Message, e.Deadline, turn)
			}
		}
		if len(told) < 4 {
			t.Errorf("bob is told only %s", messages(told))
		}
		sleep(10 * time.Second)
		if end := h.story(bob); !end[len(end)-1].Ready || !end[len(end)-1].Deadline.IsZero() {
			t.Errorf("at the end bob is told %+v", end)
		}
	})
}

// Half way to the deadline a start that is slow is told apart from one that does nothing.
func TestHowASlowStartGoes(t *testing.T) {
	for cpu, want := range map[time.Duration]string{
		3 * time.Second:        "has worked for 3 seconds of processor time. It is slow, not stuck",
		200 * time.Millisecond: "has worked for 0.2 seconds of processor time. It has not done much yet",
	} {
		play(t, func(t *testing.T, h *house) {
			h.machine.Script(alice, spawnertest.Script{ListenDelay: 40 * time.Second})
			h.machine.Work(alice, cpu, 0)
			h.start(alice)
			sleep(29 * time.Second)
			if told := messages(h.story(alice)); strings.Contains(told, "has worked for") {
				t.Errorf("before half of the time is over alice is told\n%s", told)
			}
			sleep(2 * time.Second)
			told := h.story(alice)
			if last := told[len(told)-1]; !strings.Contains(last.Message, want) || last.Deadline.IsZero() {
				t.Errorf("with %s alice is told %+v", cpu, last)
			}
			sleep(10 * time.Second)
			h.is(alice, hub.Running)
		})
	}
}

// A start that was given up says how far it came.
func TestHowFarAStartCame(t *testing.T) {
	for want, c := range map[string]struct {
		script  spawnertest.Script
		noProxy bool
	}{
		"The system did not get it to run.":                                                             {script: spawnertest.Script{StartDelay: time.Hour}},
		"It runs, and did not come so far as to listen: it may just be slow. Try again.":                {script: spawnertest.Script{Silent: true}},
		"It runs and answers, and the proxy does not take its address. Please tell your administrator.": {noProxy: true},
	} {
		play(t, func(t *testing.T, h *house) {
			h.machine.Script(alice, c.script)
			h.router.Away(c.noProxy)
			h.start(alice)
			sleep(61 * time.Second)
			h.router.Away(false)
			h.is(alice, hub.Failed)
			cause := h.record(alice).Failure
			if cause == nil || cause.Kind != hub.CauseTimeout || cause.Message != "The server was not ready within 60 seconds. "+want || cause.Detail != "start_timeout = 1m0s" {
				t.Errorf("the cause is %+v, want %q", cause, want)
			}
		})
	}
}
