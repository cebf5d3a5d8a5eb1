package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// The machine is shut down with two servers running. That is nobody's failure; after the boot the server whose profile
// says so comes back, the other one waits for its user: no herd at boot. Then the hub loses its memory, and what runs
// without being wished is stopped after a minute.
func TestRebootAndLostMemory(t *testing.T) {
	t.Parallel()
	s := ownStage(t, `
[spawner.user.alice]
cmd = ["mock-singleuser"]
[spawner.user.bob]
cmd = ["mock-singleuser"]
[[spawner.profile]]
name = "always"
start_at_boot = true
`)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"always"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	s.start(bob)

	if err := s.Reboot(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.connect()
	s.becomes(alice, hub.Running)
	s.becomes(bob, hub.Stopped)
	if story := s.Journal(s.ctx, "jupyterhub.service"); strings.Contains(story, "server is failed") {
		t.Errorf("the shutdown is told as a failure:\n%s", story)
	}

	unit, pid := hub.UnitName(alice), s.mainPID(hub.UnitName(alice))
	s.run("sh", "-c", "systemctl stop jupyterhub.service && rm /var/lib/jupyterhub/jupyterhub.db && systemctl start jupyterhub.service")
	s.eventually("the hub answers", func() bool { _, err := s.hub.Version(s.ctx); return err == nil })
	if now := s.mainPID(unit); now != pid {
		t.Error("the unit was stopped without any grace")
	}
	if _, err := s.AwaitJournal(s.ctx, "jupyterhub.service", "stopping a server that nobody wishes"); err != nil {
		t.Fatal(err)
	}
	s.eventually("the unit is gone", func() bool { return s.mainPID(unit) == "0" })
}
