package system

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// An admin's own unit of a name like ours is never touched, and a clash of names is said with the file.
func TestAnAdminsOwnUnitIsNeverTouched(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	const unit = "[Service]\nExecStart=sleep infinity\n"
	for _, name := range []string{"jupyter-lab.service", hub.UnitName(bob)} {
		s.put("/etc/systemd/system/"+name, unit, 0o644)
	}
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "start", "jupyter-lab.service", hub.UnitName(bob))
	before := s.mainPID("jupyter-lab.service") + s.mainPID(hub.UnitName(bob))

	_, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{})
	if err == nil {
		t.Fatal("bob's server started over an admin's unit")
	}
	cause := s.lastEvent(bob).Cause
	if cause == nil || cause.Kind != hub.CauseNameClash || !strings.Contains(cause.Detail, "/etc/systemd/system/jupyter-bob.service") ||
		strings.Contains(cause.Message, "/etc") {
		t.Errorf("the cause is %+v", cause)
	}
	if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil && hub.KindOf(err) != hub.NotFound {
		t.Error(err)
	}
	s.killed("jupyterhub-spawnd.service")
	s.killed("jupyterhub.service")
	if after := s.mainPID("jupyter-lab.service") + s.mainPID(hub.UnitName(bob)); after != before {
		t.Errorf("the admin's units are other processes now: %s, %s", before, after)
	}
	s.run("systemctl", "stop", "jupyter-lab.service", hub.UnitName(bob))
	s.run("rm", "/etc/systemd/system/jupyter-lab.service", "/etc/systemd/system/"+hub.UnitName(bob))
	s.run("systemctl", "daemon-reload")
	s.connect()
	s.start(bob)
}

// Drop-ins win over what root's side sets: for every server, for alice's default one, for her named ones, for her slice.
func TestDropInsWin(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[hub]\nallow_named_servers = true\n[spawner.user.alice]\ncmd = [\"mock-singleuser\"]\n")
	named := hub.ServerRef{User: "alice", Server: "gpu"}
	s.afterwards("systemctl", "daemon-reload")
	drops := map[string]string{
		"jupyter-.service.d":         "[Service]\nNice=7\nMemoryMax=1G\n",
		"jupyter-alice.service.d":    "[Service]\nMemoryMax=600M\n",
		"jupyter-alice-.service.d":   "[Service]\nMemoryMax=700M\n",
		"jupyter-user_alice.slice.d": "[Slice]\nMemoryMax=2G\n",
	}
	for dir, text := range drops {
		// Each file has a name of its own: of two of one name systemd takes the more special one alone.
		s.put("/etc/systemd/system/"+dir+"/50-"+strings.TrimSuffix(dir, ".d")+".conf", text, 0o644)
		s.afterwards("rm", "-r", "/etc/systemd/system/"+dir)
	}
	s.run("systemctl", "daemon-reload")
	s.start(alice)
	s.start(named)
	for _, c := range [][3]string{
		{hub.UnitName(alice), "MemoryMax", "629145600"}, {hub.UnitName(alice), "Nice", "7"}, {hub.UnitName(named), "MemoryMax", "734003200"},
		{"jupyter-user_alice.slice", "MemoryMax", "2147483648"}, {hub.UnitName(named), "Slice", "jupyter-user_alice.slice"},
	} {
		if got := s.property(c[0], c[1]); got != c[2] {
			t.Errorf("%s of %s is %s, want %s", c[1], c[0], got, c[2])
		}
	}
	if _, err := s.hub.StopServer(s.ctx, named, true); err != nil {
		t.Error(err)
	}
}

// Members of a group share its slice, and a profile is only for whom root says.
func TestGroupsAndProfiles(t *testing.T) {
	s := onStage(t)
	s.run("groupadd", "-f", "data-science")
	s.run("usermod", "-a", "-G", "data-science", "alice")
	s.afterwards("gpasswd", "-d", "alice", "data-science")
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure(`[spawner]
cmd = ["mock-singleuser"]
[spawner.group.data-science]
group_slice = true
mem_limit = "300M"
[[spawner.profile]]
name = "big"
allowed_groups = ["data-science"]
mem_limit = "900M"
`)
	s.start(bob)
	t.Cleanup(func() { // the options of a start are those of the next one
		for _, name := range []string{"alice", "bob"} {
			s.clear(context.WithoutCancel(s.ctx))
			if err := s.hub.DeleteUser(context.WithoutCancel(s.ctx), name); err != nil {
				t.Error(err)
			}
		}
	})
	if _, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{UserOptions: []byte(`{"profile":"big"}`)}); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	for unit, want := range map[string][2]string{
		hub.UnitName(alice): {`jupyter-group_data\x2dscience-user_alice.slice`, "943718400"}, hub.UnitName(bob): {"jupyter-user_bob.slice", "2147483648"},
	} {
		if got := [2]string{s.property(unit, "Slice"), s.property(unit, "MemoryMax")}; got != want {
			t.Errorf("%s has %q, want %q", unit, got, want)
		}
	}
	s.clear(s.ctx)
	_, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{UserOptions: []byte(`{"profile":"big"}`)})
	var refusal *hub.Error
	if !errors.As(err, &refusal) {
		t.Errorf("bob gets alice's profile: %v", err)
	}
}

// A person's server is called by more than the network says: nobody but hub and proxy reaches its socket.
func TestNobodyElseReachesAServersSocket(t *testing.T) {
	s := onStage(t)
	s.mocked("alice")
	s.start(alice)
	socket := s.unit(alice).Socket
	for who, reaches := range map[string]bool{"bob": false, "mallory": false, "jupyterhub": true, "jupyterhub-proxy": true} {
		out, err := s.Run(s.ctx, "setpriv", "--reuid="+who, "--regid="+who, "--init-groups", "--inh-caps=-all", "--",
			"curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}", "--unix-socket", socket, "http://x/")
		if got := out == "200"; got != reaches {
			t.Errorf("%s reaches alice's server: %t, %v", who, got, err)
		}
	}
	if status := s.answers("/user/alice/api"); status != http.StatusOK {
		t.Errorf("through the proxy: %d", status)
	}
}
