package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// failing is the ways in which a start goes wrong, and what bob is told.
var failing = []struct {
	name     string
	config   string // of bob's server
	before   string // what root does to the machine, and undoes
	after    string
	kind     hub.CauseKind
	sentence string // in what bob reads
	journal  string // in the last lines of his server's journal
	detail   string // in what is meant for an admin
}{
	{name: "missing command", config: `cmd = ["no-such-command"]`,
		kind: hub.CauseMissingCommand, sentence: "not installed as it has to be", detail: "no-such-command"},
	{name: "exits at once", config: `cmd = ["quits"]`,
		kind: hub.CauseExited, sentence: "ended by itself with status 3", journal: "the reason for it"},
	{name: "out of memory", config: "cmd = [\"greedy\"]\nmem_limit = \"64M\"",
		kind: hub.CauseOutOfMemory, sentence: "more memory than it may (64 MiB)", journal: "I begin"},
	{name: "over TasksMax", config: "cmd = [\"crowd\"]\ntasks_max = 32",
		kind: hub.CauseTasks, sentence: "limit of processes and threads (32)", journal: "Cannot fork"},
	{name: "missing home", config: `cmd = ["quits"]`, before: "mv /home/bob /home/away", after: "mv /home/away /home/bob",
		kind: hub.CauseMissingHome, sentence: "home directory /home/bob is missing"},
}

// Bob's server does not start. He learns why on the page that he waits at, in a sentence, with the last lines of his unit's
// journal; a program learns the same from the API.
func TestFailureIsTold(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/quits", "#!/bin/sh\necho the reason for it >&2\nexit 3\n", 0o755)
	s.put("/usr/local/bin/greedy", "#!/usr/bin/python3\nprint('I begin', flush=True)\nb = []\nwhile True: b.append(bytearray(10 << 20))\n", 0o755)
	s.put("/usr/local/bin/crowd", "#!/bin/sh\nfor i in $(seq 60); do sleep 1000 & done\nwait\n", 0o755)
	for _, f := range failing {
		t.Run(f.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.configure("[spawner.user.bob]\n" + f.config + "\n")
			if f.before != "" {
				s.run("sh", "-c", f.before)
				s.afterwards("sh", "-c", f.after)
			}
			p := s.player("bob")
			p.logIn("/hub/home")
			if told := p.startServer(); len(told) > 0 {
				if last := told[len(told)-1]; !last.Failed || !strings.Contains(last.Message, f.sentence) {
					t.Errorf("the last event is %+v", last)
				}
			}
			at := p.get("/hub/spawn-pending/bob")
			for _, want := range []string{f.sentence, f.journal, f.detail} {
				if !strings.Contains(at.words(), want) {
					t.Errorf("the page does not say %q:\n%s", want, at.words())
				}
			}
			if at.status != http.StatusInternalServerError || at.attribute("a", "href") == "" || !strings.Contains(at.words(), "Start again") {
				t.Errorf("the page has status %d, and says\n%s", at.status, at.words())
			}

			_, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{})
			if err == nil || !strings.Contains(hub.TextOf(err), f.sentence) {
				t.Errorf("the API says %q", hub.TextOf(err))
			}
			cause := s.lastEvent(bob).Cause
			if cause == nil || cause.Kind != f.kind || !strings.Contains(cause.Message, f.sentence) ||
				!strings.Contains(strings.Join(cause.Journal, "\n"), f.journal) || !strings.Contains(cause.Detail, f.detail) {
				t.Errorf("the API's cause is %+v", cause)
			}
			if state := s.state(bob); state != hub.Failed {
				t.Errorf("the server is %s", state)
			}
		})
	}
	s.mocked("bob")
	s.start(bob) // what went wrong leaves nothing behind
}

// Bob's server is ended by the machine when it runs already: his next visit says why.
func TestEndIsTold(t *testing.T) {
	s := onStage(t)
	s.probed("mem_limit = \"128M\"", "bob")
	p := s.player("bob")
	p.logIn("/hub/home")
	p.startServer()
	s.becomes(bob, hub.Running)
	s.run("systemctl", "kill", "--signal=SIGKILL", hub.UnitName(bob))
	s.becomes(bob, hub.Failed)
	at := p.get("/user/bob/lab")
	if !strings.Contains(at.words(), "SIGKILL") || !strings.Contains(at.words(), "Start again") {
		t.Errorf("%s, %d says\n%s", at.url, at.status, at.words())
	}
	if home := p.get("/hub/home"); !strings.Contains(home.words(), "SIGKILL") {
		t.Errorf("the home page says\n%s", home.words())
	}
}
