package auth

import (
	"context"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// An account that is gone does not stay in. Whoever comes in by a cookie, a token or the admin's socket is a user whose account
// was seen at a login; before they are believed the account is looked at again, at most once in Rules.AccountAge. One that is
// locked, has expired, or is another person's by now comes in no more from that moment on, and loses sessions, tokens and servers.
//
// That an account is missing is believed the second time, an AccountAge later: the name service says so too while a directory server
// is away, and nobody's work shall end for that. Until then its user is not let in. A door that does not answer changes nothing.

// Accounts looks at an account that somebody uses. Its errors: NotFound where there is none, Forbidden where it may not be used;
// any other means that nothing is known.
type Accounts interface {
	Check(ctx context.Context, name string) (hub.Account, error)
}

const (
	// checking bounds how many accounts are looked at together: each is a process behind the door where logins wait too.
	checking = 8
	// checkPatience bounds one look. Whoever cannot be looked at is taken for what they were.
	checkPatience = 5 * time.Second
	// remembered bounds how many accounts are kept in mind; beyond it those go that were looked at long ago.
	remembered = 16384
)

// standings is what is known of accounts.
type standings struct {
	turns chan struct{} // one for each look under way

	mu    sync.Mutex // guards what follows
	known map[string]*standing
	out   map[string]reason // who has to be shown out, by name
	gone  map[string]bool   // of those known, who may be missing
	told  chan struct{}     // there is something for Run to do
}

// reason is why somebody has to leave; the greater one counts.
type reason uint8

const (
	barred   reason = iota // the account may not be used: locked, expired, not admitted by root's rules
	removed                // there is no such account
	replaced               // the account is another person's: another uid, or another name of that uid
)

// standing is what is known of one account.
type standing struct {
	uid     int64
	at      time.Time
	missing time.Time     // since when it is not there; zero: it is
	refused bool          // its user does not come in
	looking chan struct{} // closed when a look that is under way is over; nil: none is
}

func newStandings() *standings {
	return &standings{turns: make(chan struct{}, checking), known: map[string]*standing{}, out: map[string]reason{}, gone: map[string]bool{}, told: make(chan struct{}, 1)}
}

// stands reports whether a user's account may be used now.
func (p *Porter) stands(ctx context.Context, u hub.User) bool {
	age := p.rules.Load().AccountAge
	if p.o.Accounts == nil || age < 0 || !u.LoggedIn() {
		return true // nobody ever logged in by that name: a robot's, which the hub alone knows
	}
	return p.standing(ctx, u, age) == nil
}

// Admit looks at a user's account at this moment, as a start of a server wants it: nobody is remembered. The error carries a
// cause for the user.
func (p *Porter) Admit(ctx context.Context, user string) error {
	if p.o.Accounts == nil {
		return nil
	}
	var u hub.User
	err := p.o.Store.View(func(tx *store.Tx) (err error) {
		u, err = tx.User(user)
		return err
	})
	if err != nil || !u.LoggedIn() {
		return err // whose account was never seen is looked up by whoever starts servers
	}
	return p.standing(ctx, u, 0)
}

// CheckAccounts looks at the accounts of users and returns how many of them do not stay.
func (p *Porter) CheckAccounts(ctx context.Context, users []string) (ended int, err error) {
	var work sync.WaitGroup
	var mu sync.Mutex // guards ended
	for _, name := range users {
		var u hub.User
		err := p.o.Store.View(func(tx *store.Tx) (err error) {
			u, err = tx.User(name)
			return err
		})
		if hub.KindOf(err) == hub.NotFound {
			continue
		}
		if err != nil {
			return 0, err
		}
		work.Go(func() {
			if !p.stands(ctx, u) {
				mu.Lock()
				defer mu.Unlock()
				ended++
			}
		})
	}
	work.Wait()
	return ended, ctx.Err()
}

// standing looks at an account unless that was done within age.
func (p *Porter) standing(ctx context.Context, u hub.User, age time.Duration) error {
	for {
		s, wait, mine := p.standings.enter(u, p.o.Now(), age)
		switch {
		case mine:
			p.look(ctx, u, s)
			return p.standings.verdict(u.Name)
		case wait == nil:
			return p.standings.verdict(u.Name)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		age = max(age, time.Second) // what another one has just seen will do
	}
}

// enter returns what is known of an account if it is young enough, a look under way to wait for, or a look that is the caller's.
func (st *standings) enter(u hub.User, now time.Time, age time.Duration) (s *standing, wait chan struct{}, mine bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s = st.known[u.Name]
	switch {
	case s != nil && s.looking != nil:
		return s, s.looking, false
	case s != nil && s.uid == u.UID && now.Sub(s.at) < age:
		return s, nil, false
	case s == nil:
		st.forgetOld(now)
		s = &standing{}
		st.known[u.Name] = s
	}
	if s.uid != u.UID {
		*s = standing{uid: u.UID}
	}
	s.looking = make(chan struct{})
	return s, nil, true
}

// forgetOld makes room.
func (st *standings) forgetOld(now time.Time) {
	if len(st.known) < remembered {
		return
	}
	for name, s := range st.known {
		if s.looking == nil && (now.Sub(s.at) > time.Hour || len(st.known) >= 2*remembered) {
			delete(st.known, name)
		}
	}
}

func (st *standings) verdict(name string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := st.known[name]
	if s == nil || !s.refused {
		return nil
	}
	cause := &hub.Cause{Kind: hub.CauseAccount, Message: "Your account may not be used here any more. Please ask the administrator of this machine."}
	return &hub.Error{Kind: hub.Forbidden, Text: cause.Message, Cause: cause}
}

// look asks the door, and draws the conclusion. It goes on when whoever asked leaves: others wait for it.
func (p *Porter) look(ctx context.Context, u hub.User, s *standing) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), checkPatience)
	defer done()
	var account hub.Account
	var err error
	select {
	case p.standings.turns <- struct{}{}:
		account, err = p.o.Accounts.Check(ctx, u.Name)
		<-p.standings.turns
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil && account.Guest && !u.Guest { // whose name would be a guest's now: the account is missing, and may come back
		err = hub.Errorf(hub.NotFound, "there is no account %q, only a guest", u.Name)
	}
	p.standings.conclude(u, s, account, err, p.o.Now(), p.rules.Load().grace())
}

