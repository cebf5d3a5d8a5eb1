package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/spawner/spawnertest"
)

// drowsy lets alice's server, a mock, sleep after a second.
func (s *stage) drowsy() {
	s.t.Helper()
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[spawner]\nsleep_after = \"1s\"\nbusy_cpu = 0.5\n[spawner.user.alice]\ncmd = [\"mock-singleuser\"]\n")
}

// Alice's server is left alone and falls asleep; a request through the proxy wakes it and is answered by the same process.
// The hub is killed in between, and the server's next stop finds it asleep.
func TestARequestWakesAServerThatSleeps(t *testing.T) {
	s := unifiedStage(t)
	s.drowsy()
	s.start(alice)
	unit := hub.UnitName(alice)
	pid := s.mainPID(unit)
	for _, kill := range []bool{false, true} {
		s.becomes(alice, hub.Frozen)
		if kill {
			s.killed("jupyterhub.service")
			s.becomes(alice, hub.Frozen)
		}
		s.eventually("the server that slept answers", func() bool { return s.answers("/user/alice/api") == http.StatusOK })
		if now := s.mainPID(unit); now != pid {
			t.Errorf("process %s is now %s", pid, now)
		}
	}
	s.becomes(alice, hub.Frozen)
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
}

// Two profiles: servers of one are laid to sleep when they were idle for a second, those of the other never, and those of neither after
// an hour. Who has chosen what, sleeps or does not.
func TestWhoSleepsIsUpToTheProfile(t *testing.T) {
	s := unifiedStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure(`[spawner]
cmd = ["mock-singleuser"]
sleep_after = "1h"
busy_cpu = 0.5
[[spawner.profile]]
name = "short"
sleep_after = "1s"
[[spawner.profile]]
name = "awake"
sleep_after = "0s"
`)
	mallory := hub.ServerRef{User: "mallory"}
	for _, who := range []struct {
		ref     hub.ServerRef
		options string
	}{{bob, `{"profile":"awake"}`}, {mallory, `{}`}, {alice, `{"profile":"short"}`}} { // the sleeper is the last one
		s.forgotten(who.ref.User) // the options of a start are those of the next one
		if _, err := s.hub.StartServer(s.ctx, who.ref, client.StartRequest{UserOptions: []byte(who.options)}); err != nil {
			t.Fatal(err)
		}
		s.becomes(who.ref, hub.Running)
	}
	for range 2 {
		s.becomes(alice, hub.Frozen)
		for _, ref := range []hub.ServerRef{bob, mallory} {
			if state := s.state(ref); state != hub.Running {
				t.Errorf("%s is %s", ref, state)
			}
		}
		s.eventually("alice's server answers", func() bool { return s.answers("/user/alice/api") == http.StatusOK })
	}
}

