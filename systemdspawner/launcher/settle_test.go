package launcher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"jupyterhubd/hub"
)

// invoked is an invocation as systemd numbers them.
var invoked = strings.Repeat("a", invocationSize)

// looksUp is a launcher without a systemd whose journal answers after a while.
func looksUp(t *testing.T, after time.Duration, lines ...string) *Launcher {
	return &Launcher{
		o:      Options{Now: time.Now, Report: func(doing, unit string, err error) { t.Logf("%s: %s: %v", doing, unit, err) }},
		roster: newRoster(time.Now), sockets: sockets{base: t.TempDir()}, readers: semaphore.NewWeighted(journalReaders),
		journal: func(ctx context.Context, _ run, _ int) (tail, error) {
			select {
			case <-time.After(after):
				return tail{lines: lines}, nil
			case <-ctx.Done():
				return tail{}, ctx.Err()
			}
		},
	}
}

// watched runs a unit of alice's and watches it.
func (l *Launcher) watched(t *testing.T) (hub.Unit, *watcher) {
	t.Helper()
	l.roster.redrawn("boot")
	w, leave := l.roster.watch()
	t.Cleanup(leave)
	u := unitOf("alice", hub.UnitActive, invoked)
	l.roster.update(u, "/group", Choice{}, promise{})
	told(t, l.roster, w)
	return u, w
}

// heard waits for the next news of a unit.
func (l *Launcher) heard(t *testing.T, w *watcher) *hub.Cause {
	t.Helper()
	_, units, err := l.roster.next(t.Context(), w)
	if err != nil || len(units) != 1 || units[0].State != hub.UnitFailed || units[0].Invocation != invoked {
		t.Fatalf("heard %+v, %v", units, err)
	}
	return units[0].Cause
}

// Alice's server dies on a machine whose journal is slow. She is told why at once, and what the journal says when it does.
func TestADeathIsToldBeforeTheJournalIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := looksUp(t, 5*time.Second, "OSError: [Errno 28] No space left on device")
		u, w := l.watched(t)
		began := time.Now()
		l.failed(t.Context(), u, ending{Result: "exit-code", Code: cldExited, Status: 1, Active: true})
		first := l.heard(t, w)
		if passed := time.Since(began); passed > 0 || !first.Partial || first.Kind != hub.CauseExited || first.Message == "" {
			t.Errorf("after %s: %+v", passed, first)
		}
		if forgotten := l.roster.told(); len(forgotten) > 0 {
			t.Errorf("systemd is to forget %v, of which all is not told", forgotten)
		}
		whole := l.heard(t, w)
		if whole.Partial || whole.Kind != hub.CauseFullHome || len(whole.Journal) != 1 || !whole.At.Equal(first.At) {
			t.Errorf("then: %+v", whole)
		}
	})
}

// The journal says nothing at all.
func TestADeathIsToldThoughTheJournalNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := looksUp(t, 0)
		l.journal = func(ctx context.Context, _ run, _ int) (tail, error) {
			ctx, cancel := context.WithTimeout(ctx, journalTime)
			defer cancel()
			<-ctx.Done()
			return tail{}, errors.New("no answer")
		}
		u, w := l.watched(t)
		began := time.Now()
		l.failed(t.Context(), u, ending{Result: "signal", Code: cldKilled, Status: 9, Active: true})
		if first := l.heard(t, w); time.Since(began) > 0 || !strings.Contains(first.Message, "SIGKILL") {
			t.Errorf("after %s: %+v", time.Since(began), first)
		}
		if whole := l.heard(t, w); whole.Partial || !strings.Contains(whole.Message, "SIGKILL") {
			t.Errorf("in the end: %+v", whole)
		}
		if forgotten := l.roster.told(); !slices.Equal(forgotten, []string{u.Name}) {
			t.Errorf("systemd is to forget %v", forgotten)
		}
	})
}

// The answer of a start that failed has the journal's lines where they come soon, and does not wait for them where they do not.
func TestAStartThatFailsIsAnsweredWithinASecond(t *testing.T) {
	for name, c := range map[string]struct {
		after   time.Duration
		partial bool
	}{"quick journal": {100 * time.Millisecond, false}, "slow journal": {time.Minute, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := looksUp(t, c.after, "for a reason")
				e, err := l.roster.claim(unitOf("alice", hub.UnitActivating, ""), new(ticket), capacity{}, promise{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				l.failed(t.Context(), unitOf("alice", hub.UnitFailed, invoked), ending{Result: "exit-code", Code: cldExited, Status: 3, Active: true})
				cause := causeOf(l.notUp(t.Context(), e))
				if passed := time.Since(began); passed > time.Second || cause == nil || cause.Partial != c.partial || len(cause.Journal) > 0 == c.partial {
					t.Errorf("after %s: %+v", passed, cause)
				}
				l.readings.Wait()
				if last, _ := l.roster.get(hub.ServerRef{User: "alice"}); last.unit.Cause.Partial || len(last.unit.Cause.Journal) != 1 {
					t.Errorf("in the end: %+v", last.unit.Cause)
				}
			})
		})
	}
}

// A launcher that ends while it reads leaves the unit to the next one.
func TestWhatIsNotReadYetIsLeftToTheNextLauncher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := looksUp(t, time.Minute)
		u, w := l.watched(t)
		ctx, cancel := context.WithCancel(t.Context())
		l.failed(ctx, u, ending{Result: "signal", Code: cldKilled, Status: 9, Active: true})
		l.heard(t, w)
		cancel()
		l.readings.Wait()
		if forgotten := l.roster.told(); len(forgotten) > 0 {
			t.Errorf("systemd is to forget %v", forgotten)
		}
	})
}

// What the journal says of a run is no news of the one that followed it.
func TestALateWordIsNotSaidOfTheNextRun(t *testing.T) {
	r := newRoster(time.Now)
	r.end(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseExited, Partial: true}, false)
	e, err := r.claim(unitOf("alice", "", ""), new(ticket), capacity{}, promise{})
	if err != nil {
		t.Fatal(err)
	}
	r.amend(unitOf("alice", hub.UnitFailed, "1"), &hub.Cause{Kind: hub.CauseExited})
	if u := r.unit(e); u.Cause != nil || u.State != hub.UnitActivating {
		t.Errorf("the next run is %+v", u)
	}
}

// A file server that is away holds nobody up.
func TestAHomeThatDoesNotAnswerIsNotCalledFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, began := make(chan struct{}), time.Now()
		if soon(t.Context(), func() bool { <-gone; return true }) || time.Since(began) > time.Second {
			t.Errorf("waited %s", time.Since(began))
		}
		close(gone)
	})
}
