package system

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A token from the command line is the user's at the token API.
func TestAdminMakesAToken(t *testing.T) {
	s := onStage(t)
	status, body := s.asks("GET", "/user", s.run("jupyterhub", "token", "alice", "--expires-in", "60"))
	var self client.Identity
	if err := json.Unmarshal([]byte(body), &self); err != nil || status != http.StatusOK || self.Name != "alice" {
		t.Errorf("the token is answered with %d, %v\n%s", status, err, body)
	}
	if out, err := s.Run(s.ctx, "jupyterhub", "token", "nobody-knows"); err == nil || !strings.Contains(err.Error(), "No such user") {
		t.Errorf("a token for a stranger: %q, %v", out, err)
	}
}

// A backup is a database that a hub could start with, root's alone, and takes no other file's place.
func TestAdminMakesABackup(t *testing.T) {
	s := onStage(t)
	const file = "/var/tmp/play.db"
	s.afterwards("rm", "-f", file)
	s.run("jupyterhub", "backup", file)
	if mode := s.run("stat", "--format=%a %U", file); mode != "600 root" {
		t.Errorf("the backup is %s", mode)
	}
	content, err := s.ReadFile(s.ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "play.db")
	if err := os.WriteFile(copied, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sound(copied)
	before := s.run("sha256sum", file)
	if _, err := s.Run(s.ctx, "jupyterhub", "backup", file); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second backup of that name ends with %v", err)
	}
	if after := s.run("sha256sum", file); after != before {
		t.Error("a second backup took the place of the first")
	}
}

// A backup is put back as docs/operations.md says: the hub knows what it knew then, and a server that runs has heard nothing of it.
func TestABackupIsPutBack(t *testing.T) {
	s := onStage(t)
	s.mocked("alice")
	const file = "/var/tmp/put-back.db"
	s.afterwards("rm", "-f", file)
	hers := hub.ServerRef{User: "alice"}
	s.start(hers)
	before := s.mainPID(hub.UnitName(hers))
	s.run("jupyterhub", "backup", file)
	s.run("jupyterhub", "users", "add", "came-later")
	t.Cleanup(func() { s.undo("sh", "-c", "jupyterhub users remove came-later 2>/dev/null || true") })
	s.run("systemctl", "stop", "jupyterhub.target")
	s.run("install", "-o", "jupyterhub", "-g", "jupyterhub", "-m", "0600", file, "/var/lib/jupyterhub/jupyterhub.db")
	s.run("systemctl", "start", "jupyterhub")
	if err := s.AwaitHub(s.ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Run(s.ctx, "jupyterhub", "users", "show", "came-later"); err == nil {
		t.Errorf("who came after the backup is known:\n%s", out)
	}
	s.becomes(hers, hub.Running)
	if now := s.mainPID(hub.UnitName(hers)); now != before {
		t.Errorf("alice's server was process %s, and is %s", before, now)
	}
}

// What is set, missing or wrong is told with file and line, and a reload of it all changes nothing for anybody.
func TestAdminMakesAMistake(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	const file = "/etc/jupyterhub/jupyterhub.toml.d/80-mistake.toml"
	s.afterwards("rm", "-f", file)

	s.put(file, "[spawner.user.alice]\ncmd = [\"no-such-program\"]\nmem_limit = \"700M\"\n", 0o644)
	if shown := s.run("jupyterhub", "show-config", "--set"); !strings.Contains(shown, `mem_limit = "700M"`) || !strings.Contains(shown, file+":3") {
		t.Errorf("show-config does not say where alice's limit stands:\n%s", shown)
	}
	if out, err := s.Run(s.ctx, "jupyterhub", "check-config"); err == nil || !strings.Contains(out, "no-such-program") {
		t.Errorf("check-config of a missing program: %v\n%s", err, out)
	}

	s.put(file, "[spawner]\nmem_limit = \"700M\"\n[spawner.sandbox]\nPrivateTmp = false\nPrivatDevices = false\n", 0o644)
	const mistake = file + ":5: spawner.sandbox.PrivatDevices"
	if out, err := s.Run(s.ctx, "jupyterhub", "check-config"); err == nil || !strings.Contains(out, mistake) {
		t.Errorf("check-config of a mistake: %v\n%s", err, out)
	}
	if _, err := s.Run(s.ctx, "systemctl", "reload", "jupyterhub"); err == nil {
		t.Error("systemctl reload takes a configuration with a mistake")
	}
	s.run("journalctl", "--sync")
	if said := s.Journal(s.ctx, "jupyterhub.service"); !strings.Contains(said, mistake) {
		t.Errorf("the journal does not say %s:\n%s", mistake, said)
	}
	s.start(bob)
	for property, want := range map[string]string{"MemoryMax": "2147483648", "PrivateTmp": "yes", "DevicePolicy": "closed"} {
		if got := s.property(hub.UnitName(bob), property); got != want {
			t.Errorf("after a reload that was refused bob's next server has %s=%s, want %s", property, got, want)
		}
	}
}

// Two accounts at admin.sock are two people to the hub, by the kernel's word alone: there is no token. Who is not in the
// group does not get there.
func TestTwoAccountsAtTheAdminsDoor(t *testing.T) {
	s := onStage(t)
	const door = "/run/jupyterhub/admin.sock"
	for _, name := range []string{"alice", "bob"} {
		s.player(name).logIn("/hub/home") // from then on the hub knows the uid
		s.run("usermod", "--append", "--groups", "jupyterhub-admin", name)
		s.afterwards("gpasswd", "--delete", name, "jupyterhub-admin")
	}
	for _, name := range []string{"alice", "bob"} {
		out, err := s.As(name).Run(s.ctx, "curl", "--silent", "--show-error", "--unix-socket", door, "http://hub/hub/api/user")
		if err != nil {
			t.Errorf("%s at the door: %v", name, err)
			continue
		}
		var self client.Identity
		if err := json.Unmarshal([]byte(out), &self); err != nil || self.Name != name || self.Admin.Value {
			t.Errorf("%s is %q there, %v:\n%s", name, self.Name, err, out)
		}
	}
	if mode := s.run("stat", "--format=%a %U:%G", door); mode != "660 root:jupyterhub-admin" {
		t.Errorf("the door is %s", mode)
	}
	out, err := s.As("mallory").Run(s.ctx, "python3", "-c", "import socket; socket.socket(socket.AF_UNIX).connect('"+door+"')")
	if err == nil || !strings.Contains(err.Error(), "PermissionError") {
		t.Errorf("mallory at the door: %q, %v", out, err)
	}
}
