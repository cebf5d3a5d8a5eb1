package api

import (
	"encoding/json"
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// restartServer answers POST …/restart, which is ours: 201 when the server is ready again, 202 while that goes on. It goes on
// though the client leaves.
func (room *Room) restartServer(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	if _, err := room.Workshop.Server(ref); err != nil {
		return err
	}
	if err := room.Workshop.Restart(r.Context(), ref); err != nil {
		return err
	}
	return room.awaitStart(w, r, ref)
}

// limitServer answers POST …/limits, which is ours. How far a limit may go is decided on root's side.
func (room *Room) limitServer(w http.ResponseWriter, r *http.Request) error {
	ref := refOf(r)
	body, err := readObject(r)
	if err == nil {
		err = body.only("limits", "for_good")
	}
	if err != nil {
		return err
	}
	var ask client.LimitRequest
	if err := body.into("for_good", &ask.ForGood, "true or false"); err != nil {
		return err
	}
	raw, given := body["limits"]
	switch {
	case !given:
		return hub.Errorf(hub.Invalid, "limits is missing: an object, or null for those of the configuration")
	case body.has("limits"):
		var limits object
		if err := body.into("limits", &limits, "an object of limits, or null"); err != nil {
			return err
		}
		if err := limits.only("memory_max", "memory_high", "cpu_quota", "cpu_weight", "io_weight", "tasks_max"); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &ask.Limits); err != nil || ask.Limits.IsZero() {
			return hub.Errorf(hub.Invalid, "limits holds numbers, one at least; none is changed by leaving it out")
		}
	}
	if _, err := room.Workshop.Server(ref); err != nil {
		return err
	}
	now, err := room.Limiter.Limit(r.Context(), ref, ask.Limits, ask.ForGood)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]hub.Limits{"limits": now})
}
