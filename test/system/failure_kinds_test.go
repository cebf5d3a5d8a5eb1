package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// A drop-in of root's for bob's unit, and what takes it away.
func dropIn(text string) (put, remove string) {
	const dir = "/etc/systemd/system/jupyter-bob.service.d"
	return "mkdir -p " + dir + " && printf '" + text + "' >" + dir + "/play.conf && systemctl daemon-reload", "rm -r " + dir + " && systemctl daemon-reload"
}

// slowly is the ways in which a start comes to no end, what is missing between systemd and the program, and what only the program says.
func slowly() []failure {
	const impatient = "\n[spawner]\nstart_timeout = \"3s\"\nhttp_timeout = \"2s\"\n"
	noProgram, again := dropIn(`[Service]\nExecStart=\nExecStart=/no/such/program\n`)
	return []failure{
		{name: "it never listens", config: `cmd = ["mute"]` + impatient, kind: hub.CauseTimeout, journal: "I say no more", detail: "start_timeout = 3s",
			sentence: "The server was not ready within 3 seconds. It runs, and did not come so far as to listen: it may just be slow. Try again."},
		{name: "it never answers", config: `cmd = ["deaf"]` + impatient, kind: hub.CauseTimeout, journal: "I do not hear", detail: "http_timeout = 2s",
			sentence: "The server was not ready within 2 seconds. It listens and gives no answer."},
		{name: "its command before comes to no end", config: "cmd = [\"quits\"]\nunit_extra_properties = { ExecStartPre = \"/usr/local/bin/mute\" }" + impatient,
			kind: hub.CauseTimeout, sentence: "The server was not ready within 3 seconds. The system did not get it to run.", journal: "I say no more"},
		{name: "a command before it fails", config: "cmd = [\"quits\"]\nunit_extra_properties = { ExecStartPre = [\"/bin/true\", \"/usr/local/bin/quits\"] }",
			kind: hub.CauseSystem, sentence: "A command that has to run before your server failed.", journal: "the reason for it",
			detail: "Result=exit-code, ExecStartPre=/usr/local/bin/quits, code=exited, status=3"},
		{name: "its interpreter is missing", config: `cmd = ["orphan"]`, kind: hub.CauseMissingCommand,
			sentence: "The program that servers run is not installed as it has to be. Please tell your administrator.",
			detail:   "/usr/local/bin/orphan is run by /no/such/interpreter: there is no /no/such/interpreter"},
		{name: "its interpreter finds none", config: `cmd = ["stray"]`, kind: hub.CauseMissingCommand, detail: "status=127", journal: "no-such-interpreter",
			sentence: "The program that servers run cannot be started here. Please tell your administrator."},
		{name: "systemd finds no program", config: `cmd = ["quits"]`, before: noProgram, after: again, kind: hub.CauseMissingCommand, detail: "status=203/EXEC",
			sentence: "The program that servers run cannot be started here. Please tell your administrator."},
		{name: "its home cannot be mounted", config: `cmd = ["quits"]`, kind: hub.CauseMissingHome, detail: "job=dependency",
			sentence: "Your home directory /net/broken/bob is missing or cannot be entered. Please tell your administrator.",
			before: "printf '[Mount]\nWhat=/no/such/device\nWhere=/net/broken\n' >/etc/systemd/system/net-broken.mount && systemctl daemon-reload && " +
				"usermod --home /net/broken/bob bob",
			after: "usermod --home /home/bob bob; rm /etc/systemd/system/net-broken.mount; systemctl daemon-reload; systemctl reset-failed net-broken.mount || true"},
		{name: "it misses a device", config: `cmd = ["blind"]`, kind: hub.CauseMissingDevice, detail: "status=1", journal: "No such device",
			sentence: "A device that your server needs is not there. Please tell your administrator."},
		{name: "it crashes", config: "cmd = [\"crashes\"]\nunit_extra_properties = { LimitCORE = \"infinity\" }", kind: hub.CauseSignal, detail: "signal=SIGSEGV",
			sentence: "Your server was ended by the signal SIGSEGV. Start it again to go on.", after: "rm -f /home/bob/core*", before: "true"},
	}
}

