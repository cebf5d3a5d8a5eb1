package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
	"jupyterhubd/test/testbed"
)

var (
	alice = hub.ServerRef{User: "alice"}
	bob   = hub.ServerRef{User: "bob"}
)

// patience bounds every wait of a play.
var patience = testbed.Patience()

// stage is a machine with the product, and root's client of the API on it.
type stage struct {
	*testbed.Bed
	t   *testing.T
	ctx context.Context
	hub *client.Client
}

// onStage returns the shared machine. The cast has no servers before and after the play.
func onStage(t *testing.T) *stage {
	t.Helper()
	return settle(t, testbed.Shared(t))
}

// ownStage boots a machine for one play.
func ownStage(t *testing.T, config string) *stage {
	t.Helper()
	testbed.Needed(t)
	bed, err := testbed.Boot(t.Context(), testbed.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.End(); err != nil {
			t.Error(err)
		}
	})
	bed.Watch(t)
	return settle(t, bed)
}

func settle(t *testing.T, bed *testbed.Bed) *stage {
	t.Helper()
	s := &stage{Bed: bed, t: t, ctx: t.Context()}
	s.connect()
	for _, name := range testbed.Cast {
		_, err := s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: []string{name}})
		if err != nil && hub.KindOf(err) != hub.Conflict {
			t.Fatal(err)
		}
	}
	s.clear(s.ctx)
	copied := filepath.Join(t.TempDir(), "jupyterhub.db")
	t.Cleanup(func() {
		s.clear(context.WithoutCancel(s.ctx))
		s.backup(context.WithoutCancel(s.ctx), copied)
	})
	return s
}

// backup copies the hub's database through admin.sock and looks whether all its invariants hold.
func (s *stage) backup(ctx context.Context, file string) {
	s.t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.hub.Backup(ctx, f)
	if err := errors.Join(err, f.Close()); err != nil {
		s.t.Errorf("copy the database: %v", err)
		return
	}
	s.sound(file)
}

// sound opens a copy of the database as the hub would, and checks it.
func (s *stage) sound(file string) {
	s.t.Helper()
	db, err := store.Open(file, store.Options{})
	if err != nil {
		s.t.Errorf("open a copy of the database: %v", err)
		return
	}
	if err := errors.Join(db.Check(), db.Close()); err != nil {
		s.t.Errorf("the database does not hold together: %v", err)
	}
}

// connect makes a new client: after a reboot the socket is another.
func (s *stage) connect() {
	s.t.Helper()
	var err error
	if s.hub, err = client.New(s.Path("/run/jupyterhub/admin.sock"), ""); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.hub.Close)
}

func (s *stage) clear(ctx context.Context) {
	for _, name := range testbed.Cast {
		if _, err := s.hub.StopServer(ctx, hub.ServerRef{User: name}, false); err != nil && hub.KindOf(err) != hub.NotFound {
			s.t.Errorf("stop the server of %s: %v", name, err)
		}
	}
}

// mock is a server that starts in no time: it listens where it is told to and answers everything with 200.
const mock = `#!/usr/bin/python3
import http.server, os, socketserver, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
time.sleep(float(os.environ.get("MOCK_DELAY", "0")))
path = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--ServerApp.sock=")][0]
server = Server(path, Answer)
os.chmod(path, 0o666)
server.serve_forever()
`

// mocked lets the servers of some users be mocks, until the play ends.
func (s *stage) mocked(users ...string) {
	s.t.Helper()
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	var config strings.Builder
	for _, u := range users {
		fmt.Fprintf(&config, "[spawner.user.%s]\ncmd = [\"mock-singleuser\"]\n", u)
	}
	s.configure(config.String())
}

// configure adds to the configuration until the play ends.
func (s *stage) configure(config string) {
	s.t.Helper()
	const file = "/etc/jupyterhub/jupyterhub.toml.d/70-play.toml"
	s.put(file, config, 0o644)
	s.run("jupyterhub", "reload")
	s.t.Cleanup(func() {
		ctx := context.WithoutCancel(s.ctx)
		for _, command := range [][]string{{"rm", "-f", file}, {"jupyterhub", "reload"}} {
			if _, err := s.Run(ctx, command[0], command[1:]...); err != nil {
				s.t.Error(err)
			}
		}
	})
}

func (s *stage) put(path, content string, mode uint32) {
	s.t.Helper()
	if err := s.WriteFile(s.ctx, path, content, os.FileMode(mode)); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command as root and returns what it printed.
func (s *stage) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.Run(s.ctx, name, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// start starts a server and waits until it is ready.
func (s *stage) start(ref hub.ServerRef) {
	s.t.Helper()
	ready, err := s.hub.StartServer(s.ctx, ref, client.StartRequest{})
	if err != nil {
		s.t.Fatalf("start %s: %v", ref, err)
	}
	if !ready {
		s.becomes(ref, hub.Running)
	}
}

// state asks the hub for a server's state; "" while it does not answer.
func (s *stage) state(ref hub.ServerRef) hub.State {
	server, err := s.hub.Server(s.ctx, ref)
	if err != nil {
		return ""
	}
	return hub.State(server.State.Value.State)
}

// becomes waits until the hub says that a server is in a state.
func (s *stage) becomes(ref hub.ServerRef, want hub.State) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s is %s", ref, want), func() bool { return s.state(ref) == want })
}

// eventually waits until something holds that no event tells of.
func (s *stage) eventually(what string, holds func() bool) {
	s.t.Helper()
	testbed.Eventually(s.t, patience, what, holds)
}

// mainPID is the process of a unit; it stays as long as nobody touches the unit.
func (s *stage) mainPID(unit string) string {
	s.t.Helper()
	return s.run("systemctl", "show", "--property=MainPID", "--value", unit)
}

// killed kills daemons with SIGKILL, all before one is back, and waits until other processes do their work.
func (s *stage) killed(units ...string) {
	s.t.Helper()
	before := map[string]string{}
	for _, unit := range units {
		before[unit] = s.mainPID(unit)
	}
	s.run("systemctl", append([]string{"kill", "--kill-whom=main", "--signal=SIGKILL"}, units...)...)
	for _, unit := range units {
		s.eventually(unit+" is back", func() bool {
			now := s.mainPID(unit)
			return now != before[unit] && now != "0" && s.run("sh", "-c", "systemctl is-active "+unit+" || true") == "active"
		})
	}
}
