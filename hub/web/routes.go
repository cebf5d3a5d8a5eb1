package web

import (
	"net/http"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// Routes is the door plate of the room: everything outside /hub/api that people go to.
func (room *Room) Routes() []auth.Route {
	rows := []auth.Route{
		public("GET", "/hub/login", room.showLogin),
		{Method: "POST", Pattern: "/hub/login", Public: true, Style: auth.Page, NoXSRF: true, Handle: room.login}, // checks XSRF itself
		{Method: "GET", Pattern: "/hub/logout", Public: true, Style: auth.Page, Changes: true, Handle: room.logout},
		public("GET", "/hub/", room.root),

		page("GET", "/hub/home", nil, room.home, auth.Authenticated),
		page("POST", "/hub/home", nil, room.changeServer, auth.Authenticated), // the servers are the actor's own
		page("GET", "/hub/token", self, room.tokens, "read:tokens"),
		page("POST", "/hub/token", self, room.changeTokens, "tokens"),
		page("GET", "/hub/shares", nil, room.shares, auth.Authenticated),        // each part is shown to whom its scope is given
		page("POST", "/hub/shares", nil, room.changeShares, auth.Authenticated), // each action asks for its own scope
		page("GET", "/hub/accept-share", nil, room.offer, auth.Authenticated),
		page("POST", "/hub/accept-share", nil, room.accept, auth.Authenticated),
		page("GET", "/hub/admin", nil, room.admin, "admin-ui"),
		page("POST", "/hub/admin", nil, room.administer, "admin-ui"), // each action asks for its own scope
		page("GET", "/hub/admin/users/{user}", nil, room.adminUser, "admin-ui"),
		page("POST", "/hub/admin/users/{user}", nil, room.changeAdminUser, "admin-ui"),
		page("GET", "/hub/admin/groups", nil, room.groups, "admin-ui"),
		page("POST", "/hub/admin/groups", nil, room.makeGroups, "admin-ui"),
		page("GET", "/hub/admin/groups/{group}", nil, room.group, "admin-ui"),
		page("POST", "/hub/admin/groups/{group}", nil, room.changeGroup, "admin-ui"),
		page("GET", "/hub/user-redirect/{rest...}", nil, room.userRedirect, auth.Authenticated),

		{Method: "GET", Pattern: "/hub/static/{name...}", Public: true, Style: auth.Page, Everywhere: true, Handle: room.asset},
		{Method: "HEAD", Pattern: "/hub/static/{name...}", Public: true, Style: auth.Page, Everywhere: true, Handle: room.asset},
		{Method: "GET", Pattern: "/hub/logo", Public: true, Style: auth.Page, Everywhere: true, Handle: room.logo},
		{Method: "HEAD", Pattern: "/hub/logo", Public: true, Style: auth.Page, Everywhere: true, Handle: room.logo},

		everywhere("/favicon.ico", room.favicon), // what a browser asks for beside a page of a server's that names none
		everywhere("/hub", room.addSlash),
		everywhere("/user/{user}", room.addSlash),
		everywhere("/services/{service}", room.addSlash),
		everywhere("/{rest...}", room.intoHub),
		everywhere("/user/{user}/{rest...}", room.intoHub),
		everywhere("/services/{service}/{rest...}", room.intoHub),
	}
	for _, at := range []string{"", "/{user}", "/{user}/{server}"} {
		rows = append(rows,
			starts(page("GET", "/hub/spawn"+at, target, room.spawn, "start:servers")),
			page("POST", "/hub/spawn"+at, target, room.spawnForm, "start:servers"))
		if at != "" {
			rows = append(rows, page("GET", "/hub/spawn-pending"+at, target, room.pending, "start:servers"),
				page("GET", "/hub/time-left"+at, target, room.timeLeft, "access:servers"))
		}
	}
	for _, at := range []string{"/hub/user/{user}", "/hub/user/{user}/{rest...}"} {
		rows = append(rows, auth.Route{Method: "GET", Pattern: at, Scopes: []string{auth.Authenticated}, Style: auth.Mixed, Handle: room.notRunning})
		for _, method := range []string{"POST", "PATCH", "DELETE"} {
			rows = append(rows, auth.Route{Method: method, Pattern: at, Public: true, Style: auth.Mixed, Handle: room.notRunningAPI})
		}
	}
	return rows
}

type handler = func(http.ResponseWriter, *http.Request) error

type resource = func(*http.Request) rbac.Resource

// starts marks a page whose GET starts a server where there is nothing to ask first.
func starts(rt auth.Route) auth.Route {
	rt.Changes = true
	return rt
}

func public(method, pattern string, h handler) auth.Route {
	return auth.Route{Method: method, Pattern: pattern, Public: true, Style: auth.Page, Handle: h}
}

// everywhere is what leads on, whatever host it is asked at.
func everywhere(pattern string, h handler) auth.Route {
	rt := public("GET", pattern, h)
	rt.Everywhere = true
	return rt
}

func page(method, pattern string, about resource, h handler, scopes ...string) auth.Route {
	return auth.Route{Method: method, Pattern: pattern, Scopes: scopes, Resource: about, Style: auth.Page, Handle: h}
}

// self is the user who asks.
func self(r *http.Request) rbac.Resource {
	return rbac.UserResource(auth.FromContext(r.Context()).Owner.Name)
}

// target is the server that a path names; without a name the default server of who asks.
func target(r *http.Request) rbac.Resource { return rbac.ServerResource(refOf(r)) }

func refOf(r *http.Request) hub.ServerRef {
	ref := hub.ServerRef{User: r.PathValue("user"), Server: r.PathValue("server")}
	if ref.User == "" {
		ref.User = auth.FromContext(r.Context()).Owner.Name
	}
	return ref
}

// me returns the user who asks. Pages about one's own things make no sense for a service.
func me(r *http.Request) (hub.User, error) {
	a := auth.FromContext(r.Context())
	if a.User == nil {
		return hub.User{}, hub.Errorf(hub.Forbidden, "This page is for users, and %s %s is none", a.Owner.Kind, a.Owner.Name)
	}
	return *a.User, nil
}
