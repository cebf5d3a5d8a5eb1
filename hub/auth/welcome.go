package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// maxSessions bounds how many browsers one user is logged in with; over it the one that was not seen longest is logged out.
const maxSessions = 64

// welcome turns a conversation's good end into a user and a session.
func (p *Porter) welcome(ctx context.Context, w http.ResponseWriter, r *http.Request, t *talk) (LoginStep, error) {
	account := *t.step.Account
	t.close()
	user, err := p.admit(ctx, account)
	if err != nil {
		return LoginStep{}, p.refused(ctx, t, err)
	}
	p.standings.welcome(account, p.o.Now())
	if err := p.startSession(ctx, w, r, user, t.step.AuthState); err != nil {
		return LoginStep{}, p.refused(ctx, t, err)
	}
	if err := t.pass.won(); err != nil {
		return LoginStep{}, err
	}
	Concern(r, "user "+user.Name)
	visitOf(r).vouched = Actor{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user.Name}, User: &user, Via: Typed}
	return LoginStep{Step: hub.Step{Messages: t.step.Messages}, User: &user}, nil
}

// admit finds or makes the hub user of an account. Names are identity, and a uid that changed means another person: then
// whoever had the name or the uid before is forgotten, with sessions, tokens, rights, shares and servers, before anybody comes in.
func (p *Porter) admit(ctx context.Context, a hub.Account) (user hub.User, err error) {
	if a.Name == "" || a.UID <= 0 && !(a.Guest && a.UID == hub.NoUID) {
		return hub.User{}, hub.Errorf(hub.Unavailable, "the login door named no account")
	}
	gone, err := p.replaced(a)
	if err != nil {
		return hub.User{}, err
	}
	for _, name := range gone {
		if err := p.evict(ctx, name); err != nil {
			return hub.User{}, err
		}
	}
	err = p.o.Store.Update(func(tx *store.Tx) error {
		for _, name := range gone {
			if err := tx.DeleteUser(name); err != nil && hub.KindOf(err) != hub.NotFound {
				return err
			}
		}
		user, err = p.putAccount(tx, a)
		return err
	})
	return user, err
}

// kept is what of an authenticator's words stays. Nothing takes the place of what was there, as with JupyterHub: a login says all
// that is true of its user.
func (p *Porter) kept(state json.RawMessage) json.RawMessage {
	if !p.rules.Load().KeepAuthState {
		return nil
	}
	return state
}

// replaced lists the users whose account is not what it was: the one of this name if its uid was another, and the one of
// this uid if its name is another. An account takes its name back from a guest. A guest takes none from an account: that one may be
// missing because a directory server is away.
func (p *Porter) replaced(a hub.Account) (gone []string, err error) {
	err = p.o.Store.View(func(tx *store.Tx) error {
		u, err := tx.User(a.Name)
		if err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
		switch known := err == nil && u.LoggedIn(); {
		case known && a.Guest && !u.Guest:
			return hub.Errorf(hub.Forbidden, "the user %q had an account, and is no guest: remove that user first", u.Name)
		case known && (u.Guest != a.Guest || u.UID != a.UID):
			gone = append(gone, u.Name)
		}
		if a.Guest {
			return nil
		}
		u, err = tx.UserByUID(a.UID)
		if err == nil && u.Name != a.Name {
			gone = append(gone, u.Name)
		}
		if err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
		return nil
	})
	return gone, err
}

// evict locks a user out and then stops what runs for them: in this order nobody can start it anew. The uid stays until all of it has succeeded, so that the next login tries again.
func (p *Porter) evict(ctx context.Context, name string) error {
	if err := p.LockOut(ctx, name); err != nil {
		return err
	}
	if p.o.Evictor == nil {
		return nil
	}
	if err := p.o.Evictor.Evict(ctx, name); err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "stop the servers of the account's former holder", Err: err}
	}
	return nil
}

// lockOut takes from a user all that they could come in with.
func lockOut(tx *store.Tx, name string) error {
	if err := tx.DeleteTokensOf(hub.Owner{Kind: hub.OwnerUser, Name: name}); err != nil {
		return err
	}
	return tx.DeleteSessionsOfUser(name)
}

// putAccount stores the account's user, made if this is the first login.
func (p *Porter) putAccount(tx *store.Tx, a hub.Account) (hub.User, error) {
	u, err := tx.User(a.Name)
	if err != nil && hub.KindOf(err) != hub.NotFound {
		return hub.User{}, err
	}
	if err != nil {
		u = hub.User{Name: a.Name}
	}
	u.UID, u.Guest, u.LastActivity = a.UID, a.Guest, p.o.Now().UTC()
	u.Admin = p.rules.Load().admin(a, u.Admin)
	return tx.PutUser(u)
}

// admin says whether an account is an admin's: groups decide when there are any, and a name in the configuration always
// makes one (specification 6.5). Neither speaks of guests, who may have any name that is no account's.
func (r *Rules) admin(a hub.Account, was bool) bool {
	if a.Guest {
		return was
	}
	if slices.Contains(r.AdminUsers, a.Name) {
		return true
	}
	if len(r.AdminGroups) == 0 {
		return was
	}
	return slices.ContainsFunc(a.Groups, func(g string) bool { return slices.Contains(r.AdminGroups, g) })
}

// startSession gives the browser a session of its own in place of the one that it may have had, whoever's that was, and keeps what
// the authenticator said of the user.
func (p *Porter) startSession(ctx context.Context, w http.ResponseWriter, r *http.Request, u hub.User, state json.RawMessage) error {
	v := visitOf(r)
	var cookie string
	var s hub.Session
	var over []string // the sessions that end
	err := p.o.Store.Update(func(tx *store.Tx) (err error) {
		now := p.o.Now().UTC()
		over = excess(tx.Sessions(u.Name))
		former, err := p.sessionsOf(tx, r)
		if err != nil {
			return err
		}
		for _, f := range former {
			over = append(over, f.ID)
		}
		for _, id := range over {
			if err := tx.DeleteSession(id); err != nil && hub.KindOf(err) != hub.NotFound {
				return err
			}
		}
		if err := tx.PutAuthState(u.Name, p.kept(state)); err != nil {
			return err
		}
		cookie, s, err = tx.NewSession(hub.Session{User: u.Name, Created: now, Expires: now.Add(p.rules.Load().CookieMaxAge), Address: addressOf(v.Address)})
		return err
	})
	if err != nil {
		return err
	}
	p.setSessionCookie(w, v, s.ID)
	p.setLoginCookie(w, v, cookie, s.Expires)
	p.setXSRFCookie(w, v, p.mintXSRF(binding(r, Actor{Session: &s})), true)
	p.clearCookie(w, v, cookieParlour, p.hubURL+"login")
	for _, id := range over {
		_ = p.endSession(ctx, id) // these connections die with their tokens at the latest, ignoring
	}
	return nil
}

// excess returns the ids of the sessions that must go so that one more has room.
func excess(sessions []hub.Session) (ids []string) {
	slices.SortFunc(sessions, func(a, b hub.Session) int { return a.LastSeen.Compare(b.LastSeen) })
	for len(sessions) >= maxSessions {
		ids, sessions = append(ids, sessions[0].ID), sessions[1:]
	}
	return ids
}
