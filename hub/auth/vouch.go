package auth

import (
	"context"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Vouch knows a user by what is typed, for this one request: there is no session and no cookie. It passes the turnstile as a
// login does, and takes no conversation that asks for more than was typed. Only users whom the hub knows can be vouched for.
// Other doors than the browsers' do not let anybody try: there every local process has one address, and would use up its tries.
func (p *Porter) Vouch(r *http.Request, a Attempt) (Actor, error) {
	v := visitOf(r)
	if v.door != browserDoor {
		return Actor{}, hub.Errorf(hub.Forbidden, "Passwords are for the hub's public address")
	}
	if err := checkAnswers(a); err != nil {
		return Actor{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), talkLife)
	defer cancel()
	t, answers, err := p.resume(ctx, r, Attempt{Username: a.Username, Typed: a.Typed})
	if err != nil {
		return Actor{}, err
	}
	done, err := p.converse(ctx, t, v, answers)
	if err == nil && !done {
		err = hub.Errorf(hub.Forbidden, "the login asks for more than was typed")
	}
	if err != nil {
		return Actor{}, p.refused(ctx, t, err)
	}
	actor, err := p.vouched(ctx, t)
	if err == nil {
		v.vouched = actor
	}
	return actor, err
}

// vouched turns a conversation's good end into an actor.
func (p *Porter) vouched(ctx context.Context, t *talk) (a Actor, err error) {
	account := *t.step.Account
	t.close()
	err = p.o.Store.View(func(tx *store.Tx) error {
		_, err := tx.User(account.Name)
		return err
	})
	if err == nil {
		_, err = p.admit(ctx, account)
	}
	if err == nil {
		err = p.o.Store.View(func(tx *store.Tx) error {
			a, err = p.actor(tx, hub.Owner{Kind: hub.OwnerUser, Name: account.Name})
			a.Via = Typed
			return err
		})
	}
	if err != nil {
		return Actor{}, p.refused(ctx, t, err)
	}
	return a, t.pass.won()
}

// SessionByCookie returns the session that a login cookie of that name and value opens.
func (p *Porter) SessionByCookie(name, value string) (s hub.Session, err error) {
	if ours, _ := p.loginName(); name != ours {
		return s, hub.Errorf(hub.NotFound, "no such cookie: %s", CleanName(name))
	}
	err = p.o.Store.View(func(tx *store.Tx) error {
		s, err = tx.SessionByCookie(value)
		return err
	})
	return s, err
}
