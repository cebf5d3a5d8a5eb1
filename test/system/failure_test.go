package system

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// failure is a way in which bob's server ends badly, and what he is told.
type failure struct {
	name     string
	config   string // of bob's server
	before   string // what root does to the machine, and undoes
	after    string
	kind     hub.CauseKind
	sentence string // in what bob reads
	journal  string // in the last lines of his server's journal
	detail   string // in what is meant for an admin
}

// failing is the ways in which a start goes wrong.
var failing = []failure{
	{name: "missing command", config: `cmd = ["no-such-command"]`,
		kind: hub.CauseMissingCommand, sentence: "not installed as it has to be", detail: "no-such-command"},
	{name: "exits at once", config: `cmd = ["quits"]`,
		kind: hub.CauseExited, sentence: "ended by itself with status 3", journal: "the reason for it"},
	{name: "out of memory", config: "cmd = [\"greedy\"]\nmem_limit = \"64M\"\nswap_limit = \"0\"",
		kind: hub.CauseOutOfMemory, sentence: "more memory than it may (64 MiB)", journal: "I begin"},
	{name: "over TasksMax", config: "cmd = [\"crowd\"]\ntasks_max = 32",
		kind: hub.CauseTasks, sentence: "limit of processes and threads (32)", journal: "Cannot fork"},
	{name: "missing home", config: `cmd = ["quits"]`, before: "mv /home/bob /home/away", after: "mv /home/away /home/bob",
		kind: hub.CauseMissingHome, sentence: "home directory /home/bob is missing"},
	{name: "home that he may not enter", config: `cmd = ["quits"]`, before: "chown root /home/bob && chmod 700 /home/bob", after: "chown bob /home/bob && chmod 755 /home/bob",
		kind: hub.CauseMissingHome, sentence: "home directory /home/bob is missing or cannot be entered"},
	{name: "full home", config: `cmd = ["hoards"]`, kind: hub.CauseFullHome, sentence: "no room left in /home/bob", journal: "No space left on device",
		before: "mount -t tmpfs -o mode=755,size=256k,uid=$(id -u bob) tmpfs /home/bob && head -c 1M /dev/zero >/home/bob/much 2>/dev/null; true", after: "umount /home/bob"},
	{name: "quota used up", config: "cmd = [\"keeps\"]\n[spawner.user.bob.unit_extra_properties]\nSystemCallFilter = [\"~mkdir:EDQUOT mkdirat:EDQUOT\"]",
		kind: hub.CauseFullHome, sentence: "or your quota is used up", journal: "Disk quota exceeded"}, // what a call answers when it is
	{name: "device missing", config: "cmd = [\"quits\"]\ndevice_allow = [\"/dev/no-such-device\"]",
		kind: hub.CauseMissingDevice, sentence: "A device that your server needs is not there", detail: "/dev/no-such-device"},
	{name: "own configuration", config: `cmd = ["misread"]`,
		kind: hub.CauseOwnConfig, sentence: "could not read your own Jupyter configuration", journal: "Bad config encountered"},
	{name: "a call that the sandbox forbids", config: "cmd = [\"mounts\"]\n[spawner.user.bob.sandbox]\nSystemCallErrorNumber = \"\"",
		kind: hub.CauseSandbox, sentence: "did what servers may not do here", detail: "SIGSYS"},
	{name: "a sandbox that cannot be", config: "cmd = [\"quits\"]\n[spawner.user.bob.unit_extra_properties]\nBindPaths = [\"/no-such-directory\"]",
		kind: hub.CauseSandbox, sentence: "cannot give your server the protection", detail: "NAMESPACE"},
	{name: "PAM", config: `cmd = ["quits"]`, kind: hub.CausePAM, sentence: "login rules (PAM) did not let", detail: "224/PAM",
		before: "mkdir -p /etc/systemd/system/jupyter-bob.service.d && echo 'account required pam_deny.so' >/etc/pam.d/denies && " +
			"printf '[Service]\nPAMName=denies\n' >/etc/systemd/system/jupyter-bob.service.d/pam.conf && systemctl daemon-reload",
		after: "rm -r /etc/systemd/system/jupyter-bob.service.d /etc/pam.d/denies && systemctl daemon-reload"},
}

