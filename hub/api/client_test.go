package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

// notOfTheClient says why hub/client has no method for some rows, by how their pattern ends.
var notOfTheClient = map[string]string{
	"/hub/api":                              "the same as /hub/api/",
	"/servers/":                             "the default server, which the client calls /server",
	"/servers//progress":                    "the default server",
	"/servers//restart":                     "the default server",
	"/servers//limits":                      "the default server",
	"/hub/api/shares/{user}":                "only lists; the rest is refused",
	"/hub/api/share-codes/{user}":           "only lists; the rest is refused",
	"/wake":                                 "the proxy's, with the key of a route",
	"/admin-access":                         "gone from JupyterHub",
	"/authorizations/token":                 "gone from JupyterHub",
	"/authorizations/token/{token}":         "for services of before OAuth",
	"/authorizations/cookie/{name}":         "for services of before OAuth",
	"/authorizations/cookie/{name}/{value}": "for services of before OAuth",
}

// Every row of the API can be called by the Go client: each of its methods is called for a default and for a named server, and
// what arrives is looked up among the rows.
func TestTheClientCoversTheAPI(t *testing.T) {
	rows := newWorld(t).room.Routes()
	var mu sync.Mutex // guards called
	called := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		row := rowFor(rows, r.Method, r.URL.EscapedPath())
		if row == "" {
			t.Errorf("the client calls %s %s, which is no row", r.Method, r.URL)
		}
		called[row] = true
		io.WriteString(w, "{}")
	}))
	defer s.Close()
	c, err := client.New(s.URL+"/hub/api", "a token")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "gpu"} {
		callEverything(t, c, hub.ServerRef{User: "alice", Server: name})
	}
	for _, row := range rows {
		if name := row.Method + " " + row.Pattern; !called[name] && !excused(row.Pattern) {
			t.Errorf("hub/client has no method that calls %s", name)
		}
	}
}

func excused(pattern string) bool {
	for end := range notOfTheClient {
		if pattern == end || strings.HasSuffix(pattern, end) && end != "/hub/api" {
			return true
		}
	}
	return false
}

// rowFor finds the row for a path: one whose segments are the path's, the more literally the better.
func rowFor(rows []auth.Route, method, path string) (found string) {
	best := -1
	for _, row := range rows {
		want, have := strings.Split(row.Pattern, "/"), strings.Split(path, "/")
		literal := 0
		for i := range want {
			switch {
			case len(want) != len(have) || row.Method != method:
				literal = -len(want)
			case want[i] == have[i]:
				literal++
			case !strings.HasPrefix(want[i], "{") || have[i] == "":
				literal = -len(want)
			}
		}
		if literal > best {
			best, found = literal, row.Method+" "+row.Pattern
		}
	}
	return found
}

// callEverything calls each method of a client with arguments made from their types. What it makes of the empty reply does not
// matter here.
func callEverything(t *testing.T, c *client.Client, ref hub.ServerRef) {
	t.Helper()
	v := reflect.ValueOf(c)
	for i := range v.NumMethod() {
		method := v.Method(i)
		var in []reflect.Value
		for j := range method.Type().NumIn() {
			if !method.Type().IsVariadic() || j < method.Type().NumIn()-1 {
				in = append(in, argument(t, method.Type().In(j), ref))
			}
		}
		method.Call(in)
	}
	// These call one row or another.
	_, _ = c.UsageDays(t.Context(), "", "", "")
}

func argument(t *testing.T, of reflect.Type, ref hub.ServerRef) reflect.Value {
	t.Helper()
	for _, given := range []any{t.Context(), ref, io.Discard, "name"} {
		if v := reflect.ValueOf(given); v.Type().AssignableTo(of) {
			return v
		}
	}
	if of.Kind() == reflect.Func {
		return reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { return []reflect.Value{reflect.Zero(of.Out(0))} })
	}
	return reflect.Zero(of)
}
