package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/config"
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
	h, err := wire(&daemon.Daemon{ConfigDir: dir, Log: zerolog.Nop()}, c, s)
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
