package system

import (
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// The admin's own tools show what runs: units by pattern, the journal of one person's server.
func TestAdminLooksWithSystemdsTools(t *testing.T) {
	s := onStage(t)
	s.probed("", "bob")
	s.put("/usr/local/bin/probe-singleuser", strings.Replace(probe, "server.serve", "print('said by his server', flush=True)\nserver.serve", 1), 0o755)
	s.start(bob)
	status := s.run("systemctl", "status", "--no-pager", "jupyterhub*", "jupyter-*")
	for _, unit := range append([]string{hub.UnitName(bob), "jupyter-user_bob.slice"}, everything...) {
		if !strings.Contains(status, unit+" ") {
			t.Errorf("systemctl status does not show %s", unit)
		}
	}
	for _, want := range []string{"Jupyter server of bob", "probe-singleuser", "Memory:", "Tasks:"} {
		if !strings.Contains(status, want) {
			t.Errorf("systemctl status does not say %q", want)
		}
	}
	journal := s.run("journalctl", "--sync", "--no-pager") + s.run("journalctl", "--no-pager", "--unit=jupyter-bob")
	for _, want := range []string{"Started jupyter-bob.service", "said by his server"} {
		if !strings.Contains(journal, want) {
			t.Errorf("journalctl -u jupyter-bob does not say %q:\n%s", want, journal)
		}
	}
	if of := s.run("journalctl", "--no-pager", "JUPYTERHUB_USER=alice", "--unit=jupyter-bob"); strings.Contains(of, "bob") {
		t.Errorf("in the journal these lines of bob's are alice's:\n%s", of)
	}
	if shown := s.run("jupyterhub", "status"); !strings.Contains(shown, "bob") {
		t.Errorf("jupyterhub status says\n%s", shown)
	}
}

// Stopping the target closes every door and leaves servers running; when it is started again, the hub knows them.
func TestServersOutliveTheTarget(t *testing.T) {
	t.Parallel()
	s := ownStage(t, "")
	s.mocked("bob")
	s.start(bob)
	pid := s.mainPID(hub.UnitName(bob))
	s.run("systemctl", "stop", "jupyterhub.target")
	if now := s.mainPID(hub.UnitName(bob)); now != pid {
		t.Errorf("with the target bob's server ended: process %s, before %s", now, pid)
	}
	s.run("systemctl", "start", "jupyterhub.target")
	s.connect()
	s.becomes(bob, hub.Running)
	s.eventually("bob's server answers", func() bool { return s.answers("/user/bob/api") == 200 })
	if now := s.mainPID(hub.UnitName(bob)); now != pid {
		t.Errorf("bob's server was process %s and is %s", pid, now)
	}
}

// An admin changes one person's limits while the server runs, with systemctl edit and with jupyterhub edit; both hold at
// once, and at the next start they win over what the configuration says.
func TestAdminEditsARunningServer(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	unit := hub.UnitName(bob)
	s.put("/usr/local/bin/edits", "#!/bin/sh\nfor file; do :; done # after +LINE, as editors know it\nprintf \"$WRITES\" >\"$file\"\n", 0o755)
	s.afterwards("systemctl", "daemon-reload")
	s.afterwards("rm", "-rf", "/etc/systemd/system/"+unit+".d")
	edited := func(writes, property, want string, command ...string) {
		t.Helper()
		if out, err := s.Run(s.ctx, "env", append([]string{"SYSTEMD_EDITOR=edits", "EDITOR=edits", "WRITES=" + writes}, command...)...); err != nil {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
		if got := s.property(unit, property); got != want {
			t.Errorf("after %v a running server has %s=%s, want %s", command, property, got, want)
		}
	}
	// Terminals have editors; systemctl wants to see one.
	edited(`[Service]\nMemoryMax=700M\n`, "MemoryMax", "734003200", "script", "--quiet", "--return", "--command", "systemctl edit "+unit, "/dev/null")
	newer, err := s.NewerSystemctl(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if newer == nil {
		t.Log("left out: systemctl edit --drop-in, which came with systemd 253; neither the machine nor its backports have it")
	} else {
		edited(`[Service]\nMemoryHigh=600M\n`, "MemoryHigh", "629145600", "script", "--quiet", "--return", "--command",
			strings.Join(append(newer, "edit", "--drop-in=high", unit), " "), "/dev/null")
	}
	edited(`[Service]\nMemoryMax=800M\nTasksMax=77\n`, "MemoryMax", "838860800", "jupyterhub", "edit", "bob")
	if got := s.property(unit, "TasksMax"); got != "77" {
		t.Errorf("TasksMax is %s", got)
	}
	s.clear(s.ctx)
	s.start(bob)
	if got := s.property(unit, "MemoryMax"); got != "838860800" {
		t.Errorf("at the next start MemoryMax is %s", got)
	}
	s.clear(s.ctx)
	if out, err := s.Run(s.ctx, "env", "EDITOR=edits", "WRITES=#nothing\n", "jupyterhub", "edit", "bob"); err != nil || !strings.Contains(out, "removed") {
		t.Errorf("an emptied file: %v\n%s", err, out)
	}
	s.start(bob)
	if got := s.property(unit, "MemoryMax"); got != "2147483648" {
		t.Errorf("without the drop-in MemoryMax is %s", got)
	}
}

// The whole machine restarts while somebody works. Afterwards the hub is up by itself, her server is stopped and no failure,
// and starts at her next visit. The session is the same: nobody logs in again.
func TestRebootWhileAliceWorks(t *testing.T) {
	t.Parallel()
	s := ownStage(t, "")
	s.mocked("alice")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	s.becomes(alice, hub.Running)
	if err := s.Reboot(s.ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.AwaitHub(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.connect()
	s.becomes(alice, hub.Stopped)
	p.http.CloseIdleConnections()
	if home := p.get("/hub/home"); !strings.Contains(home.words(), "stopped") || home.find(`class="alert"(.)`) != "" {
		t.Errorf("the home page says\n%s", home.words())
	}
	p.startServer()
	s.becomes(alice, hub.Running)
}
