package api

import (
	"net/http"
	"slices"
	"strconv"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// identity answers GET /hub/api/user: who the bearer is and what they hold. Single-user servers let people in by it.
func (room *Room) identity(w http.ResponseWriter, r *http.Request) error {
	a := auth.FromContext(r.Context())
	by := readerOf(a)
	by.scopes = by.scopes.Union(room.Policy().Identify(a.Owner)) // to say who it is, whatever the token is for
	scopes := a.Scopes.List()
	token, session := credentials(a)
	if a.User == nil {
		return writeJSON(w, http.StatusOK, client.ServiceIdentity{
			Service: room.serviceModel(by, *a.Service), TokenID: token, SessionID: session, Scopes: scopes,
		})
	}
	return writeJSON(w, http.StatusOK, client.Identity{
		User: room.userModel(by, *a.User, room.serversOf(r, by, a.User.Name)), TokenID: token, SessionID: session, Scopes: scopes,
	})
}

// credentials names the token and, for OAuth tokens, the browser session that the request came with.
func credentials(a auth.Actor) (token, session client.Text) {
	if a.Token == nil {
		return "", ""
	}
	return client.Text(tokenID(*a.Token)), client.Text(a.Token.Session)
}

// serversOf returns a user's servers for a reader who may see any: the active ones, and those that are stopped if the query
// asks for them.
func (room *Room) serversOf(r *http.Request, by reader, user string) []hub.Live {
	if !by.scopes.HasAny("read:servers") && !by.scopes.HasAny("read:users") {
		return nil // what every visitor of a server is asked for: not worth a look
	}
	if wantsStopped(r) {
		return room.allServers(user)
	}
	return activeOnly(room.Workshop.Servers(user))
}

// allServers returns a user's servers, the default one among them whether it ever ran or not.
func (room *Room) allServers(user string) []hub.Live {
	all := room.Workshop.Servers(user)
	if slices.ContainsFunc(all, func(l hub.Live) bool { return l.Server.Server == "" }) {
		return all
	}
	never, err := room.Workshop.Server(hub.ServerRef{User: user})
	if err != nil {
		return all // the user went meanwhile
	}
	return append([]hub.Live{never}, all...)
}

func activeOnly(all []hub.Live) []hub.Live {
	var active []hub.Live
	for _, l := range all {
		if l.State.Active() {
			active = append(active, l)
		}
	}
	return active
}

// wantsStopped reads include_stopped_servers, which is true for anything but 0 and false, even for nothing.
func wantsStopped(r *http.Request) bool {
	query := r.URL.Query()
	value := query.Get("include_stopped_servers")
	return query.Has("include_stopped_servers") && value != "0" && value != "false"
}

func tokenID(t hub.Token) string { return "a" + strconv.FormatUint(t.ID, 10) }
