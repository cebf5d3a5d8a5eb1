package api

import (
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// sharesOfUser answers GET /hub/api/shares/U.
func (room *Room) sharesOfUser(w http.ResponseWriter, r *http.Request) error {
	return room.writeShares(w, r, func(tx *store.Tx) ([]hub.Share, error) {
		_, err := tx.User(r.PathValue("user"))
		return tx.SharesOf(r.PathValue("user")), err
	})
}

// sharesOfServer answers GET /hub/api/shares/U/S.
func (room *Room) sharesOfServer(w http.ResponseWriter, r *http.Request) error {
	return room.writeShares(w, r, func(tx *store.Tx) ([]hub.Share, error) {
		_, err := tx.Server(refOf(r))
		return tx.SharesOfServer(refOf(r)), err
	})
}

// writeShares answers with a page of shares. Lists of shares are in an envelope whether the client asked for it or not
// (specification 1.2).
func (room *Room) writeShares(w http.ResponseWriter, r *http.Request, list func(*store.Tx) ([]hub.Share, error)) error {
	p, err := room.pageOf(r)
	if err != nil {
		return err
	}
	p.envelope = true
	var shares []hub.Share
	err = room.Store.View(func(tx *store.Tx) (err error) {
		shares, err = list(tx)
		return err
	})
	if err != nil {
		return err
	}
	models := []client.Share{}
	for _, s := range cut(shares, p) {
		models = append(models, room.shareModel(s))
	}
	return writeJSON(w, http.StatusOK, p.of(models, len(shares)))
}

// share answers POST /hub/api/shares/U/S.
func (room *Room) share(w http.ResponseWriter, r *http.Request) error {
	wish, err := room.readShare(r)
	if err != nil {
		return err
	}
	made, err := room.Share(auth.FromContext(r.Context()), wish)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, room.shareModel(made))
}

// Share shares a server with a user or a group; no scopes mean access. Nobody gives what they do not hold themselves, nor finds
// out by it who exists. Scopes are bare names.
func (room *Room) Share(a auth.Actor, wish hub.Share) (made hub.Share, err error) {
	wish.Scopes = orAccess(wish.Scopes)
	if err := mayShare(a, wish.Server, wish.Scopes); err != nil {
		return made, err
	}
	with, scope := rbac.UserResource(wish.User), "read:users:name"
	if wish.Group != "" {
		with, scope = rbac.GroupResource(wish.Group), "read:groups:name"
	}
	err = room.Store.Update(func(tx *store.Tx) error {
		if _, err := tx.Server(wish.Server); err != nil {
			return err
		}
		if !a.May(scope, with) {
			return hub.Errorf(hub.Forbidden, "Need scope '%s' to share with somebody by name", scope)
		}
		made, err = tx.PutShare(wish)
		if hub.KindOf(err) == hub.NotFound {
			return hub.Errorf(hub.Invalid, "No such %s: %s", with.Kind, short(with.Name))
		}
		return err
	})
	return made, err
}

// readShare reads with whom to share what of a server, or what to take back. Scopes may carry the server's own filter.
func (room *Room) readShare(r *http.Request) (hub.Share, error) {
	s := hub.Share{Server: refOf(r)}
	body, err := readObject(r)
	if err == nil {
		err = body.only("user", "group", "scopes")
	}
	if err == nil {
		err = body.into("user", &s.User, "a name")
	}
	if err == nil {
		err = body.into("group", &s.Group, "a name")
	}
	if err != nil {
		return s, err
	}
	if s.User != "" {
		auth.Concern(r, "user "+s.User)
	}
	if s.Group != "" {
		auth.Concern(r, "group "+s.Group)
	}
	if (s.User == "") == (s.Group == "") {
		return s, hub.Errorf(hub.Invalid, "Specify exactly one of user and group")
	}
	s.Scopes, err = room.sharedScopes(body, s.Server)
	return s, err
}

// sharedScopes reads the scopes of a share, without the filter that they have anyway; nil if the request names none.
func (room *Room) sharedScopes(body object, ref hub.ServerRef) ([]string, error) {
	var scopes []string
	if err := body.into("scopes", &scopes, "a list of scopes"); err != nil {
		return nil, err
	}
	for i, s := range scopes {
		base, filter, filtered := strings.Cut(s, "!")
		if filtered && filter != "server="+ref.String() {
			return nil, hub.Errorf(hub.Invalid, "!%s is not allowed on a share, only !server=%s", short(filter), ref)
		}
		if err := room.Policy().Check(base); err != nil {
			return nil, err
		}
		if base == rbac.Self || base == rbac.Inherit {
			return nil, hub.Errorf(hub.Invalid, "%s cannot be shared: name the scopes", base)
		}
		scopes[i] = base
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// orAccess returns scopes, or what is shared when nobody says what.
func orAccess(scopes []string) []string {
	if len(scopes) == 0 {
		return []string{"access:servers"}
	}
	return scopes
}

// mayShare refuses to give what the giver does not hold for the server.
func mayShare(a auth.Actor, ref hub.ServerRef, scopes []string) error {
	for _, s := range scopes {
		if !a.May(s, rbac.ServerResource(ref)) {
			return hub.Errorf(hub.Forbidden, "Do not have permission to grant share with scope %s!server=%s", s, ref)
		}
	}
	return nil
}

// narrowShare answers PATCH /hub/api/shares/U/S, which takes back: some scopes, or all if it names none. The answer is what is
// left, an empty object for nothing.
func (room *Room) narrowShare(w http.ResponseWriter, r *http.Request) error {
	wish, err := room.readShare(r)
	if err != nil {
		return err
	}
	left, some, err := room.Unshare(wish)
	if err != nil {
		return err
	}
	if !some {
		return writeJSON(w, http.StatusOK, struct{}{})
	}
	return writeJSON(w, http.StatusOK, room.shareModel(left))
}

// Unshare takes scopes of a server back from a user or a group, or with no scopes named all that they have. It returns what is
// left, if anything is. Nothing is shared with whoever does not exist.
func (room *Room) Unshare(wish hub.Share) (left hub.Share, some bool, err error) {
	err = room.Store.Update(func(tx *store.Tx) error {
		if _, err := tx.Server(wish.Server); err != nil {
			return err
		}
		have, err := tx.Share(wish.Server, wish.User, wish.Group)
		if err == nil {
			left, some, err = tx.NarrowShare(have, wish.Scopes)
		}
		if hub.KindOf(err) == hub.NotFound {
			return nil
		}
		return err
	})
	return left, some, err
}

// unshare answers DELETE /hub/api/shares/U/S: nobody has anything of this server any more.
func (room *Room) unshare(w http.ResponseWriter, r *http.Request) error {
	err := room.Store.Update(func(tx *store.Tx) error {
		if _, err := tx.Server(refOf(r)); err != nil {
			return err
		}
		for _, s := range tx.SharesOfServer(refOf(r)) {
			if err := tx.DeleteShare(s.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return nothing(w)
}

// wantsServer answers for what is done with a server's shares where the path names no server. Who may not do it hears only that, as
// with JupyterHub.
func wantsServer(w http.ResponseWriter, _ *http.Request) error {
	return notAllowed(w, "What is shared is one server: name it behind the user; the default server is the one whose path ends in a slash")
}
