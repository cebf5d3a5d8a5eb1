package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// openAPI answers GET /hub/api/openapi.json: what this API is, for programs that make clients. It is made from the rows.
func (room *Room) openAPI(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, room.document())
}

// Document returns the OpenAPI 3.1 document of the room's rows, and of what others have under /hub/api.
func (room *Room) Document() map[string]any {
	schemas := schemas{}
	paths := map[string]map[string]any{}
	for _, row := range append(room.Routes(), elsewhereRows()...) {
		a, ok := aboutRow(row.Method, row.Pattern)
		path := strings.TrimPrefix(row.Pattern, "/hub/api")
		if !ok || !strings.HasPrefix(row.Pattern, "/hub/api") {
			continue
		}
		path = cmp.Or(path, "/")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(row.Method)] = operation(row, a, schemas)
	}
	schemas.of(client.ErrorBody{})
	return map[string]any{
		"openapi":  "3.1.0",
		"info":     map[string]any{"title": "JupyterHub", "version": hub.APIVersion, "description": "The REST API of JupyterHub, and what this hub adds to it."},
		"servers":  []any{map[string]any{"url": room.BaseURL + "hub/api"}},
		"security": []any{map[string]any{"token": []string{}}},
		"paths":    paths,
		"components": map[string]any{
			"schemas": schemas,
			"securitySchemes": map[string]any{
				"token": map[string]any{"type": "http", "scheme": "bearer", "description": "An API token: Authorization: token T, or Bearer T"},
			},
		},
	}
}

// operation describes one row.
func operation(row auth.Route, a about, s schemas) map[string]any {
	op := map[string]any{"operationId": operationID(row.Method, row.Pattern), "summary": a.does, "responses": responses(a, s)}
	if strings.Contains(a.does, "Deprecated") || strings.HasPrefix(a.does, "Gone") {
		op["deprecated"] = true
	}
	var parameters []any
	for _, name := range wildcards.FindAllStringSubmatch(row.Pattern, -1) {
		parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, name := range a.query {
		q := queries[name]
		parameters = append(parameters, map[string]any{"name": name, "in": "query", "description": q[0], "schema": map[string]any{"type": q[1]}})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if a.takes != nil {
		op["requestBody"] = map[string]any{"content": content(s.of(a.takes))}
	}
	op["security"] = security(row)
	return op
}

var wildcards = regexp.MustCompile(`\{(\w+)\}`)

// security says which scopes open a row: any of them does.
func security(row auth.Route) []any {
	switch {
	case row.Public:
		return []any{}
	case slices.Contains(row.Scopes, auth.Authenticated):
		return []any{map[string]any{"token": []string{}}}
	}
	either := []any{}
	for _, scope := range row.Scopes {
		either = append(either, map[string]any{"token": []string{scope}})
	}
	return either
}

func responses(a about, s schemas) map[string]any {
	good := map[string]any{"description": http.StatusText(a.status)}
	switch a.gives.(type) {
	case nil:
	case binary:
		good["content"] = map[string]any{"application/octet-stream": map[string]any{}}
	case eventStream:
		good["content"] = map[string]any{"text/event-stream": map[string]any{"schema": s.of(hub.Event{})}}
	default:
		good["content"] = content(s.of(a.gives))
	}
	if a.paged {
		envelope := map[string]any{"type": "object", "properties": map[string]any{"items": s.of(a.gives), "_pagination": s.of(client.Pagination{})}}
		good["content"] = content(map[string]any{"oneOf": []any{s.of(a.gives), envelope}})
	}
	return map[string]any{fmt.Sprint(a.status): good, "default": map[string]any{"description": "a refusal", "content": content(s.of(client.ErrorBody{}))}}
}

func content(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// operationID is a name for a method of a client: getUsersUserServer. A path that ends in a slash means the default server's.
func operationID(method, pattern string) string {
	id := strings.ToLower(method)
	path := strings.TrimPrefix(pattern, "/hub/api")
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/progress") && strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/default/") + "/default"
	}
	for word := range strings.FieldsFuncSeq(path, func(c rune) bool { return strings.ContainsRune("/{}-._", c) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// oneServer reports whether a path is that of a server.
func oneServer(pattern string) bool {
	at, ok := strings.CutPrefix(pattern, "/hub/api/users/{user}/server")
	return ok && slices.Contains([]string{"", "s/", "s/{server}"}, at)
}

// shareRoom returns what a path about the shares of one server begins with.
func shareRoom(pattern string) (string, bool) {
	rest := strings.TrimPrefix(pattern, "/hub/api/")
	first, rest, _ := strings.Cut(rest, "/")
	switch rest = strings.TrimSuffix(rest, "{server}"); first {
	case "shares", "share-codes":
		return first, rest == "{user}/"
	case "users":
		return first, rest == "{user}/shared/{owner}/"
	case "groups":
		return first, rest == "{group}/shared/{owner}/"
	}
	return "", false
}

// Reference returns the table of docs/api.md: one line a row, by path.
func (room *Room) Reference() string {
	var b strings.Builder
	lines := map[string]string{}
	for _, row := range append(room.Routes(), elsewhereRows()...) {
		a, ok := aboutRow(row.Method, row.Pattern)
		if !ok || row.Pattern == "/hub/api/" {
			continue // the same as without the slash
		}
		scopes := "`" + strings.Join(row.Scopes, "`, `") + "`"
		switch {
		case row.Public:
			scopes = "everybody"
		case slices.Contains(row.Scopes, auth.Authenticated):
			scopes = "whoever is known"
		}
		path := strings.TrimPrefix(row.Pattern, "/hub/api")
		lines[path+" "+row.Method] = fmt.Sprintf("| %s | `%s` | %s | %s |\n", row.Method, cmp.Or(path, "/"), scopes, a.does)
	}
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[key])
	}
	return b.String()
}

// document is made once a room.
func (room *Room) document() json.RawMessage {
	room.documented.Do(func() {
		b, err := json.Marshal(room.Document())
		if err == nil {
			room.openapi = b
		}
	})
	return room.openapi
}
