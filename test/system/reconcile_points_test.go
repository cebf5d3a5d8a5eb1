package system

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// points is where the hub may be in a start of bob's server when it dies. Each plays the start up to there, by what the hub,
// systemd or the server itself tells, lets the hub die, and lets the rest go on.
var points = []struct {
	name string
	play func(*stage)
	want hub.State // what the next hub makes of it
}{
	{"the wish is stored, and there is no unit yet", (*stage).dieBeforeTheUnit, hub.Failed},
	{"systemd starts the unit and wants its credential", (*stage).dieBeforeTheQuestion, hub.Running},
	{"systemd's question is at the hub's door", (*stage).dieBeforeTheAnswer, hub.Running},
	{"half of the credential is said", (*stage).dieInTheAnswer, hub.Failed},
	{"the server runs and has no socket", func(s *stage) { s.dieWhenTheServer("runs") }, hub.Running},
	{"the server's socket is there and nobody listens", func(s *stage) { s.dieWhenTheServer("bound") }, hub.Running},
	{"the server is asked for its first answer", func(s *stage) { s.dieWhenTheServer("asked") }, hub.Running},
	{"the route is being added", (*stage).dieBeforeTheRoute, hub.Running},
}

// The hub is stopped in its tracks (SIGSTOP) and killed at each point of a start. Whatever is left then, the next hub makes a
// whole of: the server runs with a whole identity and its route, or it failed and can be started.
func TestHubDiesAtEachPointOfAStart(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/halting-singleuser", halting, 0o755)
	for _, point := range points {
		t.Run(point.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.halting("nowhere")
			point.play(s)
			s.becomes(bob, point.want)
			s.wholeOrNothing()
			if point.want != hub.Running {
				s.halting("nowhere")
				s.start(bob)
				s.wholeOrNothing()
			}
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Fatal(err)
			}
			s.becomes(bob, hub.Stopped)
			if pid := s.mainPID(hub.UnitName(bob)); pid != "0" {
				t.Errorf("process %s goes on", pid)
			}
		})
	}
}

// halting is a server that halts at one point of its start: it tells so through a pipe in its home, and goes on when it is
// told to through another.
const halting = `#!/usr/bin/python3
import http.server, os, socketserver, sys
halt = sys.argv[1]
def reached(point):
    global halt
    if point != halt: return
    halt = ""
    open(os.path.expanduser("~/reached"), "w").close()
    open(os.path.expanduser("~/go")).close()
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        reached("asked")
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def address_string(self): return "peer"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
path = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--ServerApp.sock=")][0]
reached("runs")
server = Server(path, Answer, bind_and_activate=False)
server.server_bind()
os.chmod(path, 0o666)
reached("bound")
server.server_activate()
server.serve_forever()
`

// halting lets bob's server halt at a point, and the hub's API answer a start without waiting for its end.
func (s *stage) halting(point string) {
	s.t.Helper()
	s.configure("[hub]\nslow_spawn_timeout = \"1ms\"\n[spawner.user.bob]\ncmd = [\"halting-singleuser\", \"" + point + "\"]\n")
}

// ask asks for bob's server; when it returns, the wish is stored.
func (s *stage) ask() {
	s.t.Helper()
	if _, err := s.hub.StartServer(s.ctx, bob, client.StartRequest{}); err != nil {
		s.t.Fatal(err)
	}
}

// tells waits until the progress of bob's start says something.
func (s *stage) tells(text string) {
	s.t.Helper()
	ctx, done := context.WithTimeout(s.ctx, patience)
	defer done()
	told := errors.New("told")
	var heard strings.Builder
	err := s.hub.Progress(ctx, bob, func(e hub.Event) error {
		heard.WriteString(e.Message + "\n")
		if strings.Contains(e.Message, text) {
			return told
		}
		return nil
	})
	if !errors.Is(err, told) {
		s.t.Fatalf("never told that %q: %v; heard:\n%s", text, err, heard.String())
	}
}

// freeze stops a daemon in its tracks.
func (s *stage) freeze(unit string) {
	s.t.Helper()
	if err := s.Kill(s.ctx, unit, "SIGSTOP"); err != nil {
		s.t.Fatal(err)
	}
	stat := "/proc/" + s.mainPID(unit) + "/stat"
	s.eventually(unit+" stands still", func() bool {
		now, err := s.ReadFile(s.ctx, stat)
		return err == nil && strings.Contains(now, ") T ")
	})
}

// hubDies stops the hub in its tracks, kills it and waits for the next one.
func (s *stage) hubDies() {
	s.t.Helper()
	s.freeze("jupyterhub.service")
	s.killed("jupyterhub.service")
}

func (s *stage) dieBeforeTheUnit() {
	s.run("systemctl", "stop", "jupyterhub-spawnd.socket", "jupyterhub-spawnd.service")
	s.afterwards("systemctl", "start", "jupyterhub-spawnd.socket")
	s.ask()
	s.tells("does not answer")
	s.hubDies() // its unit wants spawnd's socket, so this brings it back
}

func (s *stage) dieBeforeTheQuestion() {
	gate := s.gate()
	s.ask()
	asks := gate.await()
	if now := s.property(hub.UnitName(bob), "ActiveState"); now != "activating" {
		s.t.Errorf("the unit is %s", now)
	}
	s.hubDies()
	gate.say(asks, gate.answer(gate.knock(asks)))
}

func (s *stage) dieBeforeTheAnswer() {
	gate := s.gate()
	s.ask()
	asks := gate.await()
	s.freeze("jupyterhub.service")
	knocked := gate.knock(asks)
	s.killed("jupyterhub.service")
	gate.say(asks, gate.answer(knocked))
}

