package api

import (
	"net/http"
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// Routes is the door plate of the room. {server} is the name of a named server; the paths without one, or with an empty
// one, mean the default server.
func (room *Room) Routes() []auth.Route {
	rows := slices.Concat(room.hubRows(), room.userRows(), room.serverRows(), room.tokenRows(), room.groupRows(), room.serviceRows(), room.shareRows(), room.oldRows(), room.ourRows())
	for i, row := range rows {
		rows[i] = conditionally(row)
	}
	return rows
}

func (room *Room) hubRows() []auth.Route {
	return []auth.Route{
		{Method: "GET", Pattern: "/hub/api", Public: true, NoXSRF: true, Handle: room.version},
		{Method: "GET", Pattern: "/hub/api/", Public: true, NoXSRF: true, Handle: room.version},
		plate("GET", "/info", house, room.info, "read:hub"),
		plate("POST", "/shutdown", house, room.shutdown, "shutdown"),
		plate("GET", "/proxy", house, room.routes, "proxy"),
		plate("POST", "/proxy", house, room.resync, "proxy"),
	}
}

func (room *Room) userRows() []auth.Route {
	return []auth.Route{
		plate("GET", "/user", house, room.identity, auth.Authenticated),
		plate("GET", "/users", listOf(rbac.User), room.listUsers, "list:users"),
		plate("POST", "/users", house, room.createUsers, "admin:users"),
		plate("GET", "/users/{user}", user, room.showUser, seeUser...),
		plate("POST", "/users/{user}", user, room.createUser, "admin:users"),
		plate("PATCH", "/users/{user}", user, room.changeUser, "admin:users"),
		plate("DELETE", "/users/{user}", user, room.deleteUser, "delete:users"),
		plate("POST", "/users/{user}/activity", user, room.activity, "users:activity"),
	}
}

func (room *Room) serverRows() (rows []auth.Route) {
	for _, at := range []string{"/users/{user}/server", "/users/{user}/servers/", "/users/{user}/servers/{server}"} {
		rows = append(rows,
			plate("GET", at, server, room.showServer, "read:servers"),
			plate("POST", at, server, room.startServer, "start:servers"),
			plate("DELETE", at, server, room.stopServer, "delete:servers"),
			plate("PUT", at, server, room.createServer, "start:servers"),
			plate("PATCH", at, server, room.changeServer, "start:servers"),
			plate("GET", at+"/progress", server, room.progress, "read:servers"),
			plate("POST", at+"/restart", server, room.restartServer, "start:servers"),
			plate("POST", at+"/limits", server, room.limitServer, "admin:servers"),
			auth.Route{Method: "POST", Pattern: "/hub/api" + at + "/wake", Public: true, NoXSRF: true, Style: auth.API, Handle: room.wake}, // the proxy's
		)
	}
	return rows
}

func (room *Room) tokenRows() []auth.Route {
	return []auth.Route{
		plate("GET", "/users/{user}/tokens", user, room.listTokens, "read:tokens"),
		// This one asks for XSRF token and scope itself: whoever may not gets 403 here, never 404, and a password will do.
		{Method: "POST", Pattern: "/hub/api/users/{user}/tokens", Public: true, NoXSRF: true, Handle: room.createToken},
		plate("GET", "/users/{user}/tokens/{id}", user, room.showToken, "read:tokens"),
		plate("DELETE", "/users/{user}/tokens/{id}", user, room.deleteToken, "tokens"),
	}
}

func (room *Room) groupRows() []auth.Route {
	return []auth.Route{
		plate("GET", "/groups", listOf(rbac.Group), room.listGroups, "list:groups"),
		plate("POST", "/groups", house, room.createGroups, "admin:groups"),
		plate("GET", "/groups/{group}", group, room.showGroup, "read:groups", "read:groups:name", "read:roles:groups"),
		plate("POST", "/groups/{group}", group, room.createGroup, "admin:groups"),
		plate("DELETE", "/groups/{group}", group, room.deleteGroup, "delete:groups"),
		plate("POST", "/groups/{group}/users", group, room.addMembers, "groups"),
		plate("DELETE", "/groups/{group}/users", group, room.removeMembers, "groups"),
		plate("PUT", "/groups/{group}/properties", group, room.setProperties, "groups"),
	}
}

func (room *Room) serviceRows() []auth.Route {
	return []auth.Route{
		plate("GET", "/services", listOf(rbac.Service), room.listServices, "list:services"),
		plate("GET", "/services/{service}", service, room.showService, "read:services", "read:services:name", "read:roles:services"),
		plate("POST", "/services/{service}", service, room.createService, "admin:services"),
		plate("DELETE", "/services/{service}", service, room.deleteService, "admin:services"),
	}
}

func (room *Room) shareRows() []auth.Route {
	rows := []auth.Route{
		plate("GET", "/users/{user}/shared", user, room.sharedWithUser, "read:users:shares"),
		plate("GET", "/groups/{group}/shared", group, room.sharedWithGroup, "read:groups:shares"),
		plate("GET", "/shares/{user}", user, room.sharesOfUser, "read:shares"),
		plate("GET", "/share-codes/{user}", user, room.codesOfUser, "read:shares"),
		plate("POST", "/shares/{user}", user, wantsServer, "shares"),
		plate("PATCH", "/shares/{user}", user, wantsServer, "shares"),
		plate("DELETE", "/shares/{user}", user, wantsServer, "shares"),
		plate("POST", "/share-codes/{user}", user, wantsServer, "shares"),
		plate("DELETE", "/share-codes/{user}", user, wantsServer, "shares"),
	}
	for _, name := range []string{"", "{server}"} {
		rows = append(rows,
			plate("GET", "/shares/{user}/"+name, server, room.sharesOfServer, "read:shares"),
			plate("POST", "/shares/{user}/"+name, server, room.share, "shares"),
			plate("PATCH", "/shares/{user}/"+name, server, room.narrowShare, "shares"),
			plate("DELETE", "/shares/{user}/"+name, server, room.unshare, "shares"),
			plate("GET", "/share-codes/{user}/"+name, server, room.codesOfServer, "read:shares"),
			plate("POST", "/share-codes/{user}/"+name, server, room.makeShareCode, "shares"),
			plate("DELETE", "/share-codes/{user}/"+name, server, room.revokeShareCodes, "shares"),
			plate("GET", "/users/{user}/shared/{owner}/"+name, user, room.showShared, "read:users:shares"),
			plate("DELETE", "/users/{user}/shared/{owner}/"+name, user, room.leaveShared, "users:shares"),
			plate("GET", "/groups/{group}/shared/{owner}/"+name, group, room.showShared, "read:groups:shares"),
			plate("DELETE", "/groups/{group}/shared/{owner}/"+name, group, room.leaveShared, "groups:shares"),
		)
	}
	return rows
}

// oldRows are those that JupyterHub keeps for clients of before its release 2.
func (room *Room) oldRows() []auth.Route {
	gone := auth.Route{Method: "POST", Pattern: "/hub/api/authorizations/token", Public: true, NoXSRF: true, Handle: room.tokenElsewhere}
	goneToo := gone
	goneToo.Pattern += "/{token}"
	return []auth.Route{
		plate("GET", "/authorizations/token/{token}", house, room.ownerOfToken, auth.Authenticated),
		plate("GET", "/authorizations/cookie/{name}", house, room.ownerOfCookie, auth.Authenticated),
		plate("GET", "/authorizations/cookie/{name}/{value}", house, room.ownerOfCookie, auth.Authenticated),
		plate("POST", "/users/{user}/admin-access", user, room.adminAccess, "servers"),
		gone, goneToo,
	}
}

// ourRows are those that JupyterHub does not have.
func (room *Room) ourRows() []auth.Route {
	return []auth.Route{
		{Method: "GET", Pattern: "/hub/api/openapi.json", Public: true, NoXSRF: true, Handle: room.openAPI},
		plate("GET", "/roles", house, room.roles, "read:roles"),
		plate("POST", "/reload", house, room.reload, "shutdown"),
		audited(plate("GET", "/backup", house, room.backup, "shutdown")),
		plate("POST", "/accounts/check", house, room.checkAccounts, "delete:servers"),
		plate("GET", "/usage", house, room.usage, "admin:server_state"),
		plate("GET", "/usage/days", house, room.usageDays, "admin:server_state"),
		plate("GET", "/users/{user}/usage", user, room.usageOfUser, "read:users:activity"),
	}
}

// seeUser are the scopes that show something of a user each.
var seeUser = []string{"read:users", "read:users:name", "read:servers", "read:users:groups", "read:users:activity", "read:roles:users"}

type handler = func(http.ResponseWriter, *http.Request) error

type resource = func(*http.Request) rbac.Resource

// house is the resource of a row that is about no one thing: a filtered scope never opens it.
var house resource

func plate(method, path string, about resource, h handler, scopes ...string) auth.Route {
	return auth.Route{Method: method, Pattern: "/hub/api" + path, Scopes: scopes, Resource: about, Style: auth.API, Handle: h}
}

// audited marks a GET of which the audit log tells.
func audited(rt auth.Route) auth.Route {
	rt.Changes = true
	return rt
}

func listOf(k rbac.Kind) resource {
	return func(*http.Request) rbac.Resource { return rbac.ListOf(k) }
}

func user(r *http.Request) rbac.Resource    { return rbac.UserResource(r.PathValue("user")) }
func group(r *http.Request) rbac.Resource   { return rbac.GroupResource(r.PathValue("group")) }
func service(r *http.Request) rbac.Resource { return rbac.ServiceResource(r.PathValue("service")) }
func server(r *http.Request) rbac.Resource  { return rbac.ServerResource(refOf(r)) }

// refOf is the server that a path names.
func refOf(r *http.Request) hub.ServerRef {
	return hub.ServerRef{User: r.PathValue("user"), Server: r.PathValue("server")}
}
