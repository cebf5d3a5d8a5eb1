package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// base_url holds after a restart. A reload changes it in no part of the hub, and whatever else is in the file in all of them.
func TestAReloadLeavesWhatOnlyARestartChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "jupyterhub.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[hub]\nbase_url = \"/jh/\"\n")
	c, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := wire(&daemon.Daemon{ConfigDir: dir, Log: zerolog.Nop()}, c, s, crypt.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	write("[hub]\nbase_url = \"/elsewhere/\"\nallow_named_servers = true\n")
	for _, doing := range []string{"first", "again"} {
		changes, err := h.Reload(t.Context(), false)
		if err != nil || !strings.Contains(strings.Join(changes, "\n"), "base_url") {
			t.Errorf("%s: %q, %v", doing, changes, err)
		}
		for path, there := range map[string]bool{"/jh/hub/login": true, "/elsewhere/hub/login": false} {
			w := httptest.NewRecorder()
			h.door(browsers).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if (w.Code != http.StatusNotFound) != there {
				t.Errorf("%s: %s answers %d", doing, path, w.Code)
			}
		}
	}
	if !h.config.Hub.AllowNamedServers || h.config.Hub.BaseURL != "/jh/" {
		t.Errorf("in force is %+v", h.config.Hub)
	}
}

// A reload gives and takes roles, makes admins and services, and says each change.
func TestAReloadGivesAndTakesRoles(t *testing.T) {
	st := newSite(t)
	c := st.load("[[hub.load_roles]]\nname = \"assistant\"\nscopes = [\"list:users\"]\nusers = [\"alice\"]\n")
	h, err := wire(&daemon.Daemon{ConfigDir: st.dir, Log: zerolog.Nop()}, c, st.store, crypt.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, hub.Owner{Kind: hub.OwnerUser, Name: "bob"}
	if !st.holds(h.porter.Policy(), alice, "list:users", rbac.Resource{}) {
		t.Error("alice does not have the role to begin with")
	}
	st.write("jupyterhub.toml", "[authenticator]\nadmin_users = [\"alice\"]\n[[hub.services]]\nname = \"wiki\"\n"+
		"[[hub.load_roles]]\nname = \"assistant\"\nscopes = [\"list:groups\"]\nusers = [\"bob\"]\n", 0o644)
	changes, err := h.Reload(t.Context(), false)
	said := strings.Join(changes, "\n")
	for _, want := range []string{`hub.load_roles.assistant.users: ["alice"] is now ["bob"]`, `["list:users"] is now ["list:groups"]`,
		`hub.services.wiki.name: set to "wiki"`, `authenticator.admin_users`} {
		if err != nil || !strings.Contains(said, want) {
			t.Errorf("nothing says %s: %v\n%s", want, err, said)
		}
	}
	policy := h.porter.Policy()
	if !st.holds(policy, bob, "list:groups", rbac.Resource{}) || st.holds(policy, bob, "list:users", rbac.Resource{}) {
		t.Error("bob does not have the role as it is now")
	}
	st.look(func(tx *store.Tx) {
		u, err := tx.User("alice")
		if _, missing := tx.Service("wiki"); err != nil || !u.Admin || missing != nil {
			t.Errorf("alice is %+v, %v; the service: %v", u, err, missing)
		}
	})
	st.write("jupyterhub.toml", "[[hub.load_roles]]\nname = \"assistant\"\nscopes = [\"list:minds\"]\n", 0o644)
	if _, err := h.Reload(t.Context(), false); hub.KindOf(err) != hub.Invalid || h.porter.Policy() != policy {
		t.Errorf("a mistake: %v", err)
	}
}

// The journal has a line for each change of a reload, in the words of its answer; a look, a mistake and a file as it was have none.
func TestAReloadWritesEachChangeIntoTheJournal(t *testing.T) {
	st := newSite(t)
	c := st.load("[spawner]\nmem_limit = \"1G\"\n")
	var journal bytes.Buffer
	h, err := wire(&daemon.Daemon{ConfigDir: st.dir, Log: zerolog.New(&journal)}, c, st.store, crypt.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	lines := func(check bool) []string {
		t.Helper()
		journal.Reset()
		if _, err := h.Reload(t.Context(), check); err != nil && hub.KindOf(err) != hub.Invalid {
			t.Fatal(err)
		}
		return changesIn(t, journal.String())
	}
	st.write("jupyterhub.toml", "[hub]\nallow_named_servers = true\n[spawner]\nmem_limit = \"2G\"\n[proxy]\nport_of_nothing = 1\n", 0o644)
	if got := lines(false); len(got) > 0 {
		t.Errorf("a mistake is told as a change: %q", got)
	}
	st.write("jupyterhub.toml", "[hub]\nallow_named_servers = true\n[spawner]\nmem_limit = \"2G\"\n", 0o644)
	if got := lines(true); len(got) > 0 {
		t.Errorf("a look is told as a change: %q", got)
	}
	want := []string{"hub.allow_named_servers: false is now true", `spawner.mem_limit: "1G" is now "2G", from a server's next start`}
	if got := lines(false); !slices.Equal(got, want) {
		t.Errorf("told are %q, want %q", got, want)
	}
	if got := lines(false); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}
}

// changesIn is what a log says was changed.
func changesIn(t *testing.T, log string) (changes []string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var entry struct{ Level, Message, Change string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if entry.Message == "configuration changed" && entry.Level == "info" {
			changes = append(changes, entry.Change)
		}
	}
	return changes
}
