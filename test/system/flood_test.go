package system

import (
	"net/http"
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

// Vulnerability: what somebody did is not told, because somebody else made the hub say so much before that journald drops the rest.
// Attack: a stranger's two thousand requests, each a line, with a journald that takes two hundred of a unit in an hour; then a deed.
// Verified: the deed is in the journal, and journald dropped nothing of the hub's.
func TestAFloodOfLinesHidesNoDeed(t *testing.T) {
	const requests = 2000
	s := onStage(t)
	s.afterwards("systemctl", "restart", "systemd-journald.service")
	s.afterwards("rm", "-f", "/etc/systemd/journald.conf.d/70-play.conf")
	s.put("/etc/systemd/journald.conf.d/70-play.conf", "[Journal]\nRateLimitIntervalSec=1h\nRateLimitBurst=10\n", 0o644)
	s.run("systemctl", "restart", "systemd-journald.service")
	since := s.run("date", "+%Y-%m-%d %H:%M:%S")

	stranger := &http.Client{Transport: s.Transport()}
	defer stranger.CloseIdleConnections()
	for range requests {
		answer, err := stranger.Get("http://127.0.0.1:8081/hub/api/users")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	token, err := s.hub.NewToken(s.ctx, "bob", client.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s.run("journalctl", "--sync")
	if told := s.run("journalctl", append(deeds, "--since="+since)...); !strings.Contains(told, "user bob, token "+token.ID) {
		t.Errorf("after the flood the journal tells only of %s", told)
	}
	if said := s.run("journalctl", "--no-pager", "--output=cat", "--since="+since, "_SYSTEMD_UNIT=jupyterhub.service"); strings.Contains(said, "Suppressed ") || strings.Count(said, "request req=") < requests {
		t.Errorf("journald keeps %d lines of the hub's", strings.Count(said, "request req="))
	}
}
