package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

func TestThrottleDelays(t *testing.T) {
	now := noon().now()
	var a tally
	for i, want := range []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60} {
		a.fail(now, accountLimit)
		if at, ok := a.opens(now, accountLimit); !ok || max(0, at.Sub(now)) != want*time.Second {
			t.Errorf("after %d failures the next waits %v (%v), want %ds", i+1, at.Sub(now), ok, want)
		}
	}
	a.forget(now.Add(memory - 1))
	if a.Failures == 0 {
		t.Error("forgotten too soon")
	}
	a.forget(now.Add(memory))
	if a.Failures != 0 {
		t.Error("never forgotten")
	}
}

// An IPv6 customer has a /64 and can knock from any of its addresses.
func TestThrottleAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64",
		"::ffff:192.0.2.7": "192.0.2.7", "fe80::1%eth0": "fe80::/64", "": "unknown",
	} {
		if got := throttleAddress(hostOnly("[" + address + "]:1")); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// Five failures for an account from an address; the sixth attempt waits, the account is not locked from elsewhere, and a
// restart of the hub does not help.
func TestFiveFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		for range accountLimit {
			wantKind(t, h.browser("192.0.2.66").login("alice", "guess"), hub.Forbidden)
		}
		start := time.Now()
		wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("alice waited %v at her own address", waited)
		}
		h.turnstile = newTurnstile(h.store, time.Now) // a restart
		wantKind(t, h.browser("192.0.2.66").login("alice", "guess"), hub.Forbidden)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("the sixth attempt waited %v", waited)
		}
		wantKind(t, h.browser("192.0.2.66").login("Alice", "guess"), hub.Forbidden)
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("the seventh attempt was over after %v", waited)
		}
	})
}

// Who would have to wait longer than anybody has patience for is told so, and costs no conversation.
func TestLongDelaysAreRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.update(func(tx *store.Tx) error {
			return tx.PutThrottle("account:192.0.2.66 alice", store.Throttle{Failures: 9, Last: time.Now(), Until: time.Now().Add(16 * time.Second)})
		})
		start := time.Now()
		res := h.browser("192.0.2.66").login("alice", "wonderland")
		wantKind(t, res, hub.TooMany)
		if time.Since(start) != 0 || len(h.door.begun) != 0 {
			t.Errorf("refused after %v and %d conversations", time.Since(start), len(h.door.begun))
		}
		time.Sleep(17 * time.Second)
		wantLogin(t, h.browser("192.0.2.66").login("alice", "wonderland"))
	})
}

// Fifty failures from one address hold up that address, except for accounts that are known to log in from there.
func TestFiftyFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		const cafe = "192.0.2.66"
		wantLogin(t, h.browser(cafe).login("alice", "wonderland"))
		for i := range addressLimit {
			wantKind(t, h.browser(cafe).login(fmt.Sprintf("user%d", i), "spring2026"), hub.Forbidden)
		}
		start := time.Now()
		wantLogin(t, h.browser(cafe).login("alice", "wonderland"))
		wantLogin(t, h.browser("192.0.2.7").login("bob", "builder"))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("alice and bob waited %v", waited)
		}
		wantLogin(t, h.browser(cafe).login("mallory", "malice"))
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("somebody new there waited %v", waited)
		}
	})
}

// A lecture hall behind one address: everybody mistypes once and then gets it right. Nobody is held up.
func TestTypingErrorsAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		start := time.Now()
		for i := range 2 * addressLimit {
			name := fmt.Sprintf("student%d", i)
			h.door.add(name, int64(5000+i), "right")
			wantKind(t, h.browser("192.0.2.1").login(name, "wrong"), hub.Forbidden)
			wantLogin(t, h.browser("192.0.2.1").login(name, "right"))
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the hall waited %v", waited)
		}
	})
}

// Play: mallory, between guesses, logs in with his own account, so that the address looks good. Verified: it forgives only
// what he mistyped himself.
func TestOwnAccountForgivesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		for i := range addressLimit {
			wantKind(t, h.browser("192.0.2.66").login(fmt.Sprintf("user%d", i), "spring2026"), hub.Forbidden)
			if i%10 == 0 {
				wantLogin(t, h.browser("192.0.2.66").login("mallory", "malice"))
			}
		}
		h.update(func(tx *store.Tx) error {
			if got, _ := tx.Throttle("address:192.0.2.66"); got.Failures != addressLimit {
				t.Errorf("%d failures are counted", got.Failures)
			}
			return nil
		})
	})
}

// flood sends n bad logins in two seconds, from address(i) for name(i).
func flood(h *house, wg *sync.WaitGroup, n int, address, name func(i int) string) {
	for i := range n {
		wg.Go(func() {
			time.Sleep(time.Duration(rand.N(int64(2 * time.Second))))
			h.browser(address(i)).login(name(i), "guess")
		})
	}
}

// persist logs in as a person does: when told to come back later, they come back later.
func persist(t *testing.T, h *house, address string) (waited time.Duration) {
	start := time.Now()
	for {
		res := h.browser(address).login("alice", "wonderland")
		if res.StatusCode == http.StatusFound {
			return time.Since(start)
		}
		if res.Header.Get("X-Kind") != "too-many" {
			t.Errorf("alice was refused: %s", body(res))
			return time.Since(start)
		}
		time.Sleep(time.Second)
	}
}

