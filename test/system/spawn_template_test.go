package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// templated lets units be named by a template, and the servers of alice and bob be mocks, until the play ends.
func (s *stage) templated(template string) {
	s.t.Helper()
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[hub]\nallow_named_servers = true\n[spawner]\nunit_name_template = \"" + template + "\"\n" +
		"[spawner.user.alice]\ncmd = [\"mock-singleuser\"]\nmax = { mem_limit = \"3G\" }\n[spawner.user.bob]\ncmd = [\"mock-singleuser\"]\n")
}

// named fails the play unless exactly these servers run, by these names of units, and root's side and systemd say the same.
func (s *stage) named(want map[hub.ServerRef]string) {
	s.t.Helper()
	for ref, name := range want {
		if got := s.unit(ref).Name; got != name {
			s.t.Errorf("root's side says that %s runs as %q, want %s", ref, got, name)
		}
		if got := s.run("sh", "-c", "systemctl is-active '"+name+"' || true"); got != "active" {
			s.t.Errorf("%s is %s", name, got)
		}
	}
	units := strings.Fields(s.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", "jupyter-*.service"))
	ours := 0
	for _, word := range units {
		if strings.HasSuffix(word, ".service") {
			ours++
		}
	}
	if ours != len(want) {
		s.t.Errorf("%d units run, want %d:\n%s", ours, len(want), strings.Join(units, " "))
	}
}

// The template of names changes while servers run. They keep their units, and are found, answered, limited, restarted and stopped as
// before, by a hub and a root's side that were killed in between as well; what is started then has a name by the new template, and
// nobody has two units.
func TestTheTemplateOfNamesChangesWhileServersRun(t *testing.T) {
	s := onStage(t)
	const first, second, bobs = "jupyter-alice.service", "jupyter-alice-singleuser.service", "jupyter-bob-singleuser.service"
	s.templated("jupyter-{USERNAME}")
	s.start(alice)
	pid := s.mainPID(first)

	s.templated("jupyter-{USERNAME}-singleuser")
	gpu := hub.ServerRef{User: "alice", Server: "gpu"}
	s.start(bob)
	s.start(gpu)
	running := map[hub.ServerRef]string{alice: first, bob: bobs, gpu: "jupyter-alice-singleuser-gpu.service"}
	s.named(running)
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{}); err == nil {
		t.Error("alice's server was started once more")
	}
	if _, err := s.startAsHub(map[string]any{"user": "alice", "server": ""}); hub.KindOf(err) != hub.Conflict {
		t.Errorf("a start of what runs by its former name: %v", err)
	}
	s.killed("jupyterhub-spawnd.service")
	s.named(running)
	s.killed("jupyterhub.service")
	s.connect()
	s.eventually("alice's server is found", func() bool { return s.state(alice) == hub.Running && s.answers("/user/alice/api") == http.StatusOK })
	if now := s.mainPID(first); now != pid {
		t.Errorf("alice's server was process %s and is %s", pid, now)
	}

	if _, err := s.rootside().Limit(s.ctx, alice, &hub.Limits{MemoryMax: 3 << 30}, false); err != nil {
		t.Error(err)
	}
	if got := s.property(first, "MemoryMax"); got != "3221225472" {
		t.Errorf("limited, it may use %s", got)
	}
	s.run("systemctl", "restart", first) // it asks who it is by its former name
	s.eventually("alice's server answers again", func() bool { return s.state(alice) == hub.Running && s.answers("/user/alice/api") == http.StatusOK })
	s.named(running)

	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
	s.start(alice)
	running[alice] = second
	s.named(running)
	if out := s.run("jupyterhub", "explain", "alice"); !strings.HasPrefix(out, second+" in ") || !strings.Contains(out, "unit_name_template") || !strings.Contains(out, "70-play.toml") {
		t.Errorf("it is explained so:\n%s", out)
	}
	if lines, err := s.rootside().Journal(s.ctx, alice, 5); err != nil {
		t.Errorf("its journal: %q, %v", lines, err)
	}
	if _, err := s.hub.StopServer(s.ctx, gpu, true); err != nil {
		t.Error(err)
	}
}

