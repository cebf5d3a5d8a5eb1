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
