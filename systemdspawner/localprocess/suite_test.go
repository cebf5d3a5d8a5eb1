package localprocess_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/varlink"
	"jupyterhubd/systemdspawner"
	"jupyterhubd/systemdspawner/localprocess"
)

// TestMain is a server, too: with LISTEN set it makes that socket and stays until somebody ends it.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "server" {
		l, err := net.Listen("unix", os.Args[2])
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(3)
		}
		_, _ = l.Accept()
		select {}
	}
	os.Exit(m.Run())
}

// open serves a spawner at a door and returns the hub's client of it.
func open(t *testing.T, command ...string) *systemdspawner.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "jh") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	s, err := localprocess.New(localprocess.Options{Development: true, Users: []string{"alice", "bob"}, Command: command, Dir: dir, UID: 65534})
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "door"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	door := varlink.Service{Vendor: "JupyterHub", Product: "localprocess", Interfaces: []varlink.Interface{s.Interface()}}
	go func() { ended <- door.Serve(ctx, l) }()
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
		cancel()
		<-ended
		os.RemoveAll(dir)
	})
	return systemdspawner.New(filepath.Join(dir, "door"))
}

// program is this test as a file that anybody may run.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "jh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(self)
	copied := filepath.Join(dir, "server")
	if err := errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(copied, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// Through the door it keeps the promises that the workshop builds on, sleep included, and those of the door.
func TestPromises(t *testing.T) {
	cast := spawnertest.Cast{User: "alice", Other: "bob", Unknown: "nobody-of-that-name", Patience: 30 * time.Second, Kill: kill}
	server := program(t)
	spawnertest.Run(t, cast, func(t *testing.T) spawner.Spawner { return open(t, server, "server", "{socket}") })
	spawnertest.RunSleep(t, cast, func(t *testing.T) spawnertest.Sleepy { return open(t, server, "server", "{socket}") })
	spawnertest.RunDoor(t, cast, func(t *testing.T) spawnertest.Door { return open(t, server, "server", "{socket}") })
}

// kill ends the process that was given the unit's socket.
func kill(t *testing.T, _ spawner.Spawner, u hub.Unit) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && strings.Contains(string(b), "\x00"+u.Socket+"\x00") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("nobody was given %s", u.Socket)
}

// A server that ends by itself has failed, with what it said.
func TestAServerThatEnds(t *testing.T) {
	c := open(t, "/bin/sh", "-c", "echo for a reason; exit 3")
	alice := hub.ServerRef{User: "alice"}
	ended := make(chan hub.Unit, 10)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	watching := make(chan struct{})
	go func() {
		_ = c.Watch(ctx, func(hub.Inventory) { close(watching) }, func(u hub.Unit) {
			if !u.State.Alive() {
				ended <- u
			}
		})
	}()
	<-watching
	if _, err := c.Start(t.Context(), alice, "", nil); err != nil {
		t.Fatal(err)
	}
	u := <-ended
	if u.State != hub.UnitFailed || u.Cause == nil || u.Cause.Kind != hub.CauseExited || !strings.Contains(strings.Join(u.Cause.Journal, "\n"), "for a reason") {
		t.Errorf("it ended as %+v with %+v", u, u.Cause)
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	_, err := open(t, "/no/such/program").Start(t.Context(), hub.ServerRef{User: "alice"}, "", nil)
	if err == nil || !strings.Contains(hub.TextOf(err), "cannot be started") {
		t.Errorf("answered %v", err)
	}
}

// Whoever does not say that this is a development machine gets none of it.
func TestNotInProduction(t *testing.T) {
	_, err := localprocess.New(localprocess.Options{Users: []string{"alice"}, Command: []string{"/bin/true"}, Dir: t.TempDir(), UID: 65534})
	if hub.KindOf(err) != hub.Forbidden || !strings.Contains(hub.TextOf(err), "jupyterhub-spawnd") {
		t.Errorf("answered %v", err)
	}
}
