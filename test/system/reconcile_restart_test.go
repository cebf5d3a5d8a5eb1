package system

import (
	"net/http"
	"testing"

	"jupyterhubd/hub"
)

// An admin restarts a user's unit with systemctl: that is no end. The server is another process, with an identity of its own.
func TestAdminRestartsAUnit(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	unit := hub.UnitName(bob)
	for range 3 {
		pid := s.mainPID(unit)
		s.run("systemctl", "restart", unit)
		if now := s.mainPID(unit); now == pid || now == "0" {
			t.Errorf("bob's server was process %s and is %s", pid, now)
		}
		s.eventually("bob's server answers", func() bool { return s.state(bob) == hub.Running && s.answers("/user/bob/api") == http.StatusOK })
		s.wholeOrNothing()
	}
}
