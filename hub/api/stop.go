package api

import (
	"context"
	"net/http"

	"jupyterhubd/hub"
)

// stopServer answers DELETE /hub/api/users/U/server and /servers/S: 204 if it is gone in time, 202 if it goes on.
func (room *Room) stopServer(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	remove, err := readRemove(r, ref)
	if err != nil {
		return err
	}
	if ref.Server != "" && !room.NamedServers {
		return hub.Errorf(hub.Invalid, "Named servers are not enabled.")
	}
	live, err := room.Workshop.Server(ref)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), room.SlowStop)
	defer cancel()
	if err := room.end(ctx, live, remove); err != nil {
		if ctx.Err() != nil { // too slow, or the hub is being stopped: the stop goes on
			return blank(w, http.StatusAccepted, textPlain)
		}
		return err
	}
	return nothing(w)
}

// end stops a server, or stops and forgets it, and waits for that.
func (room *Room) end(ctx context.Context, live hub.Live, remove bool) error {
	if remove {
		return room.Workshop.Remove(ctx, live.ServerRef)
	}
	if !live.State.Active() {
		return nil
	}
	if _, err := room.Workshop.Stop(ctx, live.ServerRef); err != nil {
		return err
	}
	_, err := room.Workshop.Wait(ctx, live.ServerRef)
	if err != nil && !causeless(err) {
		return nil // it ended badly, but it ended
	}
	return err
}

// readRemove reads the body of a stop. What is true in JupyterHub's eyes is true: a script may send 1.
func readRemove(r *http.Request, ref hub.ServerRef) (bool, error) {
	body, err := readObject(r)
	if err != nil {
		return false, err
	}
	var value any
	if err := body.into("remove", &value, "true or false"); err != nil {
		return false, err
	}
	remove := truthy(value)
	if remove && ref.Server == "" {
		return false, hub.Errorf(hub.Invalid, "Cannot remove the default server")
	}
	return remove, nil
}

// truthy is Python's idea of truth about a JSON value.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}
