package system

import (
	"testing"

	"jupyterhubd/hub"
)

// What is above root's side goes away and comes back: PID 1 is executed anew, reads its units again, and the bus is started
// anew. Servers run on, and root's side sees, stops and limits them as before; a start goes through each time.
func TestServersOutliveTheirManager(t *testing.T) {
	s := onStage(t)
	s.probed("mem_limit = \"512M\"", "alice", "bob")
	s.start(alice)
	pid := s.mainPID(hub.UnitName(alice))
	kept := s.can(alice, "echo $JUPYTERHUB_API_TOKEN")
	for _, play := range []struct{ what, command string }{
		{"systemd is executed anew", "systemctl daemon-reexec"},
		{"systemd reads its units", "systemctl daemon-reload"},
		{"the bus is started anew", "systemctl restart dbus.service"},
		{"the bus and root's side are killed", "systemctl kill --signal=SIGKILL jupyterhub-spawnd.service dbus.service"},
	} {
		what := play.what
		s.run("sh", "-c", play.command)
		s.start(bob)
		if got := s.mainPID(hub.UnitName(alice)); got != pid {
			t.Errorf("%s: alice's server is process %s, not %s", what, got, pid)
		}
		if u := s.unit(alice); u.State != hub.UnitActive || !u.Listening || s.can(alice, "echo $JUPYTERHUB_API_TOKEN") != kept {
			t.Errorf("%s: alice's server is %+v", what, u)
		}
		if got, err := s.rootside().Limit(s.ctx, alice, &hub.Limits{MemoryMax: 400 << 20}, false); err != nil || got.MemoryMax != 400<<20 {
			t.Errorf("%s: limited to %+v, %v", what, got, err)
		}
		if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
			t.Fatal(err)
		}
		s.becomes(bob, hub.Stopped)
	}
	// A death is still heard of.
	s.run("systemctl", "kill", "--signal=SIGKILL", hub.UnitName(alice))
	s.becomes(alice, hub.Failed)
}
