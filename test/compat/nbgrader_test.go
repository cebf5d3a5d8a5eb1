package compat

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// nbgrader asks the hub for its courses (nbgrader/auth/jupyterhub.py of its release 0.9): every answer has to be JSON, and
// lists of groups have to be plain.
func TestCallsOfNbgrader(t *testing.T) {
	w, _ := long(t)
	token := w.token("admin", "inherit")
	ask := func(method, path, body string, into any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+"/hub/api"+path, reader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "token "+token)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		if err := json.NewDecoder(got.Body).Decode(into); err != nil || got.StatusCode >= 300 {
			t.Errorf("%s %s: %d, %v", method, path, got.StatusCode, err)
		}
	}
	var any map[string]json.RawMessage
	ask("POST", "/groups/nbgrader-course101", "", &any)
	ask("POST", "/groups/nbgrader-course101/users", `{"users": ["alice", "bob"]}`, &any)
	ask("DELETE", "/groups/nbgrader-course101/users", `{"users": ["bob"]}`, &any)
	var groups []struct {
		Name  string
		Users []string
	}
	if ask("GET", "/groups", "", &groups); len(groups) != 1 || groups[0].Name != "nbgrader-course101" || len(groups[0].Users) != 1 {
		t.Errorf("groups are %+v", groups)
	}
	// A student's server asks with its own token, which knows who it belongs to and nothing else.
	token = w.token("alice", "users:activity!user=alice", "access:servers!server=alice/")
	var alice struct{ Groups []string }
	if ask("GET", "/users/alice", "", &alice); len(alice.Groups) != 1 || alice.Groups[0] != "nbgrader-course101" {
		t.Errorf("alice is in %q", alice.Groups)
	}
}

func reader(body string) io.Reader {
	if body == "" {
		return nil
	}
	return strings.NewReader(body)
}
