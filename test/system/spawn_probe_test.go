package system

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/systemdspawner"
	"jupyterhubd/test/testbed"
)

// probe is a server that runs what it is told to, as its user and inside its unit: what a person could do in a terminal of
// JupyterLab. It answers 200 with the output, or 422 with the output when the command failed.
const probe = `#!/usr/bin/python3
import http.server, os, socketserver, subprocess, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body: self.wfile.write(body)
    def do_GET(self): self.reply(200, b"")
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        done = subprocess.run(["bash", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reply(200 if done.returncode == 0 else 422, done.stdout)
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
path = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--ServerApp.sock=")][0]
server = Server(path, Answer)
os.chmod(path, 0o666)
server.serve_forever()
`

// probed lets the servers of some users be probes, with some more lines of configuration for each, until the play ends.
func (s *stage) probed(more string, users ...string) {
	s.t.Helper()
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	var config strings.Builder
	for _, u := range users {
		fmt.Fprintf(&config, "[spawner.user.%s]\ncmd = [\"probe-singleuser\"]\n%s\n", u, more)
	}
	s.configure(config.String())
}

// unit returns a server's unit as root's side tells it.
func (s *stage) unit(ref hub.ServerRef) hub.Unit {
	s.t.Helper()
	list, err := systemdspawner.New(s.Path("/run/jupyterhub/spawnd.sock")).List(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range list.Units {
		if u.ServerRef == ref {
			return u
		}
	}
	s.t.Fatalf("%s has no unit in %+v", ref, list)
	return hub.Unit{}
}

// listed reports whether root's side knows of a unit of the server's that runs.
func (s *stage) listed(ref hub.ServerRef) bool {
	s.t.Helper()
	list, err := systemdspawner.New(s.Path("/run/jupyterhub/spawnd.sock")).List(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(list.Units, func(u hub.Unit) bool { return u.ServerRef == ref && u.State.Alive() })
}

// tries runs a shell command inside a server's unit and returns its output, and whether it succeeded.
func (s *stage) tries(ref hub.ServerRef, command string) (string, bool) {
	s.t.Helper()
	socket := s.Path(s.unit(ref).Socket)
	unix := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	inside := &http.Client{Transport: &http.Transport{DialContext: unix}, Timeout: 4 * patience}
	defer inside.CloseIdleConnections()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://inside/", bytes.NewReader([]byte(command)))
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := inside.Do(request)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	defer answer.Body.Close()
	output, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(output)), answer.StatusCode == http.StatusOK
}

// can runs a command that has to succeed inside a server's unit.
func (s *stage) can(ref hub.ServerRef, command string) string {
	s.t.Helper()
	output, ok := s.tries(ref, command)
	if !ok {
		s.t.Errorf("%s cannot %s:\n%s", ref, command, output)
	}
	return output
}

// cannot runs a command that has to fail inside a server's unit. A program that is not there refuses nothing, so that is no
// failure that counts.
func (s *stage) cannot(ref hub.ServerRef, command string) {
	s.t.Helper()
	const untried = "(no such program)"
	output, ok := s.tries(ref, "("+command+"\n); code=$?; [ $code != 127 ] || echo '"+untried+"'; exit $code")
	if ok {
		s.t.Errorf("%s can %s:\n%s", ref, command, output)
	}
	if strings.HasSuffix(output, untried) {
		s.t.Errorf("nobody knows whether %s can %s:\n%s", ref, command, output)
	}
}

// property returns a property of a unit.
func (s *stage) property(unit, name string) string {
	s.t.Helper()
	return s.run("systemctl", "show", "--value", "--property="+name, unit)
}

// afterwards runs a command when the play has ended, in the opposite order of what was asked for.
func (s *stage) afterwards(name string, args ...string) {
	ctx := context.WithoutCancel(s.ctx)
	s.t.Cleanup(func() {
		if _, err := s.Run(ctx, name, args...); err != nil {
			s.t.Error(err)
		}
	})
}

// python is the interpreter of the environment that users' JupyterLab runs in.
func python() string {
	return strings.TrimSuffix(testbed.SingleUser(), "jupyterhub-singleuser") + "python3"
}