// Bob's server does not start. He learns why on the page that he waits at, in a sentence, with the last lines of his unit's
// journal; a program learns the same from the API.
func TestFailureIsTold(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/quits", "#!/bin/sh\necho the reason for it >&2\nexit 3\n", 0o755)
	s.put("/usr/local/bin/greedy", "#!/usr/bin/python3\nprint('I begin', flush=True)\nb = []\nwhile True: b.append(bytearray(10 << 20))\n", 0o755)
	s.put("/usr/local/bin/crowd", "#!/bin/sh\nfor i in $(seq 60); do sleep 1000 & done\nwait\n", 0o755)
	s.put("/usr/local/bin/hoards", "#!/bin/sh\nhead -c 9999 /dev/zero >>/home/bob/more\nexit 1\n", 0o755)
	s.put("/usr/local/bin/keeps", "#!/bin/sh\nmkdir /home/bob/more\n", 0o755)
	s.put("/usr/local/bin/misread", "#!/bin/sh\necho '[C] Bad config encountered during initialization: no' >&2\nexit 1\n", 0o755)
	s.put("/usr/local/bin/mounts", "#!/usr/bin/python3\nimport ctypes\nctypes.CDLL(None).mount(0, 0, 0, 0, 0)\n", 0o755)
	for _, f := range failing {
		t.Run(f.name, func(t *testing.T) {
			settle(t, s.Bed).isTold(f)
		})
	}
	s.mocked("bob")
	s.start(bob) // what went wrong leaves nothing behind
}

// isTold lets bob's server fail in a way, and looks at what he, and a program that asks the API, are told.
func (s *stage) isTold(f failure) {
	s.t.Helper()
	s.configure("[spawner.user.bob]\n" + f.config + "\n")
	if f.before != "" {
		s.run("sh", "-c", f.before)
		s.afterwards("sh", "-c", f.after)
	}
	p := s.player("bob")
	p.logIn("/hub/home")
	if told := p.startServer(); len(told) > 0 {
		if last := told[len(told)-1]; !last.Failed || !strings.Contains(last.Message, f.sentence) {
			s.t.Errorf("the last event is %+v", last)
		}
	}
	s.pageTells(p, f)

	// A machine that is slow has said by then that the server starts.
	ready, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{})
	if ready || err != nil && !isPartial(err) && !strings.Contains(hub.TextOf(err), f.sentence) {
		s.t.Errorf("the API says %t, %q", ready, hub.TextOf(err))
	}
	s.becomes(bob, hub.Failed)
	s.programTells(f)
}

// pageTells looks at the page where bob waited.
func (s *stage) pageTells(p *player, f failure) {
	s.t.Helper()
	at := p.get("/hub/spawn-pending/bob")
	s.eventually("the log has been read", func() bool {
		if strings.Contains(at.words(), "are being read") {
			at = p.get("/hub/spawn-pending/bob")
		}
		return !strings.Contains(at.words(), "are being read")
	})
	for _, want := range []string{f.sentence, f.journal, f.detail} {
		if !strings.Contains(at.words(), want) {
			s.t.Errorf("the page does not say %q:\n%s", want, at.words())
		}
	}
	if at.status != http.StatusInternalServerError || at.attribute("a", "href") == "" || !strings.Contains(at.words(), "Start again") {
		s.t.Errorf("the page has status %d, and says\n%s", at.status, at.words())
	}
	if rescue := f.kind == hub.CauseFullHome || f.kind == hub.CauseOwnConfig || f.kind == hub.CauseExited; strings.Contains(at.words(), "Start the rescue server") != rescue {
		s.t.Errorf("the page offers a rescue: %t\n%s", !rescue, at.words())
	}
}

// programTells looks at what the API says.
func (s *stage) programTells(f failure) {
	s.t.Helper()
	cause := s.lastEvent(bob).Cause
	if cause == nil || cause.Kind != f.kind || !strings.Contains(cause.Message, f.sentence) ||
		!strings.Contains(strings.Join(cause.Journal, "\n"), f.journal) || !strings.Contains(cause.Detail, f.detail) {
		s.t.Errorf("the API's cause is %+v", cause)
	}
}

// isPartial reports whether a start was answered before its unit's journal was read.
func isPartial(err error) bool {
	var e *hub.Error
	return errors.As(err, &e) && e.Cause != nil && e.Cause.Partial
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
