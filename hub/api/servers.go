package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// textPlain is what starts and stops say their empty answers are (specification 1.1).
const textPlain = "text/plain"

// showServer answers GET /hub/api/users/U/server and /servers/S.
func (room *Room) showServer(w http.ResponseWriter, r *http.Request) error {
	live, err := room.Workshop.Server(refOf(r))
	if err != nil {
		return err
	}
	by := room.withUsage(r, readerOf(auth.FromContext(r.Context())), live.State.Active())
	return writeJSON(w, http.StatusOK, room.serverModel(by, live))
}

// createServer answers PUT /hub/api/users/U/servers/S: a named server that is not started.
func (room *Room) createServer(w http.ResponseWriter, r *http.Request) error {
	if refOf(r).Server == "" {
		return hub.Errorf(hub.Conflict, "Everybody has a default server: POST starts it")
	}
	ref, wish, err := room.wished(r)
	if err != nil {
		return err
	}
	live, err := room.Workshop.Create(ref, wish.displayName)
	if err == nil && wish.options != nil {
		live, err = room.remember(live, func(s *hub.Server) { s.Options = wish.options })
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, room.serverModel(readerOf(auth.FromContext(r.Context())), live))
}

// wished reads which server is wanted and how. Its user must exist.
func (room *Room) wished(r *http.Request) (ref hub.ServerRef, wish serverWish, err error) {
	if wish, err = readWish(r); err != nil {
		return ref, wish, err
	}
	ref = refOf(r)
	return ref, wish, room.known(ref.User)
}

// known returns NotFound for a user who does not exist.
func (room *Room) known(user string) error {
	_, err := room.user(user)
	return err
}

// startServer answers POST /hub/api/users/U/server and /servers/S: 201 if it is ready in time, 202 if it goes on.
func (room *Room) startServer(w http.ResponseWriter, r *http.Request) error {
	ref, wish, err := room.wished(r)
	if err != nil {
		return err
	}
	if err := room.createFirst(ref, wish); err != nil {
		return err
	}
	_, err = room.Workshop.Start(r.Context(), ref, wish.profile(), wish.options)
	if hub.KindOf(err) == hub.Conflict {
		return hub.Errorf(hub.Invalid, "%s", hub.TextOf(err)) // JupyterHub's answer to "already running" is 400
	}
	if err != nil {
		return room.startFailed(r, err)
	}
	return room.awaitStart(w, r, ref)
}

// awaitStart answers when a start has ended, or has taken long.
func (room *Room) awaitStart(w http.ResponseWriter, r *http.Request, ref hub.ServerRef) error {
	ctx, cancel := context.WithTimeout(r.Context(), room.SlowSpawn)
	defer cancel()
	live, err := room.Workshop.Wait(ctx, ref)
	switch {
	case err == nil && live.State.Ready():
		return blank(w, http.StatusCreated, textPlain)
	case ctx.Err() != nil && causeless(err): // too slow, or the hub is being stopped: the start goes on
		return blank(w, http.StatusAccepted, textPlain)
	case err != nil:
		return room.startFailed(r, err)
	}
	return &hub.Error{Kind: hub.Unknown, Err: errors.New("the server was stopped while it started")}
}

// createFirst makes a named server that does not exist yet, with the display name that the request gives it.
func (room *Room) createFirst(ref hub.ServerRef, wish serverWish) error {
	if ref.Server == "" {
		return nil
	}
	if _, err := room.Workshop.Server(ref); hub.KindOf(err) != hub.NotFound {
		return err
	}
	_, err := room.Workshop.Create(ref, wish.displayName)
	return err
}

// startFailed makes a failed start a 500 with its cause, as JupyterHub does; a refusal before the start keeps its kind.
func (room *Room) startFailed(r *http.Request, err error) error {
	var e *hub.Error
	if errors.As(err, &e) && e.Cause != nil {
		return &hub.Error{Kind: hub.Unknown, Text: e.Text, Cause: readerOf(auth.FromContext(r.Context())).cause(refOf(r), e.Cause), Err: err}
	}
	return err
}

// serverWish is the body of a start: JupyterHub 6's form, or the older one in which the whole object is user_options.
type serverWish struct {
	displayName string
	options     json.RawMessage // nil: those of the last start
}

func readWish(r *http.Request) (serverWish, error) {
	var wish serverWish
	body, err := readObject(r)
	if err != nil || len(body) == 0 {
		return wish, err
	}
	_, named := body["display_name"]
	_, optioned := body["user_options"]
	if !named && !optioned {
		wish.options, err = json.Marshal(body)
		return wish, err
	}
	if err := body.must("display_name", &wish.displayName, "a string"); err != nil {
		return wish, err
	}
	if body.has("user_options") {
		if wish.options = body["user_options"]; !isObject(wish.options) {
			return wish, hub.Errorf(hub.Invalid, "user_options must be an object or null")
		}
	}
	return wish, nil
}

// profile returns the profile that the options choose, "" for none.
func (wish serverWish) profile() string {
	var options struct{ Profile string }
	if json.Unmarshal(wish.options, &options) != nil {
		return ""
	}
	return options.Profile
}