func (s *stage) dieInTheAnswer() {
	gate := s.gate()
	s.ask()
	asks := gate.await()
	whole := gate.answer(gate.knock(asks))
	if _, err := asks.Write(whole[:len(whole)/2]); err != nil {
		s.t.Fatal(err)
	}
	s.hubDies()
	gate.away()
	gate.say(asks, nil)
}

// dieWhenTheServer lets the hub die while bob's server stands at a point.
func (s *stage) dieWhenTheServer(point string) {
	s.t.Helper()
	s.halts(point)
	s.ask()
	s.reached()
	if point == "bound" {
		s.tells("listens. Waiting for its first answer")
	}
	s.hubDies()
	s.goOn()
}

// halts lets bob's server halt at a point, and makes the pipes for it.
func (s *stage) halts(point string) {
	s.t.Helper()
	s.halting(point)
	for _, pipe := range []string{"reached", "go"} {
		path := "/home/bob/" + pipe
		if _, err := s.As("bob").Run(s.ctx, "mkfifo", path); err != nil {
			s.t.Fatal(err)
		}
		s.afterwards("rm", path)
	}
}

// reached waits until bob's server halts, and goOn lets it go on.
func (s *stage) reached() { s.t.Helper(); s.run("timeout", "30", "cat", "/home/bob/reached") }
func (s *stage) goOn()    { s.t.Helper(); s.run("timeout", "30", "sh", "-c", ": >/home/bob/go") }

func (s *stage) dieBeforeTheRoute() {
	const proxy = "jupyterhub-proxy.service"
	s.freeze(proxy)
	s.afterwards("systemctl", "kill", "--kill-whom=main", "--signal=SIGCONT", proxy)
	s.ask()
	s.tells("The server answers") // what follows is the route, and the proxy takes no question
	s.hubDies()
	if err := s.Kill(s.ctx, proxy, "SIGCONT"); err != nil {
		s.t.Fatal(err)
	}
}

// gate stands before the hub's door for credentials: systemd's question comes to the play, which passes it on when it wants.
type gate struct {
	t     *testing.T
	door  string // the hub's
	asked chan net.Conn
	away  func() // takes the gate away, if it is still there
}

// gate puts one up, until the play ends at the latest.
func (s *stage) gate() *gate {
	s.t.Helper()
	path := s.Path("/run/jupyterhub/credentials.sock")
	g := &gate{t: s.t, door: path + ".hub", asked: make(chan net.Conn, 64)}
	if err := os.Rename(path, g.door); err != nil {
		s.t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(s.ctx, "unix", path)
	if err != nil {
		s.t.Fatal(errors.Join(err, os.Rename(g.door, path)))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			g.asked <- c
		}
	}()
	g.away = sync.OnceFunc(func() {
		if err := errors.Join(l.Close(), os.Rename(g.door, path)); err != nil {
			s.t.Error(err)
		}
		<-ended
	})
	s.t.Cleanup(g.away)
	return g
}

// await waits until systemd asks for bob's identity.
func (g *gate) await() net.Conn {
	g.t.Helper()
	select {
	case c := <-g.asked:
		g.t.Cleanup(func() { _ = c.Close() })
		if from := c.RemoteAddr().String(); !strings.HasSuffix(from, "/unit/"+hub.UnitName(bob)+"/environment") {
			g.t.Fatalf("%s asks", from)
		}
		return c
	case <-time.After(patience):
		g.t.Fatal("nobody asks for a credential")
	}
	return nil
}

// knock asks the hub as systemd does, by an address that names unit and credential. A hub that stands still has the question at
// its door then: the socket is systemd's, and so is the line before it.
func (g *gate) knock(asks net.Conn) net.Conn {
	g.t.Helper()
	_, what, _ := strings.Cut(asks.RemoteAddr().String(), "/")
	as := net.Dialer{LocalAddr: &net.UnixAddr{Name: "@1/" + what, Net: "unix"}}
	c, err := as.DialContext(g.t.Context(), "unix", g.door)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	return c
}

// answer is what the hub answers.
func (g *gate) answer(knocked net.Conn) []byte {
	g.t.Helper()
	if err := knocked.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	answer, err := io.ReadAll(knocked)
	if err != nil || len(answer) == 0 {
		g.t.Fatalf("the hub answers %d bytes, %v", len(answer), err)
	}
	return answer
}

// say answers systemd, and says that this is all.
func (g *gate) say(asks net.Conn, answer []byte) {
	g.t.Helper()
	_, err := asks.Write(answer)
	if err = errors.Join(err, asks.Close()); err != nil {
		g.t.Fatal(err)
	}
}

// wholeOrNothing checks that bob's server is either whole, with an identity that the hub knows and a route, or not there.
func (s *stage) wholeOrNothing() {
	s.t.Helper()
	pid, runs, leads := s.mainPID(hub.UnitName(bob)), s.state(bob) == hub.Running, s.answers("/user/bob/api") == http.StatusOK
	if there := pid != "0"; there != runs || leads != runs {
		s.t.Errorf("the unit's process is %s, the hub believes that it runs: %t, a route leads there: %t", pid, runs, leads)
	}
	if pid == "0" {
		return
	}
	script := `tr '\0' '\n' </proc/` + pid + `/environ | sed -n 's/^JUPYTERHUB_API_TOKEN=//p' >/run/play-token
		curl --silent --output /dev/null --write-out '%{http_code}' --header "Authorization: token $(cat /run/play-token)" http://127.0.0.1:8081/hub/api/user
		rm /run/play-token`
	if status := s.run("sh", "-c", script); status != "200" {
		s.t.Errorf("the hub answers bob's server with %s: its identity is not whole", status)
	}
}
