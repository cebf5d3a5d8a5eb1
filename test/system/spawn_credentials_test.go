package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// A server's identity comes as a credential, which systemd keeps in a mount. Nobody but its user reads it there; and once the
// server listens it is gone from the machine's table, where it would make every later start slower. Whatever happens to the
// unit afterwards finds nothing missing.
func TestACredentialIsMountedForAsLongAsItIsRead(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/halting-singleuser", halting, 0o755)
	s.halts("runs")
	unit := hub.UnitName(bob)
	const restarts = "/etc/systemd/system/jupyter-bob.service.d/50-play.conf"
	s.put(restarts, "[Service]\nRestart=on-failure\n", 0o644)
	s.afterwards("systemctl", "daemon-reload")
	s.afterwards("rm", restarts)
	s.run("systemctl", "daemon-reload")

	s.ask()
	s.reached()
	if table := s.run("cat", "/proc/1/mountinfo"); !strings.Contains(table, " /run/credentials/"+unit+" ") {
		t.Errorf("the credential is not where this play looks for it:\n%s", table)
	}
	s.readsNoCredential("alice", unit)
	s.goOn()
	s.becomes(bob, hub.Running)
	s.noCredentialsMounted()
	s.readsNoCredential("alice", unit)
	s.wholeOrNothing()

	pid := s.mainPID(unit)
	s.run("systemctl", "daemon-reload")
	s.killed("jupyterhub-spawnd.service")
	if now := s.mainPID(unit); now != pid {
		t.Errorf("bob's server is process %s instead of %s", now, pid)
	}

	if err := s.Kill(s.ctx, unit, "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	s.reached()
	s.goOn()
	s.eventually("systemd has started it again", func() bool {
		now := s.mainPID(unit)
		return now != pid && now != "0" && s.state(bob) == hub.Running
	})
	s.noCredentialsMounted()
	s.wholeOrNothing()
	if stopped, err := s.hub.StopServer(s.ctx, bob, false); err != nil || !stopped {
		t.Errorf("stopped=%t, %v", stopped, err)
	}
	if left := s.run("ls", "/run/credentials"); strings.Contains(left, "jupyter-") {
		t.Errorf("left in /run/credentials:\n%s", left)
	}
}

// noCredentialsMounted waits until the machine's table holds no credential of a server.
func (s *stage) noCredentialsMounted() {
	s.t.Helper()
	s.eventually("no credential is mounted", func() bool {
		return !strings.Contains(s.run("cat", "/proc/1/mountinfo"), " /run/credentials/jupyter-")
	})
}

// readsNoCredential checks that somebody does not read a unit's credential.
func (s *stage) readsNoCredential(who, unit string) {
	s.t.Helper()
	if out, err := s.As(who).Run(s.ctx, "cat", "/run/credentials/"+unit+"/environment"); err == nil {
		s.t.Errorf("%s reads the credential of %s: %d bytes", who, unit, len(out))
	}
}