// conclude writes down what was seen, and has a user shown out whose account does not stay.
func (st *standings) conclude(u hub.User, s *standing, a hub.Account, err error, now time.Time, age time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	close(s.looking)
	s.looking, s.at = nil, now
	kind := hub.KindOf(err)
	if kind != hub.NotFound && (err == nil || kind == hub.Forbidden) {
		s.missing = time.Time{}
	}
	switch {
	case err == nil && a.UID == u.UID && a.Name == u.Name:
		s.refused = false
	case err == nil:
		s.refused = true
		st.show(u.Name, replaced)
	case kind == hub.Forbidden:
		s.refused = true
		st.show(u.Name, barred)
	case kind == hub.NotFound && s.missing.IsZero():
		s.refused, s.missing, st.gone[u.Name] = true, now, true
		st.tell()
	case kind == hub.NotFound && now.Sub(s.missing) >= age:
		s.refused, s.missing = true, time.Time{}
		st.show(u.Name, removed)
	}
}

func (st *standings) show(name string, why reason) {
	st.out[name] = max(st.out[name], why)
	st.tell()
}

func (st *standings) tell() {
	select {
	case st.told <- struct{}{}:
	default:
	}
}

// welcome forgets what was known of an account by whose password somebody has just logged in.
func (st *standings) welcome(a hub.Account, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if s := st.known[a.Name]; s == nil || s.looking == nil {
		st.forgetOld(now)
		st.known[a.Name] = &standing{uid: a.UID, at: now}
	}
	delete(st.out, a.Name)
}
