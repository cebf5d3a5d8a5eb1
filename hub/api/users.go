package api

import (
	"net/http"
	"net/url"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// listUsers answers GET /hub/api/users. Who may list some users sees these.
func (room *Room) listUsers(w http.ResponseWriter, r *http.Request) error {
	p, err := room.pageOf(r)
	if err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	active := byUser(room.Workshop.Active())
	q := store.UserQuery{Offset: p.offset, Limit: p.limit}
	if err := read(r.URL.Query(), active, &q); err != nil {
		return err
	}
	narrow(a, &q)
	var users []hub.User
	var total int
	err = room.Store.View(func(tx *store.Tx) (err error) {
		users, total, err = tx.Users(q)
		return err
	})
	if err != nil {
		return err
	}
	by, models := room.withUsage(r, readerOf(a), false), make(client.Users, 0, len(users))
	same, seen, stopped := a.Scopes.Unfiltered(), by.sightOf(""), wantsStopped(r)
	for _, u := range users {
		if !same {
			seen = by.sightOf(u.Name)
		}
		servers := active[u.Name]
		if stopped {
			servers = room.allServers(u.Name)
		}
		models = append(models, room.userSeen(by, seen, u, servers))
	}
	return writeJSON(w, http.StatusOK, p.of(models, total))
}

func byUser(active []hub.Live) map[string][]hub.Live {
	users := map[string][]hub.Live{}
	for _, l := range active {
		users[l.User] = append(users[l.User], l)
	}
	return users
}

// read reads what a list is to show, and in which order.
func read(query url.Values, active map[string][]hub.Live, q *store.UserQuery) error {
	q.NameContains, _ = argument(query, "name_filter")
	sort, ok := argument(query, "sort")
	if ok && sort == "" {
		return hub.Errorf(hub.Invalid, "sort is empty: it is one of id, name, last_activity, with a minus for the reverse")
	}
	q.Sort = sort
	state, _ := argument(query, "state")
	return selectState(state, active, q)
}

// selectState narrows a query to users with an active server, with a ready one, or without any. Asking for those who have
// one costs what these few cost, however many users there are.
func selectState(state string, active map[string][]hub.Live, q *store.UserQuery) error {
	switch state {
	case "":
	case "active", "ready":
		q.Only = []string{}
		for name, servers := range active {
			if state == "active" || slices.ContainsFunc(servers, func(l hub.Live) bool { return l.State.Ready() }) {
				q.Only = append(q.Only, name)
			}
		}
	case "inactive":
		q.Keep = func(name string) bool { return len(active[name]) == 0 }
	default:
		return hub.Errorf(hub.Invalid, "Unrecognized user state: %q; it is one of active, inactive, ready", short(state))
	}
	return nil
}

// narrow leaves of a query what the reader may list.
func narrow(a auth.Actor, q *store.UserQuery) {
	h := a.Scopes.Horizon("list:users")
	if h.All {
		return
	}
	keep := q.Keep
	q.Keep = func(name string) bool {
		return (keep == nil || keep(name)) && h.ShowsUser(name, nil)
	}
	if len(h.Groups) > 0 {
		groups := a.Groups
		q.Keep = func(name string) bool { return (keep == nil || keep(name)) && h.ShowsUser(name, groups(name)) }
	}
}

// showUser answers GET /hub/api/users/U.
func (room *Room) showUser(w http.ResponseWriter, r *http.Request) error {
	u, err := room.user(r.PathValue("user"))
	if err != nil {
		return err
	}
	by := room.withUsage(r, readerOf(auth.FromContext(r.Context())), false)
	return writeJSON(w, http.StatusOK, room.withAuthState(room.userModel(by, u, room.serversOf(r, by, u.Name))))
}

// withAuthState fills in what the authenticator keeps, if the model is for a reader who may see that. Lists and other models have
// null in its place. What does not open is null as well, as with JupyterHub, and whoever keeps the journal is told.
func (room *Room) withAuthState(m client.User) client.User {
	if !m.AuthState.Shown {
		return m
	}
	err := room.Store.View(func(tx *store.Tx) (err error) {
		m.AuthState.Value, err = tx.AuthState(m.Name)
		return err
	})
	if err != nil {
		room.Unreadable(m.Name, err)
	}
	return m
}

func (room *Room) user(name string) (u hub.User, err error) {
	err = room.Store.View(func(tx *store.Tx) error {
		u, err = tx.User(name)
		return err
	})
	return u, err
}
