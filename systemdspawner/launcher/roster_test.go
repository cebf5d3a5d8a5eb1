package launcher

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
)

func unitOf(user string, state hub.UnitState, invocation string) hub.Unit {
	ref := hub.ServerRef{User: user}
	return hub.Unit{ServerRef: ref, Name: hub.UnitName(ref), State: state, Invocation: invocation}
}

// told collects what a watcher is told, as short text.
func told(t *testing.T, r *roster, w *watcher) (news []string) {
	t.Helper()
	whole, units, err := r.next(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if whole != nil {
		news = append(news, fmt.Sprintf("all %d", len(whole.Units)))
	}
	for _, u := range units {
		text := fmt.Sprintf("%s %s %t", u.User, u.State, u.Listening)
		if u.Cause != nil {
			text += " " + string(u.Cause.Kind)
		}
		news = append(news, text)
	}
	return news
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestAWatcherIsToldTheWholeAndThenEachChange(t *testing.T) {
	r := newRoster(time.Now)
	w, leave := r.watch()
	defer leave()
	r.redrawn("boot")
	expect(t, told(t, r, w), "all 0")

	if _, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); err != nil {
		t.Fatal(err)
	}
	expect(t, told(t, r, w), "alice activating false")
	r.update(unitOf("alice", hub.UnitActive, "1"), "/group", Choice{}, promise{})
	r.listens("jupyter-alice.service", true)
	r.listens("jupyter-alice.service", true)
	expect(t, told(t, r, w), "alice active true") // the newest state of each
	r.end(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseExited}, true)
	if _, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); err != nil {
		t.Fatal(err)
	}
	expect(t, told(t, r, w), "alice failed false exited", "alice activating false") // an end is news of its own
	r.redrawn("boot")
	expect(t, told(t, r, w), "all 1")
}

func TestASlowWatcherHoldsNobodyUpAndIsToldTheWhole(t *testing.T) {
	r := newRoster(time.Now)
	w, leave := r.watch()
	defer leave()
	expect(t, told(t, r, w), "all 0")
	for n := range maxPending + 1 {
		r.end(unitOf("alice", hub.UnitFailed, fmt.Sprint(n)), nil, false)
	}
	if len(w.pending) > maxPending {
		t.Errorf("%d changes wait", len(w.pending))
	}
	expect(t, told(t, r, w), "all 0")
}

func TestAServerIsStartedOnce(t *testing.T) {
	r := newRoster(time.Now)
	if _, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a second start: %v", err)
	}
	r.end(unitOf("alice", hub.UnitInactive, ""), nil, false)
	if _, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

// A start asks the name service before it claims its unit. Whoever cancels meanwhile must not be overtaken by it.
func TestAStopFindsAStartThatHasOnlyBegun(t *testing.T) {
	r, alice := newRoster(time.Now), hub.ServerRef{User: "alice"}
	begin := func() *ticket {
		t.Helper()
		ticket, err := r.begin(alice)
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	first := begin()
	if _, err := r.begin(alice); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a second start meanwhile: %v", err)
	}
	if e := r.ask("jupyter-alice.service"); e != nil {
		t.Errorf("a unit is alive: %+v", e)
	}
	second := begin() // one that shall not go on is in nobody's way
	if _, err := r.claim(unitOf("alice", "", ""), first, capacity{}, promise{}); hub.KindOf(err) != hub.Conflict {
		t.Errorf("the first start goes on: %v", err)
	}
	r.finish(alice, first)
	if _, err := r.claim(unitOf("alice", "", ""), second, capacity{}, promise{}); err != nil {
		t.Errorf("the second start: %v", err)
	}
	r.finish(alice, second)
	if len(r.tickets) != 0 {
		t.Errorf("left are %v", r.tickets)
	}
}

func TestASuccessorKnowsWhoHadItsName(t *testing.T) {
	r := newRoster(time.Now)
	r.end(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseExited}, true)
	if e, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{}); err != nil || e.former != "1" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestARestartBySystemdIsANewRun(t *testing.T) {
	r := newRoster(time.Now)
	if !r.update(unitOf("alice", hub.UnitActive, "1"), "/group", Choice{}, promise{}) {
		t.Error("a unit that was never seen is not new")
	}
	r.listens("jupyter-alice.service", true)
	if r.update(unitOf("alice", hub.UnitActive, "1"), "/group", Choice{}, promise{}) {
		t.Error("the same run is new")
	}
	if !r.update(unitOf("alice", hub.UnitActivating, "2"), "/group", Choice{}, promise{}) {
		t.Error("another run is not new")
	}
	if e, _ := r.get("jupyter-alice.service"); e.unit.Listening {
		t.Error("the new run listens before its socket is there")
	}
}

func TestFailedUnitsAreRememberedForATimeAndForgottenInSystemdOnceTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoster(time.Now)
		r.redrawn("boot")
		failure := &hub.Cause{Kind: hub.CauseExited}
		r.end(unitOf("alice", hub.UnitFailed, "1"), failure, true)
		if names := r.told(); names != nil {
			t.Errorf("forgets %v although nobody was told", names)
		}
		_, leave := r.watch()
		defer leave()
		if names := r.told(); len(names) != 1 || len(r.told()) != 0 {
			t.Errorf("forgets %v", names)
		}
		time.Sleep(remembered + time.Second) // the bubble's clock
		r.end(unitOf("bob", hub.UnitFailed, "2"), failure, true)
		list, err := r.list(t.Context())
		if err != nil || len(list.Units) != 1 || list.Units[0].User != "bob" || list.BootID != "boot" {
			t.Errorf("remembers %+v, %v", list, err)
		}
	})
}

func TestTheMemoryOfFailuresIsBounded(t *testing.T) {
	r := newRoster(time.Now)
	for n := range maxRemembered + 10 {
		r.end(unitOf(fmt.Sprint("u", n), hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseExited}, true)
	}
	if len(r.entries) > maxRemembered {
		t.Errorf("remembers %d", len(r.entries))
	}
}

func TestShutdownIsAnEndWithoutFailure(t *testing.T) {
	r := newRoster(time.Now)
	r.update(unitOf("alice", hub.UnitActive, "1"), "", Choice{}, promise{})
	r.end(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseShutdown}, false)
	if e, _ := r.get("jupyter-alice.service"); e.unit.State != hub.UnitInactive || e.unit.Cause.Kind != hub.CauseShutdown {
		t.Errorf("%+v", e.unit)
	}
}

func TestWhoeverWaitsForAUnitLearnsOfItsEnd(t *testing.T) {
	r := newRoster(time.Now)
	e, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{})
	if err != nil {
		t.Fatal(err)
	}
	active := func(u hub.Unit) bool { return u.State == hub.UnitActive }
	seen := make(chan hub.Unit)
	go func() {
		u, _ := r.await(t.Context(), e, active)
		seen <- u
	}()
	r.end(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseTimeout}, false)
	if u := <-seen; u.State != hub.UnitFailed || u.Cause.Kind != hub.CauseTimeout {
		t.Errorf("saw %+v", u)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other, err := r.claim(unitOf("bob", "", ""), new(ticket), capacity{}, promise{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.await(ctx, other, active); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
