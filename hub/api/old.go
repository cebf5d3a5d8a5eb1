package api

import (
	"io"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// Requests that JupyterHub 2 made needless and that old clients still send. Their paths hold secrets, which the hall keeps out
// of the log.

// ownerOfToken answers GET /hub/api/authorizations/token/T: whose token that is, to whoever has a token themselves. Having a
// token is enough to know whose it is.
func (room *Room) ownerOfToken(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	if err := onlyTokens(a); err != nil {
		return err
	}
	by := readerOf(a)
	var u *hub.User
	var s *hub.Service
	err := room.Store.View(func(tx *store.Tx) error {
		t, err := tx.TokenByValue(r.PathValue("token"))
		if err != nil {
			return err
		}
		by.scopes = by.scopes.Union(room.Policy().Identify(t.Owner))
		if t.Owner.Kind == hub.OwnerService {
			found, err := tx.Service(t.Owner.Name)
			s = &found
			return err
		}
		found, err := tx.User(t.Owner.Name)
		u = &found
		return err
	})
	switch {
	case err != nil:
		return err
	case s != nil:
		return writeJSON(w, http.StatusOK, room.serviceModel(by, *s))
	}
	return writeJSON(w, http.StatusOK, room.userModel(by, *u, room.serversOf(r, by, u.Name)))
}

// onlyTokens refuses browsers: another site could make one ask.
func onlyTokens(a auth.Actor) error {
	if a.Via == auth.Cookie {
		return hub.Errorf(hub.Forbidden, "This is for tokens alone")
	}
	return nil
}

// tokenElsewhere answers POST /hub/api/authorizations/token, which made tokens once.
func (room *Room) tokenElsewhere(http.ResponseWriter, *http.Request) error {
	return hub.Errorf(hub.NotFound, "Tokens are made at %s now", room.pathOf("users", "USER", "tokens"))
}

// ownerOfCookie answers GET /hub/api/authorizations/cookie/NAME/VALUE: whose login cookie that is. The value may be the body.
func (room *Room) ownerOfCookie(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	if err := onlyTokens(a); err != nil {
		return err
	}
	value := r.PathValue("value")
	if value == "" {
		const most = 4096 // bytes of a cookie
		b, err := io.ReadAll(io.LimitReader(r.Body, most))
		if err != nil {
			return err
		}
		value = string(b)
	}
	session, err := room.Doorman.SessionByCookie(r.PathValue("name"), value)
	if err != nil {
		return err
	}
	u, err := room.user(session.User)
	if err != nil {
		return err
	}
	if a.Authorize(seeUser, rbac.UserResource(u.Name)) != nil {
		return writeJSON(w, http.StatusOK, struct{}{}) // JupyterHub's way to say that it is somebody
	}
	return writeJSON(w, http.StatusOK, room.userModel(readerOf(a), u, room.serversOf(r, readerOf(a), u.Name)))
}

// adminAccess answers POST /hub/api/users/U/admin-access, which gave an admin a cookie for somebody's server before OAuth did.
func (room *Room) adminAccess(http.ResponseWriter, *http.Request) error {
	return hub.Errorf(hub.Forbidden, "admin access to user servers disabled")
}
