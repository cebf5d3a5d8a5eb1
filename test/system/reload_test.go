package system

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// An admin changes roles, services, limits and admins, and says systemctl reload: all of it holds, nobody's server is disturbed, and the
// journal has a line for each change, those that wait for a restart or a server's next start among them.
func TestAReloadBySystemctl(t *testing.T) {
	s := onStage(t)
	s.mocked("alice", "bob")
	s.start(bob)
	running := s.mainPID(hub.UnitName(bob))
	const file = "/etc/jupyterhub/jupyterhub.toml.d/80-reload.toml"
	s.afterwards("jupyterhub", "reload")
	s.afterwards("rm", "-f", file)
	s.put(file, `
[hub]
init_spawners_timeout = "11s"
[[hub.load_roles]]
name = "reloaders"
scopes = ["list:users"]
users = ["bob"]
[[hub.services]]
name = "reloaded"
[authenticator]
admin_users = ["alice"]
[spawner.user.alice]
mem_limit = "700M"
`, 0o644)
	var changes []string
	if err := json.Unmarshal([]byte(s.run("jupyterhub", "reload", "--check", "--json")), &changes); err != nil || len(changes) < 5 {
		t.Fatalf("what would change is %q, %v", changes, err)
	}
	s.run("systemctl", "reload", "jupyterhub")

	if u, err := s.hub.User(s.ctx, "bob"); err != nil || !slices.Contains(u.Roles.Value, "reloaders") {
		t.Errorf("bob has the roles %q, %v", u.Roles.Value, err)
	}
	if _, err := s.hub.Service(s.ctx, "reloaded"); err != nil {
		t.Error(err)
	}
	s.player("alice").logIn("/hub/home")
	if u, err := s.hub.User(s.ctx, "alice"); err != nil || !u.Admin.Value {
		t.Errorf("alice is no admin: %v", err)
	}
	s.start(alice)
	if got := s.property(hub.UnitName(alice), "MemoryMax"); got != "734003200" {
		t.Errorf("alice's next server may use %s", got)
	}
	if now := s.mainPID(hub.UnitName(bob)); now != running {
		t.Errorf("bob's server is another process, %s and not %s", now, running)
	}
	s.run("journalctl", "--sync")
	told := strings.ReplaceAll(s.run("journalctl", "--no-pager", "--output=cat", "--unit=jupyterhub.service", "--unit=jupyterhub-spawnd.service"), `\`, "")
	for _, change := range changes {
		if !strings.Contains(told, "configuration changed") || !strings.Contains(told, change) {
			t.Errorf("the journal does not tell: %s", change)
		}
	}
	for when, option := range map[string]string{", after a restart": "init_spawners_timeout", ", from a server's next start": "mem_limit"} {
		if !slices.ContainsFunc(changes, func(c string) bool { return strings.Contains(c, option) && strings.Contains(c, when) }) {
			t.Errorf("%s: nothing says%s: %q", option, when, changes)
		}
	}
	if t.Failed() {
		t.Logf("told was:\n%s", told)
	}
}
