package web

import (
	"net/http"
	"net/url"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// adminFrame is what every page of the administration has.
type adminFrame struct {
	Layout
	Parts   []adminPart
	Refused string
	Asked   url.Values // what was refused
}

// adminPart is a page of the administration in its menu.
type adminPart struct {
	Name, Href string
	Here       bool
}

// adminParts lists the parts that somebody may see something of.
func (room *Room) adminParts(a auth.Actor, here string) []adminPart {
	parts := []adminPart{{"Users", room.hub + "admin", here == "Users"}}
	if a.Scopes.HasAny("list:groups") {
		parts = append(parts, adminPart{"Groups", room.hub + "admin/groups", here == "Groups"})
	}
	return parts
}

// serverForm is what may be done to one server, for the page at an address.
type serverForm struct {
	Layout
	adminServer
	Query string
	At    string
}

// mendable returns what a form's page says of a refusal, and with which status, where that is something that a person can mend.
func mendable(r *http.Request, err error) (status int, frame adminFrame, ok bool) {
	status, ok = refusals[hub.KindOf(err)]
	if hub.KindOf(err) == hub.Conflict {
		status, ok = http.StatusConflict, true
	}
	frame = adminFrame{Refused: hub.TextOf(err), Asked: r.PostForm}
	return status, frame, ok && frame.Refused != ""
}
