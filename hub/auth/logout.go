package auth

import (
	"context"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Logout ends the session whose login cookie came with the request: the session, the tokens that were issued through it, its
// cookies, and through the SessionEnder its open connections to servers. Without a good login cookie it does nothing: any
// site can make a browser come here (specification 3.6). An Unavailable error means that the browser is logged out, but its
// connections may live on until their tokens are asked for.
func (p *Porter) Logout(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	actor, err := p.byCookie(r, v)
	if err != nil || actor.Session == nil {
		return err
	}
	err = p.o.Store.Update(func(tx *store.Tx) error { return tx.DeleteSession(actor.Session.ID) })
	if err != nil && hub.KindOf(err) != hub.NotFound {
		return err
	}
	p.clearCookies(w, v)
	return p.endSession(r.Context(), actor.Session.ID)
}

// EndSessions ends the connections of all sessions of a user who is about to be removed or disowned.
func (p *Porter) EndSessions(ctx context.Context, user string) error {
	var sessions []hub.Session
	err := p.o.Store.View(func(tx *store.Tx) error {
		sessions = tx.Sessions(user)
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if err := p.endSession(ctx, s.ID); err != nil {
			return err
		}
	}
	return nil
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