// Vulnerability: a name by a template is another's, and root's side starts, stops or adopts what it did not make. Attack: an admin's own
// unit has the name, from the beginning or just after our own ended, and another one of root's is marked as a copy of ours. Verified:
// none of them is touched, whoever asks for what.
func TestForeignUnitsOfTheTemplatesNamesAreNotTouched(t *testing.T) {
	s := onStage(t)
	s.templated("jupyter-{USERNAME}-singleuser")
	alices, bobs := "jupyter-alice-singleuser.service", "jupyter-bob-singleuser.service"
	foreign := func(name string) {
		s.put("/etc/systemd/system/"+name, "[Service]\nExecStart=sleep infinity\n", 0o644)
		s.afterwards("systemctl", "daemon-reload")
		s.afterwards("sh", "-c", "systemctl stop '"+name+"'; rm -f '/etc/systemd/system/"+name+"'")
		s.run("systemctl", "daemon-reload")
	}
	foreign(bobs)
	s.run("systemctl", "start", bobs)
	if _, err := s.startAsHub(map[string]any{"user": "bob", "server": ""}); err == nil {
		t.Error("bob's server was started over an admin's unit")
	}

	s.start(alice)
	s.run("systemd-run", "--unit=jupyter-copy", "--slice=jupyter-user_alice.slice", "--property=LogExtraFields=JUPYTERHUB_UNIT="+alices,
		"--property=LogExtraFields=JUPYTERHUB_USER=bob", "--property=LogExtraFields=JUPYTERHUB_SERVER=", "sleep", "infinity")
	s.afterwards("systemctl", "stop", "jupyter-copy.service")
	s.run("systemctl", "kill", "--signal=SIGSTOP", "jupyterhub-spawnd.service") // it does not see the end of its own
	s.run("systemctl", "stop", alices)
	foreign(alices)
	s.run("systemctl", "start", alices)
	s.run("systemctl", "kill", "--signal=SIGCONT", "jupyterhub-spawnd.service")
	before := s.mainPID(alices) + " " + s.mainPID(bobs) + " " + s.mainPID("jupyter-copy.service")
	for _, ref := range []hub.ServerRef{alice, bob} {
		if err := s.rootside().Stop(s.ctx, ref); err != nil {
			t.Error(err)
		}
		if _, err := s.rootside().Limit(s.ctx, ref, &hub.Limits{MemoryMax: 64 << 20}, false); hub.KindOf(err) != hub.NotRunning {
			t.Errorf("a foreign unit is limited as %s: %v", ref, err)
		}
	}
	s.killed("jupyterhub-spawnd.service")
	whole, err := s.rootside().List(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range whole.Units {
		if u.State.Alive() {
			t.Errorf("a foreign unit was adopted: %+v", u)
		}
	}
	for _, ref := range []hub.ServerRef{alice, bob} {
		if err := s.rootside().Stop(s.ctx, ref); err != nil {
			t.Error(err)
		}
	}
	if after := s.mainPID(alices) + " " + s.mainPID(bobs) + " " + s.mainPID("jupyter-copy.service"); after != before {
		t.Errorf("the admin's units were processes %s and are %s", before, after)
	}
}

// There is a second unit of one server, of a start that systemd heard of late: it ends, and the first one goes on.
func TestASecondUnitOfOneServerEnds(t *testing.T) {
	s := onStage(t)
	s.mocked("alice")
	s.start(alice)
	pid := s.mainPID(hub.UnitName(alice))
	s.run("systemd-run", "--unit=jupyter-alice-twin", "--slice=jupyter-user_alice.slice", "--property=LogExtraFields=JUPYTERHUB_UNIT=jupyter-alice-twin.service",
		"--property=LogExtraFields=JUPYTERHUB_USER=alice", "--property=LogExtraFields=JUPYTERHUB_SERVER=", "sleep", "infinity")
	s.eventually("the second unit ends", func() bool {
		return s.run("sh", "-c", "systemctl is-active jupyter-alice-twin.service || true") != "active"
	})
	if now := s.mainPID(hub.UnitName(alice)); now != pid || s.state(alice) != hub.Running || s.answers("/user/alice/api") != http.StatusOK {
		t.Errorf("alice's server was process %s and is %s, %s", pid, now, s.state(alice))
	}
	s.named(map[hub.ServerRef]string{alice: hub.UnitName(alice)})
}
