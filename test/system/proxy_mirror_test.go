package system

import (
	"fmt"
	"strings"
)

// mirror is a server that shows its visitors what it learns of them, and holds their WebSockets open.
const mirror = `#!/usr/bin/python3
import getpass, http.server, os, socketserver, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            self.wfile.flush()
            while self.connection.recv(4096): pass
            self.close_connection = True
            return
        body = ("mirror of %s\n%s %s\n%s" % (getpass.getuser(), self.command, self.path, self.headers)).encode()
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Set-Cookie", "jupyterhub-hub-login=mine; Path=/hub/")
        self.send_header("Set-Cookie", "own=kept; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
path = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--ServerApp.sock=")][0]
server = Server(path, Answer)
os.chmod(path, 0o666)
server.serve_forever()
`

// mirrored lets the servers of some users be mirrors, until the play ends.
func (s *stage) mirrored(users ...string) {
	s.t.Helper()
	s.put("/usr/local/bin/mirror-singleuser", mirror, 0o755)
	var config strings.Builder
	for _, u := range users {
		fmt.Fprintf(&config, "[spawner.user.%s]\ncmd = [\"mirror-singleuser\"]\n", u)
	}
	s.configure(config.String())
}

// visit goes to an address without a browser's memory and returns status and text.
func (s *stage) visit(path string) string {
	s.t.Helper()
	p := s.player("mallory")
	at := p.get(path)
	return fmt.Sprint(at.status, " ", at.text)
}
