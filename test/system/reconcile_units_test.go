package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// An admin stops a user's unit with systemctl: the hub sees it by signal, takes the route away, and calls it no failure.
func TestAdminStopsAUnit(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	s.run("systemctl", "stop", hub.UnitName(bob))
	s.becomes(bob, hub.Stopped)
	if status := s.answers("/user/bob/api"); status == http.StatusOK {
		t.Error("bob's route leads somewhere")
	}
}

// A server is killed: its user is told why, without anybody asking systemd again and again, and can start it anew.
func TestServerIsKilled(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	if err := s.Kill(s.ctx, hub.UnitName(bob), "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	s.becomes(bob, hub.Failed)
	last := s.lastEvent(bob)
	if !last.Failed || last.Cause == nil || last.Cause.Signal != "SIGKILL" || last.Cause.Message == "" {
		t.Errorf("the user is told %+v", last)
	}
	s.start(bob)
}

// lastEvent is what the progress of a start ends with.
func (s *stage) lastEvent(ref hub.ServerRef) (last hub.Event) {
	s.t.Helper()
	err := s.hub.Progress(s.ctx, ref, func(e hub.Event) error { last = e; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return last
}

// Every way in which a server can fail to start gives its user a sentence as soon as it has ended, and the admin the
// last lines of the unit's journal.
func TestFailedStartsAreTold(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/quits", "#!/bin/sh\necho the reason for it >&2\nexit 3\n", 0o755)
	s.put("/usr/local/bin/greedy", "#!/usr/bin/python3\nb = []\nwhile True: b.append(bytearray(10 << 20))\n", 0o755)
	for _, c := range []struct {
		name, config string
		kind         hub.CauseKind
		journal      string
	}{
		{"missing command", `cmd = ["no-such-command"]`, hub.CauseMissingCommand, ""},
		{"exits at once", `cmd = ["quits"]`, hub.CauseExited, "the reason for it"},
		{"out of memory", "cmd = [\"greedy\"]\nmem_limit = \"64M\"", hub.CauseOutOfMemory, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.configure("[spawner.user.bob]\n" + c.config + "\n")
			// Told within the request, which would say "still starting" after slow_spawn_timeout.
			if ready, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{}); ready || err == nil {
				t.Errorf("the answer is ready=%t, %v", ready, err)
			}
			cause := s.lastEvent(bob).Cause
			if cause == nil || cause.Kind != c.kind || cause.Message == "" {
				t.Fatalf("the cause is %+v, want %s", cause, c.kind)
			}
			if c.journal != "" && !strings.Contains(strings.Join(cause.Journal, "\n"), c.journal) {
				t.Errorf("the journal's lines are %q", cause.Journal)
			}
			if s.state(bob) != hub.Failed {
				t.Errorf("the server is %s", s.state(bob))
			}
		})
	}
}

// A start that goes wrong can be cancelled, and the next one does not have to wait for it.
func TestCancelAStart(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mute", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	s.configure("[spawner.user.bob]\ncmd = [\"mute\"]\n[hub]\nslow_spawn_timeout = \"100ms\"\n")
	if ready, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{}); ready || err != nil {
		t.Fatalf("ready=%t, %v", ready, err)
	}
	if stopped, err := s.hub.StopServer(s.ctx, bob, false); !stopped || err != nil {
		t.Errorf("stopped=%t, %v", stopped, err)
	}
	if pid := s.mainPID(hub.UnitName(bob)); pid != "0" {
		t.Errorf("process %s goes on", pid)
	}
}
