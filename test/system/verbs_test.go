package system

import (
	"encoding/json"
	"strings"
	"testing"

	"jupyterhubd/hub/client"
)

// The command line speaks to the hub that runs: what one verb does another shows, to people and to programs.
func TestVerbsOfTheCommandLine(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.run("jupyterhub", "users", "add", "verbosa")
	s.run("jupyterhub", "groups", "add", "verbs", "bob")
	s.run("jupyterhub", "groups", "join", "verbs", "verbosa")
	defer func() {
		s.run("jupyterhub", "groups", "remove", "verbs")
		s.run("jupyterhub", "users", "remove", "verbosa")
	}()
	if shown := s.run("jupyterhub", "groups", "show", "verbs"); !strings.Contains(shown, "bob verbosa") {
		t.Errorf("the group is\n%s", shown)
	}
	s.run("jupyterhub", "servers", "start", "bob")
	var server client.Server
	if out := s.run("jupyterhub", "servers", "show", "bob", "--json"); json.Unmarshal([]byte(out), &server) != nil || !server.Ready || server.State.Value.Memory == nil {
		t.Errorf("bob's server is %s", out)
	}
	if shown := s.run("jupyterhub", "servers", "list"); !strings.Contains(shown, "jupyter-bob.service") {
		t.Errorf("servers are\n%s", shown)
	}
	s.run("jupyterhub", "servers", "stop", "bob")
	value := strings.TrimSpace(s.run("jupyterhub", "tokens", "add", "verbosa", "--note", "for a play"))
	if shown := s.run("jupyterhub", "tokens", "list", "verbosa"); !strings.Contains(shown, "for a play") || strings.Contains(shown, value) {
		t.Errorf("tokens are\n%s", shown)
	}
	if shown := s.run("jupyterhub", "roles", "list"); !strings.Contains(shown, "admin-ui") {
		t.Errorf("roles are\n%s", shown)
	}
	s.put("/run/verbs.token", "a-token-of-verbs\n", 0o600)
	s.run("jupyterhub", "services", "add", "verbs", "--token-file", "/run/verbs.token")
	if out := s.run("curl", "--silent", "--show-error", "--fail", "--header", "Authorization: token a-token-of-verbs", "http://127.0.0.1:8081/hub/api/user"); !strings.Contains(out, `"name":"verbs"`) {
		t.Errorf("the service is %s", out)
	}
	s.run("jupyterhub", "services", "remove", "verbs")
	if out := s.run("jupyterhub", "__completeNoDesc", "users", "show", ""); !strings.Contains(out, "verbosa") {
		t.Errorf("the shell is offered\n%s", out)
	}
}
