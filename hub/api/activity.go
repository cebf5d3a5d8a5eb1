package api

import (
	"encoding/json"
	"net/http"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// maxAhead is how far in the future an activity may lie: clocks differ, time zones are a mistake.
const maxAhead = 59 * time.Minute

// activity answers POST /hub/api/users/U/activity: what a single-user server has seen its user do, every five minutes and
// once as it starts. It costs no transaction (store.Touch).
func (room *Room) activity(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("user")
	if a := auth.FromContext(r.Context()); a.User == nil || a.User.Name != name {
		if err := room.known(name); err != nil {
			return err
		}
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	news, err := room.readActivity(name, body)
	if err != nil {
		return err
	}
	if err := room.exist(name, news.servers); err != nil {
		return err
	}
	for ref, at := range news.servers {
		room.Store.Touch(ref, at)
	}
	if !news.user.IsZero() {
		room.Store.TouchUser(name, news.user)
	}
	return blank(w, http.StatusOK, "application/json")
}

// news is what was seen, of a user and of their servers, each on its own.
type news struct {
	user    time.Time
	servers map[hub.ServerRef]time.Time
}

func (room *Room) readActivity(user string, body object) (n news, err error) {
	if n.user, err = room.moment(body["last_activity"], "last_activity"); err != nil {
		return n, err
	}
	var servers map[string]object
	if err := body.into("servers", &servers, "an object of servers"); err != nil {
		return n, err
	}
	n.servers = make(map[hub.ServerRef]time.Time, len(servers))
	for name, s := range servers {
		at, err := room.moment(s["last_activity"], "servers."+short(name)+".last_activity")
		if err == nil && at.IsZero() {
			err = hub.Errorf(hub.Invalid, "servers.%s needs last_activity", short(name))
		}
		if err != nil {
			return n, err
		}
		n.servers[hub.ServerRef{User: user, Server: name}] = at
	}
	if n.user.IsZero() && len(n.servers) == 0 {
		return n, hub.Errorf(hub.Invalid, "body must contain at least one of `last_activity` or `servers`")
	}
	return n, nil
}

// moment reads a time; absent and null are the zero time.
func (room *Room) moment(raw json.RawMessage, what string) (time.Time, error) {
	var t client.Time
	if len(raw) == 0 {
		return t.Time, nil
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return t.Time, hub.Errorf(hub.Invalid, "%s is not a moment such as 2026-11-21T20:10:00Z", what)
	}
	if t.After(room.Now().Add(maxAhead)) {
		return t.Time, hub.Errorf(hub.Invalid, "%s lies in the future", what)
	}
	return t.Time, nil
}

// exist checks that the servers are there.
func (room *Room) exist(user string, servers map[hub.ServerRef]time.Time) error {
	if len(servers) == 0 {
		return nil
	}
	return room.Store.View(func(tx *store.Tx) error {
		for ref := range servers {
			if _, err := tx.Server(ref); err != nil {
				return hub.Errorf(hub.Invalid, "No such server %q for user %s", short(ref.Server), user)
			}
		}
		return nil
	})
}
