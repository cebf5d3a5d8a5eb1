package auth

import (
	"context"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// outPause is how long Run waits before it tries again what failed.
const outPause = 5 * time.Second

// Run shows out whose account does not stay, until ctx ends, and looks once more for accounts that were missing. What fails is tried
// again: until it succeeds its user is not let in.
func (p *Porter) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		p.lookOnceMore(ctx)
		for name, why := range p.standings.leaving() {
			if p.showOut(ctx, name, why) == nil {
				p.standings.left(name, why)
			}
		}
		p.standings.rest(ctx, p.o.Now(), p.rules.Load().grace())
	}
	return nil
}

// rest waits until there is something to do.
func (st *standings) rest(ctx context.Context, now time.Time, age time.Duration) {
	pause, due := time.Duration(0), false
	if len(st.leaving()) > 0 {
		pause, due = outPause, true
	}
	for _, since := range st.missing() {
		if wait := max(age-now.Sub(since), time.Second); !due || wait < pause {
			pause, due = wait, true
		}
	}
	var alarm <-chan time.Time
	if due {
		t := time.NewTimer(pause)
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-st.told:
	case <-alarm:
	case <-ctx.Done():
	}
}

// missing returns since when accounts are not there.
func (st *standings) missing() map[string]time.Time {
	st.mu.Lock()
	defer st.mu.Unlock()
	all := map[string]time.Time{}
	for name := range st.gone {
		if s := st.known[name]; s != nil && !s.missing.IsZero() {
			all[name] = s.missing
		} else {
			delete(st.gone, name)
		}
	}
	return all
}

// lookOnceMore looks for the accounts that were missing long enough.
func (p *Porter) lookOnceMore(ctx context.Context) {
	age := p.rules.Load().grace()
	for name, since := range p.standings.missing() {
		if p.o.Now().Sub(since) < age {
			continue
		}
		err := p.Admit(ctx, name)
		if hub.KindOf(err) == hub.NotFound {
			p.standings.forget(name) // the hub does not know the user any more
		}
	}
}

func (st *standings) forget(name string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.gone, name)
	if s := st.known[name]; s != nil && s.looking == nil {
		delete(st.known, name)
	}
}

func (st *standings) leaving() map[string]reason {
	st.mu.Lock()
	defer st.mu.Unlock()
	all := make(map[string]reason, len(st.out))
	for name, why := range st.out {
		all[name] = why
	}
	return all
}

// left notes that somebody was shown out for a reason; a greater one that came meanwhile stays.
func (st *standings) left(name string, why reason) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.out[name] == why {
		delete(st.out, name)
	}
}

// showOut takes sessions, tokens and servers away. The user of an account that is another person's now is forgotten as a whole, and
// so is one whose account is gone where the configuration says so; the others find their rights and their named servers again when the
// account is in order again.
func (p *Porter) showOut(ctx context.Context, name string, why reason) error {
	err := p.evict(ctx, name)
	if err == nil && (why == replaced || why == removed && p.rules.Load().DeleteInvalidUsers) {
		err = p.o.Store.Update(func(tx *store.Tx) error { return tx.DeleteUser(name) })
	}
	if hub.KindOf(err) == hub.NotFound {
		err = nil
	}
	p.o.Report(name, map[reason]string{barred: "the account is locked, has expired, or is not admitted", removed: "the account is gone",
		replaced: "the account is another person's now"}[why], err)
	return err
}
