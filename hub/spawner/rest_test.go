package spawner_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
)

var killed = &hub.Cause{Kind: hub.CauseSignal, Message: "It was killed.", Journal: []string{"last words"}}

// failure is what the store knows of the end of alice's server.
func (h *house) failure() hub.Cause {
	h.t.Helper()
	synctest.Wait()
	if c := h.record(alice).Failure; c != nil {
		return *c
	}
	return hub.Cause{}
}

// Alice's server dies where the journal is slow: she knows why at once, and the last lines are added when they come.
func TestADeathIsToldAtOnceAndItsLinesWhenTheyCome(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{JournalTime: 5 * time.Second})
		h.run(alice)
		h.machine.Die(alice, killed)
		h.is(alice, hub.Failed)
		if c := h.failure(); !c.Partial || c.Message != killed.Message || c.Journal != nil {
			t.Errorf("at once: %+v", c)
		}
		told := h.story(alice)
		if len(told) != 1 || !told[0].Failed || told[0].Last() {
			t.Errorf("at once: %+v", told)
		}
		sleep(5 * time.Second)
		if c := h.failure(); c.Partial || len(c.Journal) != 1 {
			t.Errorf("later: %+v", c)
		}
		if told = h.story(alice); len(told) != 1 || !told[0].Last() || len(told[0].Cause.Journal) != 1 {
			t.Errorf("later: %+v", told)
		}
	})
}

// Bob watches alice's start: he hears that it failed, then the lines.
func TestWhoWatchesAStartHearsItsFailureAndThenItsLines(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{JournalTime: 5 * time.Second, DieAfter: time.Second, Death: killed, Silent: true})
		h.start(alice)
		events, err := h.Watch(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var failed []time.Duration
		for e := range events {
			if e.Failed {
				failed = append(failed, time.Since(began))
			}
		}
		if len(failed) != 2 || failed[0] != time.Second || failed[1] != 6*time.Second {
			t.Errorf("heard of the failure after %v", failed)
		}
	})
}

// Who has no lines to tell is asked for them, and may be silent: nobody waits for that.
func TestAFailureIsToldThoughTheJournalNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.options.Journal = func(ctx context.Context, _ hub.ServerRef, _ int) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		h.open()
		defer h.close()
		h.run(alice)
		began := time.Now()
		h.machine.Die(alice, &hub.Cause{Kind: hub.CauseSignal, Message: "It was killed."})
		h.is(alice, hub.Failed)
		if c := h.failure(); !c.Partial || time.Since(began) > 0 {
			t.Errorf("after %s: %+v", time.Since(began), c)
		}
		for e := range h.events(alice) {
			if time.Since(began) > time.Minute {
				t.Errorf("the stream goes on with %+v", e)
			}
		}
		if c := h.failure(); c.Partial || c.Message != "It was killed." {
			t.Errorf("in the end: %+v", c)
		}
	})
}

func (h *house) events(ref hub.ServerRef) <-chan hub.Event {
	h.t.Helper()
	events, err := h.Watch(h.t.Context(), ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}

// Alice starts her server again before the lines of its last run have come: they are of no interest any more.
func TestLinesThatComeAfterTheNextStartAreLeftOut(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{JournalTime: 5 * time.Second})
		h.run(alice)
		former, _ := h.machine.Unit(alice)
		h.machine.Die(alice, killed)
		h.is(alice, hub.Failed)
		watching := h.events(alice)
		h.run(alice)
		former.State, former.Cause = hub.UnitFailed, &hub.Cause{Kind: hub.CauseSignal, Message: "It was killed.", Invocation: former.Invocation}
		h.machine.Say(former)
		sleep(5 * time.Second)
		h.is(alice, hub.Running)
		if c := h.failure(); c.Message != "" {
			t.Errorf("a server that runs has failed: %+v", c)
		}
		for e := range watching { // ends
			if e.Last() {
				t.Errorf("told %+v", e)
			}
		}
	})
}

// The hub is killed between the cause and the lines. The next one adds what its spawner still knows.
func TestTheNextHubCompletesAFailure(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{JournalTime: time.Hour})
		h.run(alice)
		h.machine.Die(alice, killed)
		h.is(alice, hub.Failed)
		h.stop()
		sleep(2 * time.Hour)
		h.open()
		if c := h.failure(); c.Partial || len(c.Journal) != 1 {
			t.Errorf("%+v", c)
		}
		h.is(alice, hub.Failed)
	})
}

// Nobody knows the lines any more: the next hub does not wait for ever.
func TestAFailureOfWhichNobodyKnowsMoreIsNotPartialForEver(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{JournalTime: time.Hour})
		h.run(alice)
		h.machine.Die(alice, killed)
		h.is(alice, hub.Failed)
		h.stop()
		h.machine.Reboot()
		h.open()
		sleep(time.Minute)
		if c := h.failure(); c.Partial || c.Message != killed.Message {
			t.Errorf("%+v", c)
		}
	})
}

// A server that is given up is asked for its last lines before it is stopped: afterwards nobody finds them.
func TestAServerThatIsGivenUpIsReadBeforeItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.options.Journal = func(_ context.Context, ref hub.ServerRef, _ int) ([]string, error) {
			if !h.alive(ref) {
				return nil, nil
			}
			return []string{"still loading"}, nil
		}
		h.open()
		defer h.close()
		h.machine.Script(alice, spawnertest.Script{Silent: true})
		h.start(alice)
		_, err := h.Wait(t.Context(), alice)
		if c := h.failure(); err == nil || c.Kind != hub.CauseTimeout || strings.Join(c.Journal, "") != "still loading" {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
