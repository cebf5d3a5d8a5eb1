package api

import (
	"strings"

	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// about says of a row what its handler does, takes and gives, for the OpenAPI document and the reference page. Who may, the row
// itself says. Tests hold this table against the rows, both ways.
type about struct {
	does   string
	query  []string // names in queries
	takes  any      // a zero value of the body; nil for none
	status int      // of success
	gives  any      // a zero value of the answer; nil for an empty one
	paged  bool     // in an envelope if the client opts in
}

// queries are the parameters of queries: what they are, and their JSON schema's type.
var queries = map[string][2]string{
	"offset":                  {"how many to pass over", "integer"},
	"limit":                   {"how many to show", "integer"},
	"state":                   {"only users with an active, a ready, or no server: active, ready, inactive", "string"},
	"name_filter":             {"only users with this in their names", "string"},
	"sort":                    {"id, name or last_activity, with - for descending", "string"},
	"include_stopped_servers": {"show servers that are stopped as well", "boolean"},
	"include_usage":           {"show what servers use now, and the most that they used", "boolean"},
	"code":                    {"the value of the code to revoke", "string"},
	"first":                   {"the first day: 2026-11-24", "string"},
	"last":                    {"the last day", "string"},
	"key":                     {"what stands in the server's route", "string"},
	"id":                      {"the id of the code to revoke", "string"},
}

var described = map[string]about{
	"GET /hub/api":  {"Tell the release of JupyterHub whose API this is", nil, nil, 200, client.Version{}, false},
	"GET /hub/api/": {"Tell the release of JupyterHub whose API this is", nil, nil, 200, client.Version{}, false},

	"GET /hub/api/info":      {"Tell what the hub is made of", nil, nil, 200, client.Info{}, false},
	"POST /hub/api/shutdown": {"End the hub, and servers if it is said so", nil, client.Shutdown{}, 202, map[string]string{}, false},
	"GET /hub/api/proxy":     {"List the proxy's routes", []string{"offset", "limit"}, nil, 200, map[string]client.ProxyRoute{}, true},
	"POST /hub/api/proxy":    {"Compare the proxy's routes with what runs, and mend them", nil, nil, 200, nil, false},

	"GET /hub/api/user":  {"Tell whose token or session this is, and what it opens", []string{"include_stopped_servers"}, nil, 200, client.Identity{}, false},
	"GET /hub/api/users": {"List users", []string{"state", "name_filter", "sort", "include_stopped_servers", "include_usage", "offset", "limit"}, nil, 200, client.Users{}, true},

	"POST /hub/api/users":                 {"Make users", nil, client.CreateUsers{}, 201, client.Users{}, false},
	"GET /hub/api/users/{user}":           {"Show a user", []string{"include_stopped_servers", "include_usage"}, nil, 200, client.User{}, false},
	"POST /hub/api/users/{user}":          {"Make a user", nil, client.UserChange{}, 201, client.User{}, false},
	"PATCH /hub/api/users/{user}":         {"Change a user's name, whether they are an admin, or what is kept of their login", nil, client.UserChange{}, 200, client.User{}, false},
	"DELETE /hub/api/users/{user}":        {"Stop a user's servers and forget the user", nil, nil, 204, nil, false},
	"POST /hub/api/users/{user}/activity": {"Report when a user and their servers were active", nil, client.Activity{}, 200, nil, false},

	"GET /hub/api/users/{user}/tokens":         {"List a user's tokens", nil, nil, 200, client.Tokens{}, false},
	"POST /hub/api/users/{user}/tokens":        {"Make a token. Its value is in the answer, and never again", nil, client.TokenRequest{}, 201, client.Token{}, false},
	"GET /hub/api/users/{user}/tokens/{id}":    {"Show a token", nil, nil, 200, client.Token{}, false},
	"DELETE /hub/api/users/{user}/tokens/{id}": {"Revoke a token, and all others that its OAuth client has of this user", nil, nil, 204, nil, false},

	"GET /hub/api/groups":                       {"List groups", []string{"offset", "limit"}, nil, 200, []client.Group{}, true},
	"POST /hub/api/groups":                      {"Make groups", nil, client.CreateGroups{}, 201, []client.Group{}, false},
	"GET /hub/api/groups/{group}":               {"Show a group", nil, nil, 200, client.Group{}, false},
	"POST /hub/api/groups/{group}":              {"Make a group", nil, client.GroupRequest{}, 201, client.Group{}, false},
	"DELETE /hub/api/groups/{group}":            {"Forget a group; its members stay", nil, nil, 204, nil, false},
	"POST /hub/api/groups/{group}/users":        {"Put users into a group", nil, client.Members{}, 200, client.Group{}, false},
	"DELETE /hub/api/groups/{group}/users":      {"Take users out of a group", nil, client.Members{}, 200, client.Group{}, false},
	"PUT /hub/api/groups/{group}/properties":    {"Replace a group's properties", nil, map[string]any{}, 200, client.Group{}, false},
	"GET /hub/api/services":                     {"List services, by name", nil, nil, 200, map[string]client.Service{}, false},
	"GET /hub/api/services/{service}":           {"Show a service", nil, nil, 200, client.Service{}, false},
	"POST /hub/api/services/{service}":          {"Make a service that no configuration names", nil, client.ServiceRequest{}, 201, client.Service{}, false},
	"DELETE /hub/api/services/{service}":        {"Forget a service that no configuration names", nil, nil, 200, nil, false},
	"GET /hub/api/users/{user}/shared":          {"List what others share with a user, by themselves and through groups", []string{"offset", "limit"}, nil, 200, client.Page[[]client.Share]{}, false},
	"GET /hub/api/groups/{group}/shared":        {"List what is shared with a group", []string{"offset", "limit"}, nil, 200, client.Page[[]client.Share]{}, false},
	"POST /hub/api/shares/{user}":               {"Refused: what is shared is one server", nil, nil, 405, client.ErrorBody{}, false},
	"PATCH /hub/api/shares/{user}":              {"Refused: what is shared is one server", nil, nil, 405, client.ErrorBody{}, false},
	"DELETE /hub/api/shares/{user}":             {"Refused: what is shared is one server", nil, nil, 405, client.ErrorBody{}, false},
	"POST /hub/api/share-codes/{user}":          {"Refused: a code is for one server", nil, nil, 405, client.ErrorBody{}, false},
	"DELETE /hub/api/share-codes/{user}":        {"Refused: a code is for one server", nil, nil, 405, client.ErrorBody{}, false},
	"GET /hub/api/shares/{user}":                {"List what a user shares", []string{"offset", "limit"}, nil, 200, client.Page[[]client.Share]{}, false},
	"GET /hub/api/share-codes/{user}":           {"List the codes for a user's servers", []string{"offset", "limit"}, nil, 200, client.Page[[]client.ShareCode]{}, false},
	"GET /hub/api/authorizations/token/{token}": {"Tell whose token that is. Deprecated: GET /user says it of one's own", nil, nil, 200, client.User{}, false},

	"POST /hub/api/authorizations/token":                {"Gone: tokens are made at /users/{user}/tokens", nil, nil, 404, client.ErrorBody{}, false},
	"POST /hub/api/authorizations/token/{token}":        {"Gone: tokens are made at /users/{user}/tokens", nil, nil, 404, client.ErrorBody{}, false},
	"GET /hub/api/authorizations/cookie/{name}":         {"Tell whose login cookie the body is. Deprecated", nil, nil, 200, client.User{}, false},
	"GET /hub/api/authorizations/cookie/{name}/{value}": {"Tell whose login cookie that is. Deprecated", nil, nil, 200, client.User{}, false},
	"POST /hub/api/users/{user}/admin-access":           {"Refused always: admins go to a server as everybody with its scope does. Deprecated", nil, nil, 403, client.ErrorBody{}, false},

	"GET /hub/api/openapi.json":       {"This document", nil, nil, 200, map[string]any{}, false},
	"GET /hub/api/roles":              {"List roles, what they allow, and to whom the configuration gives them", nil, nil, 200, []client.Role{}, false},
	"POST /hub/api/reload":            {"Read the configuration again, or only check it, and tell what changes", nil, client.ReloadRequest{}, 200, client.ReloadReply{}, false},
	"GET /hub/api/backup":             {"Copy the database. At admin.sock alone", nil, nil, 200, binary{}, false},
	"GET /hub/api/usage/days":         {"Tell what servers used, by user and day", spans, nil, 200, client.Consumptions{}, false},
	"GET /hub/api/users/{user}/usage": {"Tell what a user's servers used, by day", spans, nil, 200, client.Consumptions{}, false},
	"GET /hub/api/usage":              {"Tell what each running server uses now, by user/server", nil, nil, 200, map[string]client.ServerState{}, false},
	"POST /hub/api/accounts/check":    {"Look again at the accounts of everybody whose servers run; the culler asks at each pass", nil, nil, 200, client.AccountsReply{}, false},
}

// spans are the parameters of what was used in which days.
var spans = []string{"first", "last"}

// binary stands for an answer that is no JSON.
type binary struct{}

// describedServer are the rows of one server, for a path that ends in its name.
var describedServer = map[string]about{
	"GET":          {"Show a server", nil, nil, 200, client.Server{}, false},
	"POST":         {"Start a server: 201 if it is ready in time, 202 if it goes on", nil, client.StartRequest{}, 201, nil, false},
	"DELETE":       {"Stop a server, and forget a named one if it is said so: 204 if it is gone in time, 202 if it goes on", nil, client.StopRequest{}, 204, nil, false},
	"PUT":          {"Make a named server without starting it", nil, client.StartRequest{}, 201, client.Server{}, false},
	"PATCH":        {"Change a server that is stopped: its name, display name or options", nil, client.ServerChange{}, 200, client.Server{}, false},
	"POST restart": {"Stop a server and start it again as it was: 201 if it is ready in time, 202 if it goes on", nil, nil, 201, nil, false},
	"POST limits":  {"Change limits of a server that runs; null limits are those of the configuration", nil, client.LimitRequest{}, 200, client.LimitRequest{}, false},
	"POST wake":    {"Wake a server that sleeps. The proxy's, who shows a key", []string{"key"}, nil, 204, nil, false},
	"GET progress": {"Follow a start, as a stream of events", nil, nil, 200, eventStream{}, false},
}

// eventStream stands for a stream of events.
type eventStream struct{}

// describedShare are the rows about what is shared of one server.
var describedShare = map[string]about{
	"GET shares":         {"List what is shared of a server", []string{"offset", "limit"}, nil, 200, client.Page[[]client.Share]{}, false},
	"POST shares":        {"Share a server with a user or a group", nil, client.ShareRequest{}, 200, client.Share{}, false},
	"PATCH shares":       {"Take back what is shared with a user or a group", nil, client.ShareRequest{}, 200, client.Share{}, false},
	"DELETE shares":      {"Take back all that is shared of a server", nil, nil, 204, nil, false},
	"GET share-codes":    {"List the codes for a server", []string{"offset", "limit"}, nil, 200, client.Page[[]client.ShareCode]{}, false},
	"POST share-codes":   {"Make a code that shares a server with whoever has it", nil, client.ShareCodeRequest{}, 200, client.ShareCode{}, false},
	"DELETE share-codes": {"Revoke one code of a server, or all", []string{"code", "id"}, nil, 204, nil, false},
	"GET users":          {"Show what is shared with a user of one server", nil, nil, 200, client.Share{}, false},
	"DELETE users":       {"Give up what is shared with a user of one server", nil, nil, 204, nil, false},
	"GET groups":         {"Show what is shared with a group of one server", nil, nil, 200, client.Share{}, false},
	"DELETE groups":      {"Give up what is shared with a group of one server", nil, nil, 204, nil, false},
}

// elsewhere are the rows under /hub/api that other rooms and the hall have.
var elsewhere = map[string]about{
	"GET /hub/api/health":            {"Answer as long as the process does", nil, nil, 200, nil, false},
	"HEAD /hub/api/health":           {"Answer as long as the process does", nil, nil, 200, nil, false},
	"GET /hub/api/metrics":           {"Show the metrics, in Prometheus's text", nil, nil, 200, binary{}, false},
	"GET /hub/api/oauth2/authorize":  {"Ask a browser's person whether an OAuth client may have what it asks for (RFC 6749)", nil, nil, 302, nil, false},
	"POST /hub/api/oauth2/authorize": {"The person agrees", nil, nil, 302, nil, false},
	"POST /hub/api/oauth2/token":     {"Exchange a code for a token (RFC 6749)", nil, nil, 200, map[string]any{}, false},
}

// elsewhereRows are the plates of those rows, for the document; the hall's tests hold them against the real ones.
func elsewhereRows() []auth.Route {
	at := func(method, path string, public bool, scopes ...string) auth.Route {
		return auth.Route{Method: method, Pattern: "/hub/api" + path, Public: public, Scopes: scopes}
	}
	return []auth.Route{
		at("GET", "/health", true), at("HEAD", "/health", true), at("GET", "/metrics", false, "read:metrics"),
		at("GET", "/oauth2/authorize", false, auth.Authenticated), at("POST", "/oauth2/authorize", false, auth.Authenticated), at("POST", "/oauth2/token", true),
	}
}

// aboutRow finds what is said of a row.
func aboutRow(method, pattern string) (about, bool) {
	if a, ok := described[method+" "+pattern]; ok {
		return a, true
	}
	if a, ok := elsewhere[method+" "+pattern]; ok {
		return a, true
	}
	if room, ok := shareRoom(pattern); ok {
		a, ok := describedShare[method+" "+room]
		return a, ok
	}
	if i := strings.LastIndexByte(pattern, '/'); oneServer(pattern[:i]) || oneServer(pattern[:i+1]) {
		if a, ok := describedServer[method+" "+pattern[i+1:]]; ok {
			return a, true
		}
	}
	a, ok := describedServer[method]
	return a, ok && oneServer(pattern)
}

// Described returns the rows that are described one by one: "GET /hub/api/users".
func Described() map[string]string {
	out := map[string]string{}
	for _, table := range []map[string]about{described, elsewhere} {
		for row, a := range table {
			out[row] = a.does
		}
	}
	return out
}
