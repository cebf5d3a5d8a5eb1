package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// The real jupyterhub-singleuser, told a port instead of a socket: a page, and a cell that a kernel runs over a WebSocket.
func TestJupyterLabOverTCP(t *testing.T) {
	s := onStage(t)
	s.configure("[spawner.user.alice]\ntcp = true\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	p.startServer()
	if lab := p.get("/user/alice/lab"); lab.status != http.StatusOK {
		t.Errorf("JupyterLab answers %d", lab.status)
	}
	if out := p.kernel().run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])"); !strings.HasPrefix(out, "http://127.0.0.1:") ||
		!strings.HasSuffix(out, "/user/alice/\n") || strings.Contains(out, ":8888/") {
		t.Errorf("the server was told %q", out)
	}
	unit := s.unit(alice)
	if uid := s.run("id", "-u", "alice"); uid != fmt.Sprint(unit.UID) || !unit.Listening {
		t.Errorf("the unit is %+v, alice %s", unit, uid)
	}
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Stopped)
}

// portServer knows ports alone. It says which one it was given and lets the play go on before it takes it. Told to, it gives
// the port up and goes on without.
const portServer = `#!/usr/bin/python3
import http.server, os, socketserver, sys, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", "6")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"alice\n")
        if self.path.endswith("/leave"): threading.Thread(target=self.server.shutdown).start()
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
home, port = os.path.expanduser("~"), sys.argv[1]
os.chmod(home, 0o755)
with open(home + "/port.new", "w") as f: f.write(port)
os.rename(home + "/port.new", home + "/port")
while not os.path.exists("/srv/go"): time.sleep(0.05)
server = Server(("127.0.0.1", int(port)), Answer)
server.serve_forever()
server.server_close()
os.rename(home + "/port", home + "/left")
time.sleep(1000)
`

// squatter takes a port and writes down what is said to it.
const squatter = `import socket, sys
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", int(sys.argv[1]))); l.listen()
heard = open(sys.argv[2], "wb", buffering=0)
heard.write(b"listening\n")
while True:
    c, _ = l.accept()
    heard.write(b"somebody\n")
    if piece := c.recv(1000):
        heard.write(piece)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nmallory\n")
    c.close()
`

// squats lets mallory take a port, and returns the file in which she writes down what she hears.
func (s *stage) squats(unit, port string) (heard string) {
	s.t.Helper()
	heard = "/home/mallory/" + unit
	s.put("/srv/squatter.py", squatter, 0o644)
	s.run("systemd-run", "--quiet", "--collect", "--unit="+unit, "--uid=mallory", "/usr/bin/python3", "/srv/squatter.py", port, heard)
	s.afterwards("sh", "-c", "systemctl stop "+unit+"; rm -f "+heard)
	s.eventually("mallory has port "+port, func() bool { return s.run("sh", "-c", "cat "+heard+" 2>/dev/null || true") != "" })
	return heard
}

// Vulnerability: a port of 127.0.0.1 belongs to whoever binds it first, and what the proxy sends carries tokens.
// Attack: mallory takes the port of alice's server between its choice and its use; later she takes the one that alice's server
// gave up.
// Verified: alice's server starts at another port; afterwards her page is an error; mallory hears nothing both times.
func TestASquatterOfAPortHearsNothing(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/port-singleuser", portServer, 0o755)
	s.configure("[spawner.user.alice]\ntcp = true\ncmd = [\"port-singleuser\", \"{port}\"]\n")
	s.afterwards("rm", "-f", "/srv/go", "/home/alice/port", "/home/alice/left")
	told := func() string { return s.run("sh", "-c", "cat /home/alice/port 2>/dev/null || true") }

	started := make(chan error, 1)
	go func() {
		_, err := s.hub.StartServer(s.ctx, alice, client.StartRequest{})
		started <- err
	}()
	s.eventually("alice's server has its port", func() bool { return told() != "" })
	first := told()
	heard := []string{s.squats("quicker", first)}
	s.run("touch", "/srv/go")
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s.becomes(alice, hub.Running)
	second := told()
	if second == first {
		t.Errorf("alice's server is at port %s, which is mallory's", first)
	}
	p := s.player("alice")
	p.logIn("/hub/home")
	if at := p.get("/user/alice/leave"); at.status != http.StatusOK || at.text != "alice\n" {
		t.Errorf("alice's server answers %d %q", at.status, at.text)
	}
	s.eventually("alice's server has left its port", func() bool { return told() == "" })
	heard = append(heard, s.squats("later", second))
	if at := p.get("/user/alice/page"); at.status < http.StatusInternalServerError {
		t.Errorf("mallory's port is answered with %d %q", at.status, at.text)
	}
	for _, file := range heard {
		// She learns that somebody came, as whoever listens does.
		if got := s.run("sed", "-e", "1d", "-e", "/^somebody$/d", file); got != "" {
			t.Errorf("mallory heard %q", got)
		}
	}
}
