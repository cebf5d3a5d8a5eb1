package httpd

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub/auth"
)

// shapes are patterns as the rooms have them.
var shapes = []string{
	"/hub/api", "/hub/api/", "/hub/api/users", "/hub/api/users/{user}", "/hub/api/users/{user}/server",
	"/hub/api/users/{user}/servers/", "/hub/api/users/{user}/servers/{server}", "/hub/api/users/{user}/servers/{server}/progress",
	"/hub/", "/hub/home", "/hub/static/{path...}", "/hub/user/{user}", "/hub/user/{user}/{rest...}", "/user/{user}", "/{path...}",
}

// find runs a path through a table of shapes and returns which matched, with its values as a query string.
func find(t *testing.T, escaped string) (string, url.Values) {
	t.Helper()
	root := new(tree)
	rows := map[*row]bool{}
	for _, p := range shapes {
		r := &row{Route: auth.Route{Method: "GET", Pattern: p}}
		if err := root.add(r); err != nil {
			t.Fatal(err)
		}
		rows[r] = true
	}
	path, ok := segments(escaped)
	if !ok {
		return "", nil
	}
	found, values := root.find(path, nil)
	if found == nil {
		return "", nil
	}
	r := found.forMethod("GET")
	got := url.Values{}
	for i, name := range r.params {
		got.Set(name, values[i])
	}
	return r.Pattern, got
}

func TestPathsLeadWhereTheyShould(t *testing.T) {
	for _, c := range []struct{ path, pattern, values string }{
		{"/hub/api", "/hub/api", ""},
		{"/hub/api/", "/hub/api/", ""},
		{"/hub/api/users", "/hub/api/users", ""},
		{"/hub/api/users/", "", ""},
		{"/hub/api//users", "", ""},
		{"/hub/api/users//server", "", ""},
		{"/hub/api/users/alice", "/hub/api/users/{user}", "user=alice"},
		{"/hub/api/users/alice/", "", ""},
		{"/hub/api/users/a%2Fb", "/hub/api/users/{user}", "user=a%2Fb"},
		{"/hub/api/users/a%2Fserver", "/hub/api/users/{user}", "user=a%2Fserver"},
		{"/hub/api/users/..", "/hub/api/users/{user}", "user=.."},
		{"/hub/api/users/%2e%2e/server", "/hub/api/users/{user}/server", "user=.."},
		{"/hub/api/users/we%20ird/server", "/hub/api/users/{user}/server", "user=we+ird"},
		{"/hub/api/users/%C3%BC", "/hub/api/users/{user}", "user=%C3%BC"},
		{"/hub/api/users/a@b.c", "/hub/api/users/{user}", "user=a%40b.c"},
		{"/hub/api/users/alice/servers/", "/hub/api/users/{user}/servers/", "user=alice"},
		{"/hub/api/users/alice/servers/gpu", "/hub/api/users/{user}/servers/{server}", "server=gpu&user=alice"},
		{"/hub/api/users/alice/servers//progress", "", ""},
		{"/hub/api%2Fusers", "", ""},
		{"/hub", "", ""}, // a literal began: the catch-all is not for what the hub does not have
		{"/hub/nothing", "", ""},
		{"/hub/static/", "/hub/static/{path...}", "path="},
		{"/hub/static/a/b.css", "/hub/static/{path...}", "path=a%2Fb.css"},
		{"/hub/user/alice", "/hub/user/{user}", "user=alice"},
		{"/hub/user/alice/", "/hub/user/{user}/{rest...}", "rest=&user=alice"},
		{"/hub/user/alice/lab//x", "/hub/user/{user}/{rest...}", "rest=lab%2F%2Fx&user=alice"},
		{"/user/alice", "/user/{user}", "user=alice"},
		{"/user/alice/lab", "", ""},
		{"/anything/else", "/{path...}", "path=anything%2Felse"},
		{"/", "/{path...}", "path="},
	} {
		pattern, values := find(t, c.path)
		if pattern != c.pattern || values.Encode() != c.values {
			t.Errorf("%s: %q %q, want %q %q", c.path, pattern, values.Encode(), c.pattern, c.values)
		}
	}
}

func TestBaseURLIsComparedDecoded(t *testing.T) {
	base, _ := segments("/j%C3%BC/x/")
	for path, want := range map[string]string{"/j%C3%BC/x/hub": "hub", "/jü/x/hub": "hub", "/j%C3%BC/hub": "", "/x": ""} {
		parts, _ := segments(path)
		rest, ok := below(parts, base[:2])
		if got := strings.Join(rest, "/"); got != want || ok != (want != "") {
			t.Errorf("%s below /jü/x/: %q %t, want %q", path, got, ok, want)
		}
	}
}

// Whatever a stranger writes, each segment is decoded once and on its own, and a match's values are the path's pieces.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/hub/api/users/a%2Fb/server", "/hub/api//users", "/hub/user/x/../../api", "/%2e%2e/%252e", "/hub/api/users/%zz", "/hub/api/users/%00", "//evil.org/hub", "/hub/api/users/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		pattern, values := find(t, path)
		if pattern == "" {
			return
		}
		for _, name := range []string{"user", "server"} {
			if v, there := values[name]; there && v[0] == "" {
				t.Errorf("%q: %s matched nothing", path, name)
			}
		}
		if user := values.Get("user"); user != "" && !strings.Contains(path, url.PathEscape(user)) && !slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool {
			d, err := url.PathUnescape(s)
			return err == nil && d == user
		}) {
			t.Errorf("%q: user %q is no segment of it", path, user)
		}
	})
}

func TestMethodsOfOnePathStandTogether(t *testing.T) {
	root := new(tree)
	for _, m := range []string{"GET", "POST", ""} {
		if err := root.add(&row{Route: auth.Route{Method: m, Pattern: "/a/{" + strings.ToLower(m) + "x}"}}); err != nil {
			t.Fatal(err)
		}
	}
	rows, _ := root.find([]string{"a", "b"}, nil)
	if got := slices.Sorted(maps.Keys(rows)); !slices.Equal(got, []string{"", "GET", "POST"}) {
		t.Fatalf("methods %q", got)
	}
	if rows.forMethod("BREW").Method != "" || rows.forMethod("GET").Method != "GET" {
		t.Error("a row for all methods stands in for those without one")
	}
}
