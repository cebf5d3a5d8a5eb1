package web

import (
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// sharePage asks whether a person takes what somebody shares with whoever has the code in the page's address.
type sharePage struct {
	Layout
	Owner, Server string
	Code, Next    string
	Ready         bool
	Lines         []rbac.Description
}

// offer answers GET /hub/accept-share?code=: the address is what one person gives another.
func (room *Room) offer(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err != nil {
		return err
	}
	code := r.URL.Query().Get("code")
	if code == "" {
		return hub.Errorf(hub.Invalid, "The address lacks the code of the share.")
	}
	c, err := room.Directory.Offer(u.Name, code)
	if err != nil {
		return err
	}
	live, err := room.Workshop.Server(c.Server)
	if err != nil {
		return err
	}
	lines := room.Porter.Policy().Describe(hub.ScopesFor(c.Server, c.Scopes), rbac.Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: u.Name}})
	w.Header().Set("Referrer-Policy", "no-referrer") // the address is the secret
	return room.show(w, http.StatusOK, "share", sharePage{room.layout(w, r, "share", "Accept a shared server"), c.Server.User, c.Server.Server,
		code, r.URL.Query().Get("next"), live.State.Ready(), lines})
}

// accept answers POST: the person takes it, and is led to the server, or to where next= says.
func (room *Room) accept(w http.ResponseWriter, r *http.Request) error {
	u, err := me(r)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	s, err := room.Directory.AcceptShare(u.Name, r.Form.Get("code"))
	if k := hub.KindOf(err); k == hub.NotFound || k == hub.Forbidden {
		return hub.Errorf(hub.Invalid, "%s", hub.TextOf(err)) // JupyterHub's answer
	}
	if err != nil {
		return err
	}
	auth.Concern(r, "server "+s.Server.String())
	live, err := room.Workshop.Server(s.Server)
	if err != nil {
		return err
	}
	next, ok := room.Porter.Asked(r, r.Form.Get("next"))
	if !ok {
		next = live.URL
	}
	return redirect(w, http.StatusFound, next)
}
