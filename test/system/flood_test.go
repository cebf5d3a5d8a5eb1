package system

import (
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// Vulnerability: one person's output evicts everybody's journal.
// Attack: bob's server prints a hundred thousand lines as fast as it can.
// Verified: the journal keeps less of them than it would by itself; alice's server says what it says, and bob's works.
func TestOneServerDoesNotFillTheJournal(t *testing.T) {
	const lines = 100_000
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.put("/usr/local/bin/chatty", "#!/bin/sh\nseq --format='flood %.0f' "+strconv.Itoa(lines)+"\nexec mock-singleuser \"$@\"\n", 0o755)
	s.put("/usr/local/bin/quiet", "#!/bin/sh\necho what alice has to say\nexec mock-singleuser \"$@\"\n", 0o755)
	s.configure("[spawner.user.bob]\ncmd = [\"chatty\"]\n[spawner.user.alice]\ncmd = [\"quiet\"]\n")
	s.start(bob)
	s.start(alice)
	s.run("journalctl", "--sync")
	invocation := s.property(hub.UnitName(bob), "InvocationID")
	kept := strings.Count(s.run("journalctl", "--output=cat", "_SYSTEMD_INVOCATION_ID="+invocation), "flood ")
	if kept == 0 || kept > lines/10 {
		t.Errorf("of %d lines the journal keeps %d", lines, kept)
	}
	if said := s.run("journalctl", "--output=cat", "_SYSTEMD_INVOCATION_ID="+s.property(hub.UnitName(alice), "InvocationID")); !strings.Contains(said, "what alice has to say") {
		t.Errorf("alice's server has said %q", said)
	}
}