// Play: a thousand bad logins in two seconds, and alice among them. Verified: wherever the flood comes from and whoever it
// pretends to be, she is in within ten seconds, and never are more than maxPassing processes busy or more than maxWaiting
// requests kept.
func TestThousandBadLogins(t *testing.T) {
	one := func(s string) func(int) string { return func(int) string { return s } }
	many := func(format string) func(int) string {
		return func(i int) string { return fmt.Sprintf(format, i/250, i%250) }
	}
	floods := map[string]struct{ address, name func(int) string }{
		"one account, elsewhere":           {one("198.51.100.1"), one("bob")},
		"one account, her address":         {one("192.0.2.7"), one("bob")},
		"her account, elsewhere":           {one("198.51.100.1"), one("alice")},
		"many accounts, elsewhere":         {one("198.51.100.1"), many("user-%d-%d")},
		"many accounts, her address":       {one("192.0.2.7"), many("user-%d-%d")},
		"her account, her own address":     {one("192.0.2.7"), one("alice")},
		"her account, a hundred addresses": {func(i int) string { return "198.51.100." + strconv.Itoa(i%100) }, one("alice")},
	}
	for name, f := range floods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, nil)
				h.door.refusalTakes = time.Second
				var wg sync.WaitGroup
				flood(h, &wg, 1000, f.address, f.name)
				time.Sleep(time.Second)
				if waited := persist(t, h, "192.0.2.7"); waited > 10*time.Second {
					t.Errorf("alice waited %v", waited)
				} else {
					t.Logf("alice waited %v", waited)
				}
				wg.Wait()
				if h.door.most > maxPassing {
					t.Errorf("%d conversations at a time", h.door.most)
				}
				checkEmpty(t, h.turnstile)
			})
		})
	}
}

// checkEmpty verifies that a turnstile remembers nobody when nobody is there.
func checkEmpty(t *testing.T, ts *turnstile) {
	t.Helper()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.passing != 0 || ts.waiting != 0 || len(ts.lines) != 0 || len(ts.turns) != 0 {
		t.Errorf("left over: %d passing, %d waiting, %d lines, %d turns", ts.passing, ts.waiting, len(ts.lines), len(ts.turns))
	}
}

// What waits is bounded, whoever comes: for one account, for one address, and in all.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := bareTurnstile(t)
		var held []*pass
		for i := range maxPassing { // all slots are taken by people who take their time
			p, err := ts.enter(t.Context(), fmt.Sprintf("203.0.113.%d", i), "slow")
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, p)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for i := range 4 * maxWaiting {
			wg.Go(func() {
				p, err := ts.enter(t.Context(), fmt.Sprintf("198.51.100.%d", i%200), fmt.Sprintf("user%d", i%7))
				var e *hub.Error
				switch {
				case errors.As(err, &e) && e.Kind == hub.TooMany && e.RetryAfter >= time.Second:
					mu.Lock()
					defer mu.Unlock()
					refused++
				case err != nil:
					t.Error(err)
				default:
					p.spoiled()
				}
			})
		}
		synctest.Wait()
		ts.mu.Lock()
		if ts.waiting > maxWaiting {
			t.Errorf("%d wait", ts.waiting)
		}
		for _, l := range ts.lines {
			if len(l.tickets) > maxAddressWaiting {
				t.Errorf("%d wait at %s", len(l.tickets), l.address)
			}
		}
		ts.mu.Unlock()
		for _, p := range held {
			p.spoiled()
		}
		wg.Wait()
		if refused < 3*maxWaiting {
			t.Errorf("%d were refused", refused)
		}
		checkEmpty(t, ts)
	})
}

// An attempt whose browser went away leaves its place to others.
func TestGoneBrowserLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := bareTurnstile(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var held []*pass
		for range accountLimit {
			p, err := ts.enter(ctx, "192.0.2.7", "alice")
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, p)
		}
		wg.Go(func() {
			if _, err := ts.enter(ctx, "192.0.2.7", "alice"); !errors.Is(err, context.Canceled) {
				t.Errorf("the sixth was let in or refused: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		for _, p := range held {
			p.spoiled()
		}
		checkEmpty(t, ts)
	})
}

// In a flood from everywhere, who logged in from where they are before goes past all others.
func TestKnownAccountsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
		h.door.refusalTakes = time.Second
		var wg sync.WaitGroup
		flood(h, &wg, 1000, func(i int) string { return fmt.Sprintf("198.51.%d.%d", i/250, i%250) }, func(i int) string { return fmt.Sprintf("user%d", i) })
		time.Sleep(2 * time.Second)
		if waited := persist(t, h, "192.0.2.7"); waited > 2*time.Second {
			t.Errorf("alice waited %v", waited)
		}
		wg.Wait()
		checkEmpty(t, h.turnstile)
	})
}

func bareTurnstile(t *testing.T) *turnstile {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newTurnstile(s, time.Now)
}
