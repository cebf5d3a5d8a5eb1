package system

import (
	"net/http"
	"testing"

	"jupyterhubd/hub"
)

// The hub hangs: it neither answers nor ends. Systemd misses its signs of life, kills it and starts another one, which adopts
// what runs. Bob's server has nothing to do with it, and he is led to it all the while.
func TestAHubThatHangsIsStartedAgain(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	unit := hub.UnitName(bob)
	pid := s.mainPID(unit)

	const dropIn = "/run/systemd/system/jupyterhub.service.d/50-play.conf"
	s.afterwards("systemctl", "restart", "jupyterhub.service") // the hub is told how often to give a sign when it starts
	s.afterwards("systemctl", "daemon-reload")
	s.put(dropIn, "[Service]\nWatchdogSec=3s\n", 0o644)
	s.afterwards("rm", dropIn)
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "restart", "jupyterhub.service")

	hanging := s.mainPID("jupyterhub.service")
	s.freeze("jupyterhub.service")
	if status := s.answers("/user/bob/api"); status != http.StatusOK {
		t.Errorf("while the hub hangs bob's server answers %d", status)
	}
	s.eventually("another hub serves", func() bool {
		now := s.mainPID("jupyterhub.service")
		return now != hanging && now != "0" && s.property("jupyterhub.service", "ActiveState") == "active"
	})
	if _, err := s.AwaitJournal(s.ctx, "jupyterhub.service", "Watchdog timeout"); err != nil {
		t.Error(err)
	}
	s.becomes(bob, hub.Running)
	s.eventually("the status line counts bob's server", func() bool {
		return s.property("jupyterhub.service", "StatusText") == "serving, 1 server active"
	})
	if now := s.mainPID(unit); now != pid {
		t.Errorf("bob's server is process %s instead of %s", now, pid)
	}
	if stopped, err := s.hub.StopServer(s.ctx, bob, false); err != nil || !stopped {
		t.Errorf("the hub cannot stop what it adopted: %v", err)
	}
	s.eventually("the status line counts no server", func() bool {
		return s.property("jupyterhub.service", "StatusText") == "serving, 0 servers active"
	})
}