// The culler comes by while alice's server sleeps. It looks, and wakes nobody; when her server has been idle for the culler's own time
// it goes, as one that is awake would.
func TestTheCullerWakesNobodyAndCountsOn(t *testing.T) {
	t.Parallel()
	s := unifiedStage(t)
	s.drowsy()
	s.start(alice)
	s.becomes(alice, hub.Frozen)
	asleep, err := s.hub.Server(s.ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, pass := range []struct {
		timeout string
		then    hub.State
	}{{"1h", hub.Frozen}, {"1s", hub.Stopped}} {
		s.put("/etc/jupyterhub/jupyterhub.toml.d/71-culler.toml", "[culler]\ntimeout = \""+pass.timeout+"\"\n", 0o644)
		s.eventually("alice has been idle for a second", func() bool { return time.Since(asleep.LastActivity.Time) > time.Second })
		s.nextPass()
		s.becomes(alice, pass.then)
		server, err := s.hub.Server(s.ctx, alice)
		if pass.then == hub.Frozen && (err != nil || !server.LastActivity.Equal(asleep.LastActivity.Time)) {
			t.Errorf("after a pass that leaves it alone it was last active at %v, before at %v; %v", server.LastActivity, asleep.LastActivity, err)
		}
	}
	s.run("journalctl", "--sync")
	if journal := s.Journal(s.ctx, "jupyterhub.service"); strings.Contains(journal, "server is awake") || strings.Contains(journal, "/server/wake") {
		t.Errorf("somebody woke it:\n%s", journal)
	}
}

// Where control groups are of version 1 nothing can sleep: who is idle for as long is stopped.
func TestWhereNothingSleepsWhoIsIdleIsStopped(t *testing.T) {
	s := onStage(t)
	if s.run("stat", "--file-system", "--format=%T", "/sys/fs/cgroup") == "cgroup2fs" {
		t.Skip("this machine can freeze")
	}
	s.drowsy()
	s.start(alice)
	s.becomes(alice, hub.Stopped)
}

// The real spawner keeps the promises about sleep that its doubles keep.
func TestRealSpawnerKeepsItsPromisesOfSleep(t *testing.T) {
	s := ownUnifiedStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[spawner]\ncmd = [\"mock-singleuser\"]\n")
	s.run("systemctl", "stop", "jupyterhub.service", "jupyterhub-hub.socket", "jupyterhub-api.socket", "jupyterhub-admin.socket",
		"jupyterhub-credentials.socket")
	giveCredentials(t, s.Path("/run/jupyterhub/credentials.sock"))
	cast := spawnertest.Cast{User: "alice", Other: "bob", Unknown: "nobody-of-that-name", Patience: patience}
	spawnertest.RunSleep(t, cast, func(*testing.T) spawnertest.Sleepy { return s.rootside() })
	s.run("systemctl", "start", "jupyterhub.service")
}

// Alice leaves a real JupyterLab with a variable in a kernel. Her server falls asleep; what she types next, on the WebSocket
// that was open all the while, wakes it and finds the variable.
func TestAKernelRemembersThroughItsSleep(t *testing.T) {
	s := unifiedStage(t)
	s.configure("[spawner]\nsleep_after = \"8s\"\nbusy_cpu = 0.9\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	s.becomes(alice, hub.Running)
	p.get(p.server() + "lab")
	k := p.kernel()
	k.run("x = 42")
	s.becomes(alice, hub.Frozen)
	if out := k.run("print(x)"); out != "42\n" {
		t.Errorf("after its sleep the kernel says %q", out)
	}
	s.becomes(alice, hub.Running)
}

// Alice's cell waits for somebody's answer: no message, no processor time, her browser closed. Her server is neither frozen nor
// culled while the cell runs, though it is silent for longer than sleep_after and the culler's timeout; afterwards it sleeps.
func TestACellThatWaitsInSilenceGoesOn(t *testing.T) {
	t.Parallel()
	s := unifiedStage(t)
	s.configure("[spawner]\nsleep_after = \"4s\"\nbusy_cpu = 0.9\n[culler]\ntimeout = \"10s\"\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	p.get(p.server() + "lab")
	k := p.kernel()
	k.run("import os; os.mkfifo(os.path.expanduser('~/answer'))")
	began, ended := time.Now(), make(chan string, 1)
	go func() {
		defer close(ended)
		out, err := k.try("print(open(os.path.expanduser('~/answer')).read(), end='')")
		if err != nil {
			t.Error(err)
		}
		ended <- out
	}()
	s.eventually("alice's server was silent for long enough, and looks active", func() bool {
		server, err := s.hub.Server(s.ctx, alice)
		if state := s.state(alice); err != nil || state != hub.Running {
			t.Fatalf("it is %s, %v", state, err)
		}
		return server.LastActivity.Sub(began) > 10*time.Second
	})
	s.nextPass()
	if state := s.state(alice); state != hub.Running {
		t.Errorf("after the culler it is %s", state)
	}
	s.run("sh", "-c", "echo 42 >/home/alice/answer")
	if out := <-ended; out != "42\n" {
		t.Errorf("the cell says %q", out)
	}
	s.becomes(alice, hub.Frozen)
	s.run("journalctl", "--sync")
	if slept := strings.Count(s.Journal(s.ctx, "jupyterhub.service"), "server sleeps"); slept != 1 {
		t.Errorf("it slept %d times", slept)
	}
	if tokens, err := s.hub.Tokens(s.ctx, "alice"); err != nil || strings.Contains(fmt.Sprint(tokens), "The hub asks") {
		t.Errorf("alice has the tokens %v, %v", tokens, err)
	}
}
