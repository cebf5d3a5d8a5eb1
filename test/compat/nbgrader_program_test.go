package compat

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// nbgrader itself asks, with the tokens of a course's service and of a student's server (testdata/nbgrader_calls.py).
func TestNbgrader(t *testing.T) {
	t.Parallel()
	python := needs(t, "nbgrader-0.9.6", "python")
	program, err := filepath.Abs("testdata/nbgrader_calls.py")
	if err != nil {
		t.Fatal(err)
	}
	w, _ := long(t)
	w.update(func(tx *store.Tx) error {
		return tx.PutService(hub.Service{Name: "formgrader", Scopes: []string{"admin:groups", "list:users", "read:users:groups"}})
	})
	cmd, said := exec.CommandContext(t.Context(), python, program), new(strings.Builder)
	cmd.Dir, cmd.Stderr = t.TempDir(), said
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + filepath.Dir(python) + ":/usr/bin:/bin", "LANG=C.UTF-8", "JUPYTERHUB_API_URL=" + w.url + "/hub/api",
		"SERVICE_TOKEN=" + w.token("service/formgrader", "inherit"), "ALICES_TOKEN=" + w.token("alice", "users:activity!user=alice", "access:servers!server=alice/")}
	out, err := cmd.Output()
	if want := `[[], ["course101"], []]`; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("alice's courses are %s, %v, want %s\n%s", out, err, want, said)
	}
	var members []string
	w.update(func(tx *store.Tx) error {
		g, err := tx.Group("nbgrader-course101")
		members = g.Users
		return err
	})
	if len(members) != 1 || members[0] != "bob" {
		t.Errorf("the course has %q", members)
	}
}

// What nbgrader looks for first so as not to meet it: a group that is there already is refused, and stays as it is. And a list of groups
// is plain unless a client asks for pages of it.
func TestGroupsAsNbgraderFindsThem(t *testing.T) {
	w, _ := long(t)
	token := w.token("admin", "inherit")
	ask := func(method, path, accept string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+"/hub/api"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "token "+token)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		var body json.RawMessage
		if err := json.NewDecoder(got.Body).Decode(&body); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return got.StatusCode, string(body)
	}
	for _, try := range []struct {
		name string
		want int
	}{{"nbgrader-a", http.StatusCreated}, {"nbgrader-b", http.StatusCreated}, {"nbgrader-a", http.StatusConflict}} {
		if status, body := ask("POST", "/groups/"+try.name, ""); status != try.want {
			t.Errorf("%s: %d, want %d: %s", try.name, status, try.want, body)
		}
	}
	if _, plain := ask("GET", "/groups?limit=1", ""); !strings.HasPrefix(plain, "[") || strings.Contains(plain, "nbgrader-b") {
		t.Errorf("one group is %s", plain)
	}
	_, page := ask("GET", "/groups?limit=1", "application/jupyterhub-pagination+json")
	var answer struct {
		Items      []struct{ Name string }
		Pagination struct {
			Total int
			Next  struct{ URL string }
		} `json:"_pagination"`
	}
	if err := json.Unmarshal([]byte(page), &answer); err != nil || len(answer.Items) != 1 || answer.Pagination.Total != 2 || !strings.Contains(answer.Pagination.Next.URL, "offset=1") {
		t.Errorf("a page is %s, %v", page, err)
	}
}
