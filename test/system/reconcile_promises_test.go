package system

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/systemdspawner"
)

// The real spawner keeps the promises that the workshop builds on: the same suite that the double passes. The hub is away
// meanwhile, since it would stop what nobody wishes; the test itself gives units their credential.
func TestRealSpawnerKeepsItsPromises(t *testing.T) {
	t.Parallel()
	s := ownStage(t, "[spawner]\ncmd = [\"mock-singleuser\"]\n")
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.run("systemctl", "stop", "jupyterhub.service", "jupyterhub-hub.socket", "jupyterhub-api.socket", "jupyterhub-admin.socket",
		"jupyterhub-credentials.socket")
	giveCredentials(t, s.Path("/run/jupyterhub/credentials.sock"))
	cast := spawnertest.Cast{User: "alice", Other: "bob", Unknown: "nobody-of-that-name", Patience: patience,
		Kill: func(_ *testing.T, _ spawner.Spawner, u hub.Unit) {
			s.run("systemctl", "kill", "--signal=SIGKILL", u.Name)
		}}
	spawnertest.Run(t, cast, func(*testing.T) spawner.Spawner {
		return systemdspawner.New(s.Path("/run/jupyterhub/spawnd.sock"))
	})
	spawnertest.RunDoor(t, cast, func(*testing.T) spawnertest.Door {
		return systemdspawner.New(s.Path("/run/jupyterhub/spawnd.sock"))
	})
	t.Run("an admin stops a unit, and it is started before root's side has heard of it", s.startRightAfterAnAdminsStop)
	t.Run("an admin is stopping a unit that takes its time, and it is started", s.startWhileAnAdminStops)
	s.run("systemctl", "start", "jupyterhub.service")
}

func (s *stage) startWhileAnAdminStops(t *testing.T) {
	s.put("/usr/local/bin/mock-singleuser", strings.Replace(mock, "server.serve_forever()", `import signal
def leave(*_):
    while not os.path.exists(os.path.expanduser("~/go")): time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
server.serve_forever()`, 1), 0o755)
	first, err := s.rootside().Start(t.Context(), alice, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.eventually("the server listens", func() bool { return s.only(alice).Listening })
	s.run("systemctl", "stop", "--no-block", first.Name)
	s.eventually("the server is ending", func() bool { return s.only(alice).State == hub.UnitDeactivating })
	impatient, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if u, err := s.rootside().Start(impatient, alice, "", nil); err == nil || hub.KindOf(err) == hub.Conflict {
		t.Errorf("a start meanwhile is answered %+v, %v", u, err)
	}
	s.run("touch", "/home/alice/go")
	s.eventually("the server is another", func() bool {
		u, err := s.rootside().Start(t.Context(), alice, "", nil)
		if hub.KindOf(err) == hub.Conflict { // who left had been heard
			u = s.only(alice)
		}
		return u.State == hub.UnitActive && u.Invocation != first.Invocation
	})
	if err := s.rootside().Stop(t.Context(), alice); err != nil {
		t.Error(err)
	}
}

func (s *stage) startRightAfterAnAdminsStop(t *testing.T) {
	unit, last := hub.UnitName(alice), ""
	for range 8 { // what is heard first is a matter of luck
		u, err := s.rootside().Start(t.Context(), alice, "", nil)
		if err != nil || u.Invocation == last {
			t.Fatalf("the start after an admin's stop: %+v, %v", u, err)
		}
		last = u.Invocation
		s.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "jupyterhub-spawnd.service")
		s.run("systemctl", "stop", unit)
		s.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGCONT", "jupyterhub-spawnd.service")
	}
	if err := s.rootside().Stop(t.Context(), alice); err != nil {
		t.Error(err)
	}
}

// giveCredentials answers whoever asks at the socket with some identity, until the play ends.
func giveCredentials(t *testing.T, path string) {
	t.Helper()
	identity, err := credential.Encode(credential.Environment{"JUPYTERHUB_USER": "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(answerCredentials(t, path, identity))
}

// answerCredentials gives whoever asks for an identity these bytes, until it is told to stop.
func answerCredentials(t *testing.T, path string, identity []byte) (stop func()) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if strings.HasSuffix(c.RemoteAddr().String(), "/environment") {
				_, _ = c.Write(identity)
			}
			_ = c.Close()
		}
	}()
	return func() { _ = l.Close(); <-ended }
}