// What does not come to an end is ended, and told; what is missing between systemd and the program is told as what it is.
func TestSlowAndBrokenStartsAreTold(t *testing.T) {
	s := onStage(t)
	for name, text := range map[string]string{
		"mute":    "#!/bin/sh\necho I say no more\nexec sleep 1000\n",
		"deaf":    "#!/usr/bin/python3\nimport socket, sys, time\nprint('I do not hear', flush=True)\ns = socket.socket(socket.AF_UNIX)\ns.bind([a.split('=', 1)[1] for a in sys.argv if a.startswith('--ServerApp.sock=')][0])\ntime.sleep(1000)\n",
		"quits":   "#!/bin/sh\necho the reason for it >&2\nexit 3\n",
		"orphan":  "#!/no/such/interpreter\n",
		"stray":   "#!/usr/bin/env no-such-interpreter\n",
		"blind":   "#!/bin/sh\necho 'RuntimeError: /dev/nvidia0: No such device' >&2\nexit 1\n",
		"crashes": "#!/usr/bin/python3\nimport os\nos.kill(os.getpid(), 11)\n",
	} {
		s.put("/usr/local/bin/"+name, text, 0o755)
	}
	for _, f := range slowly() {
		t.Run(f.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.isTold(f)
			s.nothingLeft(bob)
		})
	}
	s.mocked("bob")
	s.start(bob)
}

// Bob's server has run, and is ended: by a signal, by a crash, because it has run for as long as it may. His next visit says why, and so
// do, after both have died, the next hub and the next of root's side.
func TestEndsAreTold(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	brief, again := dropIn(`[Service]\nRuntimeMaxSec=4s\n`)
	ends := []struct {
		failure
		signal string
	}{
		{failure{name: "killed", kind: hub.CauseSignal, detail: "signal=SIGKILL",
			sentence: "Your server was ended by the signal SIGKILL. Start it again to go on."}, "SIGKILL"},
		{failure{name: "crashed", kind: hub.CauseSignal, detail: "signal=SIGSEGV",
			sentence: "Your server was ended by the signal SIGSEGV. Start it again to go on."}, "SIGSEGV"},
		{failure{name: "its time is over", before: brief, after: again, kind: hub.CauseTimeout, detail: "Result=timeout",
			sentence: "Your server was ended because its time was over. Start it again to go on."}, ""},
	}
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.configure("[hub]\nslow_spawn_timeout = \"1ms\"\n[spawner.user.bob]\ncmd = [\"mock-singleuser\"]\n")
			if end.before != "" {
				s.run("sh", "-c", end.before)
				s.afterwards("sh", "-c", end.after)
			}
			s.ask()
			if end.signal != "" {
				s.becomes(bob, hub.Running)
				s.run("systemctl", "kill", "--kill-whom=main", "--signal="+end.signal, hub.UnitName(bob))
			}
			s.becomes(bob, hub.Failed)
			s.endIsTold(end.failure)
			s.nothingLeft(bob)
		})
	}
	s.bothDie()
	s.becomes(bob, hub.Failed)
	s.endIsTold(ends[len(ends)-1].failure)
}

// endIsTold looks at what bob and a program are told of how his server ended.
func (s *stage) endIsTold(f failure) {
	s.t.Helper()
	p := s.player("bob")
	p.logIn("/hub/home")
	s.pageTells(p, f)
	s.programTells(f)
}

// bothDie kills the hub and root's side while neither can hear of the other's end.
func (s *stage) bothDie() {
	s.t.Helper()
	both := []string{"jupyterhub.service", "jupyterhub-spawnd.service"}
	for _, daemon := range both {
		s.freeze(daemon)
	}
	s.killed(both...)
}

// A server does not hear that it shall end, and is killed for that. Whoever stopped it, hub or admin, that is no failure; and where an
// admin restarts it, it runs again.
func TestAServerThatDoesNotEndIsStopped(t *testing.T) {
	s := onStage(t)
	stubborn := strings.Replace(mock, "server.serve_forever()", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nserver.serve_forever()", 1)
	s.put("/usr/local/bin/stubborn", stubborn, 0o755)
	s.configure("[spawner.user.bob]\ncmd = [\"stubborn\"]\nunit_extra_properties = { TimeoutStopSec = \"1s\" }\n")
	unit := hub.UnitName(bob)
	s.start(bob)
	if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
		t.Error(err)
	}
	s.becomes(bob, hub.Stopped)
	s.nothingLeft(bob)

	s.start(bob)
	s.run("systemctl", "stop", unit)
	s.becomes(bob, hub.Stopped)
	s.nothingLeft(bob)

	s.start(bob)
	pid := s.mainPID(unit)
	s.run("systemctl", "restart", unit)
	s.eventually("bob's server is another, and ready", func() bool {
		now := s.mainPID(unit)
		return now != pid && now != "0" && s.state(bob) == hub.Running
	})
	s.wholeOrNothing()
	s.becomes(bob, hub.Running)
	if !s.listed(bob) {
		t.Error("root's side does not know of it")
	}
}
