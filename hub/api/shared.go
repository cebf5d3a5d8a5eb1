package api

import (
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// sharedWithUser answers GET /hub/api/users/U/shared: what others share with a user, by themselves and through groups.
func (room *Room) sharedWithUser(w http.ResponseWriter, r *http.Request) error {
	return room.writeShares(w, r, func(tx *store.Tx) ([]hub.Share, error) {
		u, err := tx.User(r.PathValue("user"))
		return tx.SharedWith(u.Name, u.Groups), err
	})
}

// sharedWithGroup answers GET /hub/api/groups/G/shared.
func (room *Room) sharedWithGroup(w http.ResponseWriter, r *http.Request) error {
	return room.writeShares(w, r, func(tx *store.Tx) ([]hub.Share, error) {
		_, err := tx.Group(r.PathValue("group"))
		return tx.SharedWithGroup(r.PathValue("group")), err
	})
}

// showShared answers GET …/shared/O/S.
func (room *Room) showShared(w http.ResponseWriter, r *http.Request) error {
	ref := hub.ServerRef{User: r.PathValue("owner"), Server: r.PathValue("server")}
	var s hub.Share
	err := room.Store.View(func(tx *store.Tx) (err error) {
		s, err = tx.Share(ref, r.PathValue("user"), r.PathValue("group"))
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, room.shareModel(s))
}

// leaveShared answers DELETE …/shared/O/S: whoever something was shared with gives it up.
func (room *Room) leaveShared(w http.ResponseWriter, r *http.Request) error {
	ref := hub.ServerRef{User: r.PathValue("owner"), Server: r.PathValue("server")}
	if err := room.LeaveShare(ref, r.PathValue("user"), r.PathValue("group")); err != nil {
		return err
	}
	return nothing(w)
}

// LeaveShare gives up what is shared of a server with a user, or with a group: one of the two is empty.
func (room *Room) LeaveShare(ref hub.ServerRef, user, group string) error {
	return room.Store.Update(func(tx *store.Tx) error {
		s, err := tx.Share(ref, user, group)
		if err != nil {
			return err
		}
		return tx.DeleteShare(s.ID)
	})
}

// shareModel shows a share to whoever may see it at all.
func (room *Room) shareModel(s hub.Share) client.Share {
	m := client.Share{Server: room.sharedServer(s.Server), Scopes: hub.ScopesFor(s.Server, s.Scopes), Kind: "user", CreatedAt: client.At(s.Created)}
	if s.Group != "" {
		m.Kind, m.Group = "group", &client.Name{Name: s.Group}
	} else {
		m.User = &client.Name{Name: s.User}
	}
	return m
}

// sharedServer says of a server what strangers to it may know. One that cannot be looked up just now is not ready.
func (room *Room) sharedServer(ref hub.ServerRef) client.SharedServer {
	m := client.SharedServer{User: client.Name{Name: ref.User}, Name: ref.Server}
	if live, err := room.Workshop.Server(ref); err == nil {
		m.URL, m.Ready = live.URL, live.State.Ready()
	}
	m.FullURL = room.full(m.URL)
	return m
}
