package auth

import (
	"context"
	"errors"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Logout ends every session whose login cookie came with the request, which is one unless somebody planted another: the
// session, the tokens that were issued through it, its cookies, and through the SessionEnder its open connections to servers.
// Without a good login cookie it does nothing: any site can make a browser come here (specification 3.6). An Unavailable error
// means that the browser is logged out, but its connections may live on until their tokens are asked for.
func (p *Porter) Logout(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if v.door != browserDoor {
		return nil
	}
	var over []hub.Session
	err := p.o.Store.View(func(tx *store.Tx) (err error) {
		over, err = p.sessionsOf(tx, r)
		return err
	})
	if err != nil || len(over) == 0 {
		return err
	}
	err = p.o.Store.Update(func(tx *store.Tx) error {
		for _, s := range over {
			if err := tx.DeleteSession(s.ID); err != nil && hub.KindOf(err) != hub.NotFound {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.clearCookies(w, v)
	return p.endAll(r.Context(), over)
}

// LockOut ends everything that a user comes in with, before their servers are stopped or their record is removed: their
// browsers' connections, wherever they lead, sessions and tokens. An Unavailable error means that nothing is sure to have ended:
// try again.
func (p *Porter) LockOut(ctx context.Context, user string) error {
	var sessions []hub.Session
	err := p.o.Store.View(func(tx *store.Tx) error {
		sessions = tx.Sessions(user)
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.endAll(ctx, sessions); err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "The proxy could not be told to close what " + user + " has open. Please try again in a moment.", Err: err}
	}
	return p.o.Store.Update(func(tx *store.Tx) error { return lockOut(tx, user) })
}

func (p *Porter) endAll(ctx context.Context, sessions []hub.Session) error {
	var failed error
	for _, s := range sessions {
		failed = errors.Join(failed, p.endSession(ctx, s.ID))
	}
	return failed
}

func (p *Porter) endSession(ctx context.Context, id string) error {
	if p.o.Sessions == nil || id == "" {
		return nil
	}
	if err := p.o.Sessions.EndSession(ctx, id); err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "You are logged out, but the proxy could not be told to close what is still open.", Err: err}
	}
	return nil
}
