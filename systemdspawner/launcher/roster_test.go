package launcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	if e := r.ask(alice); e != nil {
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
	if fresh, _ := r.update(unitOf("alice", hub.UnitActive, "1"), "/group", Choice{}, promise{}); !fresh {
		t.Error("a unit that was never seen is not new")
	}
	r.listens("jupyter-alice.service", true)
	if fresh, _ := r.update(unitOf("alice", hub.UnitActive, "1"), "/group", Choice{}, promise{}); fresh {
		t.Error("the same run is new")
	}
	if fresh, _ := r.update(unitOf("alice", hub.UnitActivating, "2"), "/group", Choice{}, promise{}); !fresh {
		t.Error("another run is not new")
	}
	if e, _ := r.get(hub.ServerRef{User: "alice"}); e.unit.Listening {
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
	if e, _ := r.get(hub.ServerRef{User: "alice"}); e.unit.State != hub.UnitInactive || e.unit.Cause.Kind != hub.CauseShutdown {
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

// renamed is a unit as another template calls it.
func renamed(u hub.Unit) hub.Unit {
	names, _ := hub.ParseUnitTemplate("jupyter-{USERNAME}-singleuser")
	u.Name = names.Of(u.ServerRef)
	return u
}

// The template of names is another one now: a server that runs keeps its unit, is found by its own name, and gets no second unit.
func TestAServerHasOneUnitWhateverItIsCalled(t *testing.T) {
	r, alice := newRoster(time.Now), hub.ServerRef{User: "alice"}
	former := unitOf("alice", hub.UnitActive, "1")
	r.update(former, "/group", Choice{}, promise{})
	if _, err := r.begin(alice); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a start by the new name: %v", err)
	}
	if _, err := r.claim(renamed(former), new(ticket), capacity{}, promise{}); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a claim of the new name: %v", err)
	}
	if fresh, twin := r.update(renamed(unitOf("alice", hub.UnitActive, "2")), "/group", Choice{}, promise{}); fresh || !twin {
		t.Errorf("a second unit is fresh: %t, and a twin: %t", fresh, twin)
	}
	if r.end(renamed(unitOf("alice", hub.UnitInactive, "2")), nil, false) {
		t.Error("the end of the second unit is the server's")
	}
	if e, _ := r.get(alice); e.unit.Name != former.Name || !e.alive() {
		t.Errorf("alice's server is %+v", e.unit)
	}
	if e := r.ask(alice); e == nil || e.unit.Name != former.Name {
		t.Errorf("a stop finds %+v", e)
	}
	r.end(former, nil, false)
	if e, err := r.claim(renamed(former), new(ticket), capacity{}, promise{}); err != nil || e.unit.Name == former.Name {
		t.Errorf("after its end: %+v, %v", e, err)
	}
	if _, known := r.named(former.Name); known {
		t.Error("the former name still leads to it")
	}
	if e, known := r.named("jupyter-alice-singleuser.service"); !known || e.unit.ServerRef != alice {
		t.Errorf("the new name leads to %+v", e.unit)
	}
}

// Systemd keeps a failure by the unit's former name: the next start lets it forget that as well.
func TestAFailureByTheFormerNameIsForgotten(t *testing.T) {
	r := newRoster(time.Now)
	r.redrawn("boot")
	former := unitOf("alice", hub.UnitFailed, "1")
	r.end(former, &hub.Cause{Kind: hub.CauseExited}, true)
	e, err := r.claim(renamed(former), new(ticket), capacity{}, promise{})
	if err != nil || e.former != "1" {
		t.Fatalf("%+v, %v", e, err)
	}
	_, leave := r.watch()
	defer leave()
	if names := r.told(); len(names) != 1 || names[0] != former.Name {
		t.Errorf("systemd is to forget %v", names)
	}
}

// Another server's unit has the name since before the template was changed: that one stays, and the refusal says whose it is.
func TestANameThatAnotherServerHasIsRefused(t *testing.T) {
	r := newRoster(time.Now)
	u := unitOf("alice", hub.UnitActive, "1")
	r.update(u, "/group", Choice{}, promise{})
	bobs := unitOf("bob", "", "")
	bobs.Name = u.Name
	_, err := r.claim(bobs, new(ticket), capacity{}, promise{})
	if cause := causeOf(err); cause == nil || cause.Kind != hub.CauseNameClash || !strings.Contains(cause.Detail, "alice/") {
		t.Errorf("%v: %+v", err, cause)
	}
	r.end(u, &hub.Cause{Kind: hub.CauseExited}, true)
	if _, err := r.claim(bobs, new(ticket), capacity{}, promise{}); err != nil {
		t.Errorf("after its end: %v", err)
	}
	if e, _ := r.get(u.ServerRef); e.unit.Cause == nil {
		t.Error("why alice's ended is not told any more")
	}
	if e, _ := r.named(u.Name); e.unit.User != "bob" {
		t.Errorf("the name leads to %+v", e.unit)
	}
}
