package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"jupyterhubd/hub/api"
	"jupyterhubd/hub/rbac"
)

var update = flag.Bool("update", false, "write docs/api.md")

const referenceHead = `# The REST API

Made from the hub's own table of routes by its tests: ` + "`go test ./hub/api -update`" + `. The same for programs is the OpenAPI document at
` + "`/hub/api/openapi.json`" + `, which needs no token.

Paths are below ` + "`/hub/api`" + `. Any one of the scopes opens a row for what its path names; a scope with a filter (` + "`!user=`, `!group=`,\n`!server=`, `!service=`" + `) opens it for that one, and a list for what it reaches. Who holds none of the scopes gets 403, whose filter does
not reach gets 404, as if it did not exist. A path that ends in a slash where another has ` + "`{server}`" + ` is about the default server.

    curl -H "Authorization: token $(jupyterhub token)" http://127.0.0.1:8081/hub/api/user

| Method | Path | Scopes | |
|---|---|---|---|
`

// docs/api.md says what the table of rows says.
func TestReferenceIsTheTable(t *testing.T) {
	const file = "../../docs/api.md"
	policy, err := rbac.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var scopes strings.Builder
	for _, s := range policy.Scopes() {
		fmt.Fprintf(&scopes, "| `%s` | %s | %s |\n", s.Name, s.Description, strings.Join(s.Implies, ", "))
	}
	want := referenceHead + newWorld(t).room.Reference() + "\n## Scopes\n\n| Scope | What it permits | With it |\n|---|---|---|\n" + scopes.String()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the rows say (%v); run: go test ./hub/api -update", file, err)
	}
}

// Every row has its line in the document, with its scopes and its path's parameters, and nothing else has; references lead
// somewhere, and every operation has a name of its own.
func TestDocumentIsTheTable(t *testing.T) {
	w := newWorld(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Summary     string
			Parameters  []struct{ Name, In string }
			Security    []struct{ Token []string }
		}
		Components struct{ Schemas map[string]any }
	}
	body := w.ask("", "GET", "/hub/api/openapi.json").is(200, `"openapi":"3.1.0"`)
	body.into(&doc)
	names := map[string]string{}
	for _, row := range w.room.Routes() {
		path := strings.TrimPrefix(row.Pattern, "/hub/api")
		if path == "" {
			path = "/"
		}
		op, ok := doc.Paths[path][strings.ToLower(row.Method)]
		if !ok || op.Summary == "" {
			t.Errorf("%s %s is not in the document: say in about.go what it does", row.Method, row.Pattern)
			continue
		}
		if !row.Public && fmt.Sprint(row.Scopes) != "[authenticated]" && len(op.Security) != len(row.Scopes) {
			t.Errorf("%s %s: %v in the document, %v on the plate", row.Method, row.Pattern, op.Security, row.Scopes)
		}
		in := 0
		for _, p := range op.Parameters {
			if p.In == "path" && strings.Contains(path, "{"+p.Name+"}") {
				in++
			}
		}
		if in != strings.Count(path, "{") {
			t.Errorf("%s %s has parameters %v", row.Method, row.Pattern, op.Parameters)
		}
		if other := names[op.OperationID]; other != "" && other != path {
			t.Errorf("%s and %s are both %s", other, path, op.OperationID)
		}
		names[op.OperationID] = path
	}
	refs := strings.Split(body.body, `"$ref":"#/components/schemas/`)
	for _, rest := range refs[1:] {
		name, _, _ := strings.Cut(rest, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("the document refers to %s, which is not there", name)
		}
	}
	for key := range api.Described() {
		method, pattern, _ := strings.Cut(key, " ")
		if doc.Paths[orRoot(strings.TrimPrefix(pattern, "/hub/api"))][strings.ToLower(method)].Summary == "" {
			t.Errorf("about.go tells of %s, which no row has", key)
		}
	}
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// What real answers look like is what the document says of them: keys that are always there are there, and no others.
func TestAnswersAreAsDocumented(t *testing.T) {
	w := withServers(t)
	admin := w.token("admin")
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}
	w.ask("", "GET", "/hub/api/openapi.json").into(&doc)
	w.ask(admin, "POST", "/hub/api/shares/alice/", `{"user":"bob"}`).is(200)
	for path, model := range map[string]string{
		"/users/alice": "User", "/user": "Identity", "/users/alice/server": "Server", "/groups/class": "Group", "/info": "Info",
		"/users/bob/shared/alice/": "Share", "/users/admin/tokens/a1": "Token",
	} {
		got, schema := w.ask(admin, "GET", "/hub/api"+path).is(200).object(), doc.Components.Schemas[model]
		for _, key := range schema.Required {
			if _, ok := got[key]; !ok {
				t.Errorf("%s lacks %s, which a %s always has", path, key, model)
			}
		}
		for key := range got {
			if schema.Properties[key] == nil {
				t.Errorf("%s has %s, and the document's %s has not", path, key, model)
			}
		}
		if len(schema.Properties) == 0 {
			b, _ := json.Marshal(schema)
			t.Errorf("%s is %s", model, b)
		}
	}
}
