package proxy

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// Of one owner's requests few are at work at once, in the order in which they came. A place is free again when its request has ended.
func TestFewAreAtWorkAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var at []turn
		for range atWork {
			at = append(at, ts.take(nil))
		}
		came := make(chan int, 3)
		for i := range 3 {
			go func() {
				ts.take(nil)
				came <- i
			}()
			synctest.Wait()
		}
		if len(came) != 0 {
			t.Fatalf("%d more than %d are at work", len(came), atWork)
		}
		at[3].end()
		at[3].end() // once more is nothing more
		synctest.Wait()
		if len(came) != 1 || <-came != 0 {
			t.Error("a place that is free does not go to who came first")
		}
		if second, third := <-came, <-came; second+third != 1+2 { // once the others are at it for too long
			t.Errorf("then came %d and %d", second, third)
		}
	})
}

// Who is at it for long waits for something else, and keeps nobody out. Ending then takes nothing from whoever has the place.
func TestLongRequestsKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var long []turn
		for range atWork {
			long = append(long, ts.take(nil))
		}
		began := time.Now()
		next := ts.take(nil)
		if waited := time.Since(began); waited != workTime {
			t.Errorf("the next one waits %s", waited)
		}
		for _, one := range long {
			one.end()
		}
		if ts.places[next.place].number != next.number {
			t.Error("somebody else has the place that was given")
		}
	})
}

// Who leaves before it is his turn is not waited for.
func TestWhoLeavesGetsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		for range atWork {
			ts.take(nil)
		}
		gone := make(chan struct{})
		close(gone)
		if got := ts.take(gone); got.of != nil || len(ts.waiting) != 0 {
			t.Errorf("he has %v, and %d wait", got, len(ts.waiting))
		}
		got := ts.take(nil)
		got.end()
		if ts.waiting != nil {
			t.Error("somebody still waits")
		}
	})
}

// Vulnerability: who waits for a processor waits behind all that were ready before.
// Attack: Mallory's requests are ready by the hundred.
// Verified: no more than a few of hers are at work, and Bob's and the hub's begin at once.
func TestAStormWaitsForItself(t *testing.T) {
	p := newProxy(t, Options{})
	for path, user := range map[string]string{"/user/mallory": "mallory", "/user/bob": "bob"} {
		if err := p.Add(path, ofUser("http://127.0.0.1:1", user)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		enters := func(path string) (waited time.Duration) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
			ps, problem := p.read(r)
			if problem != nil || ps.route == nil {
				t.Fatalf("%s: %v", path, problem)
			}
			began := time.Now()
			if _, ok := p.enter(ps, &Bounds{UserRate: 1_000_000}); !ok {
				t.Errorf("%s is refused", path)
			}
			return time.Since(began)
		}
		for range atWork {
			enters("/user/mallory/")
		}
		if waited := enters("/user/bob/"); waited != 0 {
			t.Errorf("bob waits %s", waited)
		}
		if waited := enters("/user/mallory/"); waited != workTime {
			t.Errorf("mallory waits %s", waited)
		}
	})
}
