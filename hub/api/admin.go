package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// wholeAdmin reports whether the actor is an admin whose token was not made narrower. JupyterHub asks for the first alone;
// then a token for admin:users, given to a script, could make a second admin and be everything through it.
func (room *Room) wholeAdmin(a auth.Actor) bool {
	role, err := room.Policy().Role(rbac.RoleAdmin)
	return err == nil && a.Admin() && a.Scopes.Covers(room.Policy().Expand(role.Scopes, rbac.Context{Owner: a.Owner}), a.Groups)
}

// mayMake refuses to make an admin for anybody but an admin: a holder of admin:users could make themselves one otherwise
// (CVE-2024-41942).
func (room *Room) mayMake(a auth.Actor, admin bool) error {
	if admin && !room.wholeAdmin(a) {
		return hub.Errorf(hub.Forbidden, "Only admins can grant admin permissions")
	}
	return nil
}

// changeUser answers PATCH /hub/api/users/U.
func (room *Room) changeUser(w http.ResponseWriter, r *http.Request) error {
	if err := room.known(r.PathValue("user")); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	change, err := room.readChange(body, r.PathValue("user"))
	if err != nil {
		return err
	}
	u, err := room.changed(auth.FromContext(r.Context()), change)
	if err != nil {
		return err
	}
	by := readerOf(auth.FromContext(r.Context()))
	return writeJSON(w, http.StatusOK, room.withAuthState(room.userModel(by, u, activeOnly(room.Workshop.Servers(u.Name)))))
}

// SetAdmin makes a user an admin, or an admin a user like others. Forbidden unless the actor is an admin without limits.
func (room *Room) SetAdmin(a auth.Actor, user string, admin bool) error {
	if err := room.known(user); err != nil {
		return err
	}
	_, err := room.changed(a, userChange{old: user, name: user, admin: &admin})
	return err
}

// RenameUser gives a user another name, as a login would have it: Invalid if it is no name, is taken, or while a server of theirs
// runs. Only an admin renames one.
func (room *Room) RenameUser(a auth.Actor, old, name string) (hub.User, error) {
	name = strings.ToLower(name)
	if err := room.fits(name); err != nil {
		return hub.User{}, err
	}
	return room.changed(a, userChange{old: old, name: name})
}

func (room *Room) changed(a auth.Actor, c userChange) (u hub.User, err error) {
	if c.name != c.old && len(activeOnly(room.Workshop.Servers(c.old))) > 0 {
		return u, hub.Errorf(hub.Invalid, "Stop the servers of %s first: they carry the old name", c.old)
	}
	whole := room.wholeAdmin(a)
	err = room.Store.Update(func(tx *store.Tx) error {
		u, err = c.apply(tx, whole)
		return err
	})
	return u, err
}

// userChange is what a PATCH wants.
type userChange struct {
	old, name string
	admin     *bool
	state     json.RawMessage // auth_state; nil leaves it as it is
}

func (room *Room) readChange(body object, user string) (userChange, error) {
	c := userChange{old: user, name: user}
	if body == nil {
		return c, hub.Errorf(hub.Invalid, "The body of the request must be a JSON object")
	}
	if err := body.only("name", "admin", "auth_state"); err != nil {
		return c, err
	}
	if err := body.must("admin", &c.admin, "true or false"); err != nil {
		return c, err
	}
	var state map[string]json.RawMessage
	if err := body.must("auth_state", &state, "an object"); err != nil {
		return c, err
	}
	c.state = body["auth_state"]
	if err := body.must("name", &c.name, "a name"); err != nil {
		return c, err
	}
	if c.name == user {
		return c, nil
	}
	c.name = strings.ToLower(c.name)
	return c, room.fits(c.name)
}

// apply changes the record. Who is not an admin may neither touch one nor make one.
func (c userChange) apply(tx *store.Tx, byAdmin bool) (hub.User, error) {
	u, err := tx.User(c.old)
	if err != nil {
		return u, err
	}
	if !byAdmin && u.Admin {
		return u, hub.Errorf(hub.Forbidden, "Only admins can change admins")
	}
	if !byAdmin && c.admin != nil && *c.admin {
		return u, hub.Errorf(hub.Forbidden, "Only admins can grant admin permissions")
	}
	if c.name != c.old {
		switch err := tx.RenameUser(c.old, c.name); {
		case hub.KindOf(err) == hub.Conflict:
			return u, hub.Errorf(hub.Invalid, "User %s already exists, username must be unique", c.name)
		case err != nil:
			return u, err
		}
		if u, err = tx.User(c.name); err != nil {
			return u, err
		}
	}
	if c.state != nil {
		if err := tx.PutAuthState(c.name, c.state); err != nil {
			return u, err
		}
	}
	if c.admin == nil || *c.admin == u.Admin {
		return u, nil
	}
	u.Admin = *c.admin
	return tx.PutUser(u)
}

// deleteUser answers DELETE /hub/api/users/U.
func (room *Room) deleteUser(w http.ResponseWriter, r *http.Request) error {
	if err := room.RemoveUser(r.Context(), auth.FromContext(r.Context()), r.PathValue("user")); err != nil {
		return err
	}
	return nothing(w)
}

// RemoveUser locks a user out, who could start anew otherwise what it stops next: their servers. Then it removes the record with
// everything that hangs on it. Nobody removes themselves.
func (room *Room) RemoveUser(ctx context.Context, a auth.Actor, name string) error {
	if a.User != nil && a.User.Name == name {
		return hub.Errorf(hub.Invalid, "Cannot delete yourself!")
	}
	if _, err := room.user(name); err != nil {
		return err
	}
	if err := room.Doorman.LockOut(ctx, name); err != nil {
		return err
	}
	if err := room.stopAllOf(ctx, name); err != nil {
		return err
	}
	return room.Store.Update(func(tx *store.Tx) error { return tx.DeleteUser(name) })
}

// stopAllOf stops a user's servers and waits as long as a stop may take.
func (room *Room) stopAllOf(ctx context.Context, user string) error {
	ctx, cancel := context.WithTimeout(ctx, room.SlowStop)
	defer cancel()
	active := activeOnly(room.Workshop.Servers(user))
	for _, l := range active {
		if _, err := room.Workshop.Stop(ctx, l.ServerRef); err != nil {
			return err
		}
	}
	for _, l := range active {
		live, err := room.Workshop.Wait(ctx, l.ServerRef)
		switch {
		case errors.Is(err, context.DeadlineExceeded), err == nil && live.State.Active():
			return hub.Errorf(hub.Invalid, "%s's server is taking long to stop, please wait a moment and try again", user)
		case err != nil && causeless(err):
			return err
		}
	}
	return nil
}

// causeless reports an error that is not merely the story of how a server ended.
func causeless(err error) bool {
	var e *hub.Error
	return !errors.As(err, &e) || e.Cause == nil
}
