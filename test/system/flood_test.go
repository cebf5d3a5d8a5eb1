package system

import (
	"strconv"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Vulnerability: one person's output evicts everybody's journal.
// Attack: a server prints a hundred thousand lines as fast as it can.
// Verified: the journal keeps less of them than it would by itself; alice's server says what it says, and the noisy one works.
func TestOneServerDoesNotFillTheJournal(t *testing.T) {
	const lines = 100_000
	s := onStage(t)
	s.account("noisy", "battery staple") // of this play alone: who was loud is not heard for half a minute
	if _, err := s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: []string{"noisy"}}); err != nil {
		t.Fatal(err)
	}
	noisy := hub.ServerRef{User: "noisy"}
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.put("/usr/local/bin/chatty", "#!/bin/sh\nseq --format='flood %.0f' "+strconv.Itoa(lines)+"\nexec mock-singleuser \"$@\"\n", 0o755)
	s.put("/usr/local/bin/quiet", "#!/bin/sh\necho what alice has to say\nexec mock-singleuser \"$@\"\n", 0o755)
	s.configure("[spawner.user.noisy]\ncmd = [\"chatty\"]\n[spawner.user.alice]\ncmd = [\"quiet\"]\n")
	s.start(noisy)
	s.start(alice)
	s.run("journalctl", "--sync")
	invocation := s.property(hub.UnitName(noisy), "InvocationID")
	kept := strings.Count(s.run("journalctl", "--output=cat", "_SYSTEMD_INVOCATION_ID="+invocation), "flood ")
	if kept == 0 || kept > lines/10 {
		t.Errorf("of %d lines the journal keeps %d", lines, kept)
	}
	if said := s.run("journalctl", "--output=cat", "_SYSTEMD_INVOCATION_ID="+s.property(hub.UnitName(alice), "InvocationID")); !strings.Contains(said, "what alice has to say") {
		t.Errorf("alice's server has said %q", said)
	}
}
