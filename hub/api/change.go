package api

import (
	"context"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/store"
)

// changeServer answers PATCH: name, display name and options of a server that is stopped.
func (room *Room) changeServer(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err == nil {
		err = body.only("name", "display_name", "user_options")
	}
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return hub.Errorf(hub.Invalid, "Nothing to change: give name, display_name or user_options")
	}
	live, err := room.Workshop.Server(refOf(r))
	if err != nil {
		return err
	}
	if live.State.Active() {
		return hub.Errorf(hub.Invalid, "%s is running or pending: stop it first", live.ServerRef)
	}
	if live, err = room.change(r.Context(), live, body); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, room.serverModel(readerOf(auth.FromContext(r.Context())), live))
}

// change applies a PATCH. A server with another name is another server: the new one is made by the rules for new ones,
// gets what the old one remembered, and the old one goes.
func (room *Room) change(ctx context.Context, live hub.Live, body object) (hub.Live, error) {
	s := live.Server
	if err := body.must("display_name", &s.DisplayName, "a string"); err != nil {
		return live, err
	}
	if err := body.must("name", &s.Server, "a string"); err != nil {
		return live, err
	}
	if raw, ok := body["user_options"]; ok {
		if !isObject(raw) {
			return live, hub.Errorf(hub.Invalid, "user_options must be an object")
		}
		s.Options = raw
	}
	if s.ServerRef == live.ServerRef && body.has("name") {
		return live, hub.Errorf(hub.Conflict, "%s has that name", live.ServerRef)
	}
	if s.ServerRef == live.ServerRef {
		return room.remember(live, func(to *hub.Server) { to.DisplayName, to.Options = s.DisplayName, s.Options })
	}
	made, err := room.Workshop.Create(s.ServerRef, s.DisplayName)
	if err != nil {
		return live, err
	}
	made, err = room.remember(made, func(to *hub.Server) { to.Options, to.Profile, to.LastActivity = s.Options, s.Profile, s.LastActivity })
	if err != nil {
		return live, err
	}
	if err := room.Store.Update(func(tx *store.Tx) error { return tx.MoveShares(live.ServerRef, made.ServerRef) }); err != nil {
		return live, err
	}
	return made, room.forget(ctx, live.ServerRef)
}

func (room *Room) forget(ctx context.Context, ref hub.ServerRef) error {
	if ref.Server != "" {
		return room.Workshop.Remove(ctx, ref)
	}
	err := room.Store.Update(func(tx *store.Tx) error { return tx.DeleteServer(ref) })
	if hub.KindOf(err) == hub.NotFound {
		return nil // a default server that never ran
	}
	return err
}

// remember changes a stopped server's record.
func (room *Room) remember(live hub.Live, change func(*hub.Server)) (hub.Live, error) {
	err := room.Store.Update(func(tx *store.Tx) error {
		s, err := tx.Server(live.ServerRef)
		if hub.KindOf(err) == hub.NotFound {
			s, err = hub.Server{ServerRef: live.ServerRef}, nil
		}
		if err != nil {
			return err
		}
		change(&s)
		live.Server = s
		return tx.PutServer(s)
	})
	return live, err
}
