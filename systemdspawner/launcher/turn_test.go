package launcher

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"jupyterhubd/hub"
)

// line is a launcher that brings up one unit at a time, and a way to stand in its line: the channel tells how the wait ended.
func line(t *testing.T) (*Launcher, func(user string) (<-chan error, func())) {
	l := &Launcher{roster: newRoster(time.Now), turns: semaphore.NewWeighted(1)}
	return l, func(user string) (<-chan error, func()) {
		e, err := l.roster.claim(unitOf(user, "", ""), new(ticket), capacity{}, promise{})
		if err != nil {
			t.Fatal(err)
		}
		ended, up := make(chan error, 1), make(chan struct{})
		go func() {
			done, err := l.turn(t.Context(), e)
			ended <- err
			if err == nil {
				<-up
				done()
			}
		}()
		synctest.Wait()
		return ended, func() { close(up); synctest.Wait() }
	}
}

func TestUnitsAreBroughtUpInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stand := line(t)
		first, firstIsUp := stand("alice")
		second, secondIsUp := stand("bob")
		if len(first) != 1 || len(second) != 0 {
			t.Errorf("%d and %d have their turn", len(first), len(second))
		}
		firstIsUp()
		if err := <-second; err != nil {
			t.Error(err)
		}
		secondIsUp()
	})
}

// A unit that waits for a file server gives its place up, once.
func TestASlowUnitHoldsNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stand := line(t)
		_, aliceIsUp := stand("alice")
		second, bobIsUp := stand("bob")
		time.Sleep(slow) // the bubble's clock
		synctest.Wait()
		if len(second) != 1 {
			t.Error("bob waits for alice")
		}
		aliceIsUp()
		if l.turns.TryAcquire(1) {
			t.Error("alice's place was given up twice")
		}
		bobIsUp()
		if !l.turns.TryAcquire(1) {
			t.Error("bob's place is still taken")
		}
	})
}

func TestAStopEndsTheWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stand := line(t)
		_, aliceIsUp := stand("alice")
		second, _ := stand("bob")
		l.roster.ask(hub.ServerRef{User: "bob"})
		if err := <-second; hub.KindOf(err) != hub.Conflict {
			t.Errorf("bob's wait ended with %v", err)
		}
		aliceIsUp()
	})
}
