package auth

import (
	"slices"
	"strconv"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// line is one address: its tally, and who waits there. The turnstile's mutex guards it.
type line struct {
	address  string
	tally    tally
	accounts map[string]*member // those with somebody waiting or under way, or being written
	tickets  []*ticket          // oldest first
}

// member is one account, as far as one address is concerned.
type member struct {
	tally
	known   time.Time // until when the account counts as one that logs in from here
	waiting int       // tickets
	writing int       // outcomes that are on their way to the store
}

func (m *member) idle() bool { return m.waiting == 0 && m.inflight == 0 && m.writing == 0 }

// ticket is one attempt that waits.
type ticket struct {
	account string
	called  chan error // nil: pass
}

// recall reads what the store has and memory has not.
func (l *line) recall(tx *store.Tx, account string, now time.Time) {
	if len(l.accounts) == 0 {
		l.tally.Throttle, _ = tx.Throttle(classAddress + l.address)
	}
	m := l.accounts[account]
	if m == nil {
		m = new(member)
		m.Throttle, _ = tx.Throttle(classAccount + l.address + " " + account)
		known, _ := tx.Throttle(classKnown + l.address + " " + account)
		m.known = known.Until
		l.accounts[account] = m
	}
	l.tally.forget(now)
	m.forget(now)
}

// remember writes what is known of the address and of one account.
func (l *line) remember(tx *store.Tx, account string, whole store.Throttle, m member, now time.Time) error {
	id := l.address + " " + account
	if m.Failures == 0 && m.known.After(now) {
		if err := tx.PutThrottle(classKnown+id, store.Throttle{Last: now, Until: m.known}); err != nil {
			return err
		}
	}
	if err := keep(tx, classAddress+l.address, whole); err != nil {
		return err
	}
	return keep(tx, classAccount+id, m.Throttle)
}

func keep(tx *store.Tx, key string, t store.Throttle) error {
	if t.Failures == 0 {
		return tx.DeleteThrottle(key)
	}
	return tx.PutThrottle(key, t)
}

// next returns who may go now: the newest, known accounts before others.
func (l *line) next(now time.Time) (chosen *ticket, known bool) {
	for _, k := range slices.Backward(l.tickets) {
		if at, ok := l.opens(k.account, now); !ok || at.After(now) {
			continue
		}
		if l.accounts[k.account].known.After(now) {
			return k, true
		}
		if chosen == nil {
			chosen = k
		}
	}
	return chosen, false
}

// opens returns when an account's next attempt may be let through; ok is false while that depends on attempts under way.
func (l *line) opens(account string, now time.Time) (at time.Time, ok bool) {
	m := l.accounts[account]
	at, ok = m.opens(now, accountLimit)
	if m.known.After(now) {
		return at, ok
	}
	whole, free := l.tally.opens(now, addressLimit)
	if whole.After(at) {
		at = whole
	}
	return at, ok && free
}

// wait returns how long a delay still holds an account up.
func (l *line) wait(account string, now time.Time) time.Duration {
	at, _ := l.opens(account, now)
	return max(0, at.Sub(now))
}

// oldest returns the ticket that waits longest among those that which picks, or of all if it picks none.
func (l *line) oldest(which func(*ticket) bool) *ticket {
	return l.tickets[max(0, slices.IndexFunc(l.tickets, which))]
}

// stranger reports whether a ticket's account never logged in from here.
func (l *line) stranger(k *ticket) bool { return l.accounts[k.account].known.IsZero() }

// out notes that an attempt came out.
func (l *line) out(account string) *member {
	m := l.accounts[account]
	l.tally.inflight--
	m.inflight--
	return m
}

func tooMany(wait time.Duration) error {
	wait = max(wait.Truncate(time.Second)+time.Second, time.Second)
	return &hub.Error{Kind: hub.TooMany, RetryAfter: wait,
		Text: "Too many attempts to log in. Please try again in " + seconds(int(wait/time.Second)) + "."}
}

func seconds(n int) string {
	if n == 1 {
		return "a second"
	}
	return strconv.Itoa(n) + " seconds"
}
