package auth

import (
	"net/netip"
	"time"

	"jupyterhubd/hub/store"
)

// What failed logins cost. Failures are counted for an account from an address, and for an address; over the limit the next
// attempt must wait, one second first and then twice as long each time. Nothing is counted for an account alone, so nobody
// can lock somebody else out from elsewhere. Counts live in the store and are forgotten an hour after the last failure.
//
// Who logs in well forgives the failures of that account from that address, in the address's count too: a lecture hall
// behind one address does not add up its typing errors, while an attacker's own good account forgives only itself.
const (
	accountLimit = 5
	addressLimit = 50
	maxDelay     = time.Minute
	memory       = time.Hour
	// knownFor is how long an account that logged in well from an address is let in there past the address's own limit.
	knownFor = 30 * 24 * time.Hour
)

// The classes of keys in the store, which bounds each class by itself.
const (
	classAccount = "account:" // address, space, account
	classAddress = "address:"
	classKnown   = "known:" // as classAccount; Until is how long
)

// tally is what is known of one account from one address, or of one address.
type tally struct {
	store.Throttle
	inflight int // attempts that were let through and have not come out; each may yet be a failure
}

// fail counts a failure.
func (t *tally) fail(now time.Time, limit int) {
	t.Failures, t.Last = t.Failures+1, now
	if over := t.Failures - limit; over >= 0 {
		t.Until = now.Add(min(maxDelay, time.Second<<min(over, 6)))
	}
}

// opens returns when the next attempt may be let through as far as this tally goes; ok is false while that depends on how
// attempts under way come out.
func (t *tally) opens(now time.Time, limit int) (at time.Time, ok bool) {
	switch {
	case t.Failures >= limit:
		return t.Until, t.inflight == 0
	case t.Failures+t.inflight >= limit:
		return now, false
	}
	return now, true
}

// forget starts anew when the last failure is long ago.
func (t *tally) forget(now time.Time) {
	if t.inflight == 0 && now.Sub(t.Last) >= memory {
		t.Throttle = store.Throttle{}
	}
}

// throttleAddress is what counts as one address: an IPv6 customer has a whole /64.
func throttleAddress(a netip.Addr) string {
	if !a.IsValid() || a.Is4() {
		return addressOf(a)
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return addressOf(a)
	}
	return prefix.String()
}
