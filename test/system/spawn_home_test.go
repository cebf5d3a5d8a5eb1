package system

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Somebody's home has a space in its name. Her server starts there, and what systemd wrote down of its unit says the same when
// it is read again (daemon-reload): nothing is passed over, no path is torn into two.
func TestAHomeWithASpaceOutlivesADaemonReload(t *testing.T) {
	s := onStage(t)
	const home = "/srv/ho mes/dora"
	dora := hub.ServerRef{User: "dora"}
	s.run("mkdir", "-p", "/srv/ho mes")
	s.afterwards("rm", "-r", "/srv/ho mes")
	s.run("useradd", "--create-home", "--home-dir", home, "dora")
	s.afterwards("userdel", "dora")
	s.probed("", "dora")
	if _, err := s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: []string{"dora"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(s.ctx)
		if stopped, err := s.hub.StopServer(ctx, dora, false); err != nil || !stopped {
			t.Errorf("stopped=%t, %v", stopped, err)
		}
		if err := s.hub.DeleteUser(ctx, dora.User); err != nil {
			t.Error(err)
		}
	})
	s.start(dora)

	unit := hub.UnitName(dora)
	told := func() []string {
		t.Helper()
		if out := s.can(dora, "cd && pwd && touch 'a file' && ls"); out != home+"\na file" {
			t.Errorf("she sees %q", out)
		}
		paths := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(s.property(unit, "RequiresMountsFor"), -1)
		slices.Sort(paths)
		return append(paths, "in "+s.property(unit, "WorkingDirectory"), "as "+s.mainPID(unit))
	}
	before := told()
	if !slices.Contains(before, "/srv") || !slices.Contains(before, "in "+home) {
		t.Errorf("the unit requires %q", before)
	}
	s.run("systemctl", "daemon-reload")
	if after := told(); !slices.Equal(after, before) {
		t.Errorf("the unit required %q, and after a daemon-reload %q", before, after)
	}
	if story := s.Journal(s.ctx, unit); strings.Contains(story, "is not absolute") || strings.Contains(story, ", ignoring") {
		t.Errorf("systemd complains of the unit:\n%s", story)
	}
	s.becomes(dora, hub.Running)
	s.killed("jupyterhub-spawnd.service") // the next one reads what systemd has, too
	s.becomes(dora, hub.Running)
}

// Homes lie where they are mounted when somebody looks, and are made when somebody first works: a login opens no session, so nothing else
// would. One that cannot be made is told.
func TestAHomeIsMountedAndMade(t *testing.T) {
	s := onStage(t)
	dora := hub.ServerRef{User: "dora"}
	s.run("mkdir", "-p", "/srv/far", "/net/homes")
	s.put("/etc/systemd/system/net-homes.mount", "[Mount]\nWhat=/srv/far\nWhere=/net/homes\nType=none\nOptions=bind\n", 0o644)
	s.put("/etc/systemd/system/net-homes.automount", "[Automount]\nWhere=/net/homes\n", 0o644)
	s.afterwards("sh", "-c", "systemctl stop net-homes.automount net-homes.mount; rm -r /etc/systemd/system/net-homes.* /srv/far; systemctl daemon-reload")
	s.run("systemctl", "daemon-reload")
	if _, err := s.Run(s.ctx, "test", "-e", "/dev/autofs"); err == nil { // otherwise the mount unit alone, which a start requires as well
		s.run("systemctl", "start", "net-homes.automount")
	}
	s.run("useradd", "--no-create-home", "--home-dir", "/net/homes/dora", "dora")
	s.afterwards("userdel", "dora")
	s.user("dora")
	s.probed("", "dora")
	if _, err := s.hub.StartServer(s.ctx, dora, client.StartRequest{}); err == nil {
		t.Error("a server starts without a home")
	}
	if cause := s.lastEvent(dora).Cause; cause == nil || cause.Kind != hub.CauseMissingHome {
		t.Errorf("without a home the cause is %+v", cause)
	}
	s.probed("create_home = true", "dora")
	s.start(dora)
	if out := s.can(dora, "pwd; stat --format=%U:%a ~; test -e ~/.profile && echo skel; touch ~/mine"); out != "/net/homes/dora\ndora:700\nskel" {
		t.Errorf("she sees %q", out)
	}
	if out := s.run("ls", "/srv/far/dora"); out != "mine" {
		t.Errorf("where homes really lie there is %q", out)
	}
	if _, err := s.hub.StopServer(s.ctx, dora, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(dora, hub.Stopped)
	s.run("systemctl", "stop", "net-homes.mount")
	s.start(dora)
	s.can(dora, "test -e ~/mine")
	if _, err := s.hub.StopServer(s.ctx, dora, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(dora, hub.Stopped)

	s.run("usermod", "--home", "/proc/nowhere/dora", "dora")
	if _, err := s.hub.StartServer(s.ctx, dora, client.StartRequest{}); err == nil {
		t.Error("a home is made where none can be")
	}
	if cause := s.lastEvent(dora).Cause; cause == nil || cause.Kind != hub.CauseMissingHome || !strings.Contains(cause.Detail, "mkhomedir_helper") {
		t.Errorf("the cause is %+v", cause)
	}
}
