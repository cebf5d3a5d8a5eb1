package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub/store"
)

// A login costs a process and a hash that is slow by design, so logins pass a turnstile, and what follows is its rule.
//
//   - At most maxPassing conversations are under way; the others wait.
//   - An account that logged in well from its address before goes first. Then addresses take turns, and within an address
//     the newest attempt goes first: under a flood, who came last is most likely somebody who still waits for the answer.
//   - An account from an address has at most accountLimit attempts that failed or are under way, an address addressLimit.
//     Over it they wait until those under way came out, and over the limit of failures until the delay is over, one at a time.
//   - A known account from an address is not held up by that address's limit, only by its own.
//   - Who would have to wait longer than patience is refused at once, told when to come back, and costs no conversation; a
//     refusal does not count as a failure and makes no delay longer. So after a flood of any length the next attempt is let
//     through when the delay of the flood's last failure is over, whoever makes it, and a flood that stays within patience
//     delays a good login by less than patience.
//   - maxWaiting bounds how many wait, maxAddressWaiting for one address, accountLimit for one account from it. Over these
//     the oldest of the same account, else of the same address, else of the address with most is refused; a known account
//     last.
const (
	maxPassing        = 32
	maxWaiting        = 1024
	maxAddressWaiting = 128
	patience          = 10 * time.Second
)

// turnstile orders login attempts.
type turnstile struct {
	store *store.Store
	now   func() time.Time

	mu      sync.Mutex // guards everything below and the lines
	passing int
	waiting int
	lines   map[string]*line // by address; only those with somebody waiting, under way, or being written
	turns   []*line          // in the order of their turns
	alarm   *time.Timer      // when the next delay is over
}

// pass is one attempt that was let through. It must be ended by exactly one of its verbs won, lost and spoiled.
type pass struct {
	t       *turnstile
	line    *line
	account string
	slot    bool // guarded by t.mu: it counts in t.passing
}

func newTurnstile(s *store.Store, now func() time.Time) *turnstile {
	return &turnstile{store: s, now: now, lines: make(map[string]*line)}
}

// enter waits for an attempt's turn. It returns an error of kind TooMany if there is no use in waiting.
func (t *turnstile) enter(ctx context.Context, address, account string) (*pass, error) {
	k := &ticket{account: account, called: make(chan error, 1)}
	l, err := t.join(address, k)
	if err != nil {
		return nil, err
	}
	tired := time.NewTimer(patience)
	defer tired.Stop()
	select {
	case err = <-k.called:
	case <-ctx.Done():
		err = t.leave(l, k, ctx.Err())
	case <-tired.C:
		err = t.leave(l, k, nil)
	}
	if err != nil {
		return nil, err
	}
	return &pass{t: t, line: l, account: account, slot: true}, nil
}

// join puts a ticket at the end of its line, and lets in whoever may go.
func (t *turnstile) join(address string, k *ticket) (*line, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, err := t.line(address, k.account)
	if err != nil {
		return nil, err
	}
	l.tickets = append(l.tickets, k)
	l.accounts[k.account].waiting++
	t.waiting++
	t.makeRoom(l, k.account)
	t.dispatch()
	return l, nil
}

