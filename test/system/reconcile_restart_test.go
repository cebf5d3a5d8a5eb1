package system

import (
	"net/http"
	"slices"
	"strings"
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

// Root's side begins anew with what systemd has written down of its units. Where something of that is missing it asks systemd, says
// so once, and the server is the same.
func TestRootsSideBeginsAnewWithoutRecords(t *testing.T) {
	s := onStage(t)
	s.mocked("bob", "alice")
	s.start(bob)
	s.start(alice)
	unit := hub.UnitName(bob)
	pid, before := s.mainPID(unit), s.only(bob)
	s.run("rm", "/run/systemd/transient/"+unit)
	s.run("systemctl", "restart", "jupyterhub-spawnd.service")
	for _, ref := range []hub.ServerRef{alice, bob} {
		if now := s.only(ref); now.State != hub.UnitActive || !now.Listening || now.UID < 1 {
			t.Errorf("root's side tells %+v", now)
		}
	}
	if now := s.only(bob); now != before || s.mainPID(unit) != pid {
		t.Errorf("bob's server was %+v and is %+v", before, now)
	}
	s.eventually("systemd was asked about alice's server", func() bool {
		active := s.run("systemctl", "show", "--value", "--timestamp=us+utc", "--property=ActiveEnterTimestamp", hub.UnitName(alice))
		return strings.Contains(active, s.only(alice).Since.Format("2006-01-02 15:04:05.000000"))
	})
	run := "_SYSTEMD_INVOCATION_ID=" + s.run("systemctl", "show", "--value", "--property=InvocationID", "jupyterhub-spawnd.service")
	s.eventually("root's side has said once what is missing", func() bool {
		return strings.Count(s.run("journalctl", "--output=cat", run), "asking it instead") == 1
	})
	s.becomes(alice, hub.Running)
}

// only is what root's side tells of one server.
func (s *stage) only(ref hub.ServerRef) hub.Unit {
	s.t.Helper()
	all, err := s.rootside().List(s.ctx)
	at := slices.IndexFunc(all.Units, func(u hub.Unit) bool { return u.ServerRef == ref })
	if err != nil || at < 0 {
		s.t.Fatalf("root's side tells of %+v, %v", all.Units, err)
	}
	return all.Units[at]
}