// line returns the address's line with the account's tally, from memory or from the store.
func (t *turnstile) line(address, account string) (*line, error) {
	l := t.lines[address]
	if l == nil {
		l = &line{address: address, accounts: make(map[string]*member)}
	}
	err := t.store.View(func(tx *store.Tx) error {
		l.recall(tx, account, t.now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t.lines[address] == nil {
		t.lines[address] = l
		t.turns = append(t.turns, l)
	}
	return l, nil
}

// leave takes a ticket out of its line, unless it was called in the same moment. why is nil if it waited too long.
func (t *turnstile) leave(l *line, k *ticket, why error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(l.tickets, k) {
		return <-k.called
	}
	if why == nil {
		why = tooMany(l.wait(k.account, t.now()))
	}
	t.remove(l, k)
	t.tidy(l, k.account)
	return why
}

// makeRoom refuses the oldest where there are too many.
func (t *turnstile) makeRoom(l *line, account string) {
	var victim *ticket
	switch {
	case l.accounts[account].waiting > accountLimit:
		victim = l.oldest(func(k *ticket) bool { return k.account == account })
	case len(l.tickets) > maxAddressWaiting:
		victim = l.oldest(l.stranger)
	case t.waiting > maxWaiting:
		l = slices.MaxFunc(t.turns, func(a, b *line) int { return len(a.tickets) - len(b.tickets) })
		victim = l.oldest(l.stranger)
	}
	if victim != nil {
		t.refuse(l, victim)
	}
}

func (t *turnstile) refuse(l *line, k *ticket) {
	k.called <- tooMany(l.wait(k.account, t.now()))
	t.remove(l, k)
	t.tidy(l, k.account)
}

func (t *turnstile) remove(l *line, k *ticket) {
	l.tickets = slices.DeleteFunc(l.tickets, func(o *ticket) bool { return o == k })
	l.accounts[k.account].waiting--
	t.waiting--
}

// dispatch lets through whom the rule lets through, refuses whom it tells to come back, and sets the alarm for the rest.
func (t *turnstile) dispatch() {
	now := t.now()
	for _, l := range slices.Clone(t.turns) {
		for _, k := range slices.Clone(l.tickets) {
			if l.wait(k.account, now) > patience {
				t.refuse(l, k)
			}
		}
	}
	for t.passing < maxPassing && t.letOneIn(now) {
	}
	t.setAlarm(now)
}

// letOneIn gives the next slot to the first line, in the order of turns, of which a known account may go, else of which
// anybody may; its next turn is last.
func (t *turnstile) letOneIn(now time.Time) bool {
	var l *line
	var k *ticket
	for _, other := range t.turns {
		next, known := other.next(now)
		if next != nil && (k == nil || known) {
			l, k = other, next
		}
		if known {
			break
		}
	}
	if k == nil {
		return false
	}
	t.turns = append(slices.DeleteFunc(t.turns, func(o *line) bool { return o == l }), l)
	t.remove(l, k)
	t.passing++
	l.tally.inflight++
	l.accounts[k.account].inflight++
	k.called <- nil
	return true
}

// setAlarm sees to it that dispatch runs when the first delay ends that somebody waits for.
func (t *turnstile) setAlarm(now time.Time) {
	soonest := patience + 1
	for _, l := range t.turns {
		for _, k := range l.tickets {
			if d := l.wait(k.account, now); d > 0 {
				soonest = min(soonest, d)
			}
		}
	}
	if t.alarm != nil {
		t.alarm.Stop()
	}
	if soonest > patience {
		return
	}
	t.alarm = time.AfterFunc(soonest, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.dispatch()
	})
}

// tidy forgets what nobody needs any more of an account, and of the line if it was the last; the store remembers.
func (t *turnstile) tidy(l *line, account string) {
	if m := l.accounts[account]; m != nil && m.idle() {
		delete(l.accounts, account)
	}
	if len(l.accounts) == 0 {
		delete(t.lines, l.address)
		t.turns = slices.DeleteFunc(t.turns, func(o *line) bool { return o == l })
	}
}

// park gives the slot back while a person thinks; the attempt still counts as one that may fail.
func (p *pass) park() {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	p.release()
	p.t.dispatch()
}

func (p *pass) release() {
	if p.slot {
		p.slot = false
		p.t.passing--
	}
}

// won ends an attempt that succeeded.
func (p *pass) won() error {
	return p.end(func(l *line, m *member, now time.Time) {
		l.tally.Failures = max(0, l.tally.Failures-m.Failures)
		m.Throttle = store.Throttle{}
		m.known = now.Add(knownFor)
	})
}

// lost ends an attempt that was refused, or given up: to see the next question and go away is an attempt too.
func (p *pass) lost() error {
	return p.end(func(l *line, m *member, now time.Time) {
		l.tally.fail(now, addressLimit)
		m.fail(now, accountLimit)
	})
}

// spoiled ends an attempt that failed through no fault of whoever made it.
func (p *pass) spoiled() {
	t, l := p.t, p.line
	t.mu.Lock()
	defer t.mu.Unlock()
	p.release()
	l.out(p.account)
	t.dispatch()
	t.tidy(l, p.account)
}

// end counts an attempt's outcome, lets the next one in, and writes the counts. The account's tally stays in memory until
// they are written, and every write takes what is in memory at its moment, so the last one is right.
func (p *pass) end(count func(*line, *member, time.Time)) error {
	t, l := p.t, p.line
	t.mu.Lock()
	p.release()
	m := l.out(p.account)
	count(l, m, t.now())
	m.writing++
	t.dispatch()
	t.mu.Unlock()

	err := t.store.Update(func(tx *store.Tx) error {
		t.mu.Lock()
		whole, one := l.tally.Throttle, *m
		t.mu.Unlock()
		return l.remember(tx, p.account, whole, one, t.now())
	})

	t.mu.Lock()
	defer t.mu.Unlock()
	m.writing--
	t.tidy(l, p.account)
	return err
}
