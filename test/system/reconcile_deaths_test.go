package system

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// terminal is a shell of alice's in her real server, through the proxy, over a WebSocket.
type terminal struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *stage) openTerminal(ref hub.ServerRef) *terminal {
	s.t.Helper()
	token, err := s.hub.NewToken(s.ctx, ref.User, client.TokenRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Transport: s.Transport()}
	header := http.Header{"Authorization": {"token " + token.Value}}
	base := strings.TrimSuffix(testbed.URL, "/") + "/user/" + ref.User
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, base+"/api/terminals", strings.NewReader(`{"name":"play"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = header.Clone()
	request.Header.Set("Content-Type", "application/json")
	answer, err := browser.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.t.Fatalf("make a terminal: %s", answer.Status)
	}
	conn, _, err := websocket.Dial(s.ctx, base+"/terminals/websocket/play", &websocket.DialOptions{HTTPClient: browser, HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &terminal{s.t, conn}
}

// says types a command and waits for its output.
func (term *terminal) says(command, want string) {
	term.t.Helper()
	ctx, done := context.WithTimeout(term.t.Context(), patience)
	defer done()
	if err := term.conn.Write(ctx, websocket.MessageText, []byte(`["stdin","`+command+`\r"]`)); err != nil {
		term.t.Fatal(err)
	}
	var heard strings.Builder
	for !strings.Contains(heard.String(), want) {
		_, b, err := term.conn.Read(ctx)
		if err != nil {
			term.t.Fatalf("%v; heard %q", err, heard.String())
		}
		heard.Write(b)
	}
}

// Alice works in a terminal of her real JupyterLab. The hub dies, then root's side dies, each with kill -9; the proxy does
// not. Her shell, and the connection to it, do not notice; the hub is right about everything afterwards.
func TestDeathsOfDaemonsDoNotReachARunningServer(t *testing.T) {
	s := onStage(t)
	s.start(alice)
	unit := hub.UnitName(alice)
	pid := s.mainPID(unit)
	shell := s.openTerminal(alice)
	shell.says("echo $((6*7)); x=before", "42")
	for _, daemon := range []string{"jupyterhub.service", "jupyterhub-spawnd.service"} {
		s.killed(daemon)
		shell.says("echo $x $((7*8))", "before 56")
		s.becomes(alice, hub.Running)
		if now := s.mainPID(unit); now != pid {
			t.Errorf("%s died, and alice's server is process %s instead of %s", daemon, now, pid)
		}
	}
	if stopped, err := s.hub.StopServer(s.ctx, alice, false); err != nil || !stopped {
		t.Errorf("the hub cannot stop what it adopted: %v", err)
	}
}

// The proxy is restarted: it keeps its table, the hub does not have to do anything, and servers do not notice.
func TestRestartOfTheProxyKeepsRoutes(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	s.start(bob)
	pid := s.mainPID(hub.UnitName(bob))
	s.run("systemctl", "restart", "jupyterhub-proxy.service")
	s.eventually("bob's server answers", func() bool { return s.answers("/user/bob/api") == http.StatusOK })
	if now := s.mainPID(hub.UnitName(bob)); now != pid {
		t.Errorf("bob's server is process %s instead of %s", now, pid)
	}
}

// answers asks the proxy for a path and returns the status, 0 without an answer.
func (s *stage) answers(path string) int {
	ctx, done := context.WithTimeout(s.ctx, 5*time.Second)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(testbed.URL, "/")+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.Transport().RoundTrip(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// The hub is stopped in its tracks (SIGSTOP) and killed at each point of a start: when it has the request, while systemd
// starts the unit and asks for the credential, while the server comes up, when it listens. Whatever is left then, the next
// hub makes a whole of: the server runs with a whole identity, or it failed and can be started.
func TestHubDiesAtEachPointOfAStart(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/slow-singleuser", strings.Replace(mock, `"MOCK_DELAY", "0"`, `"MOCK_DELAY", "1"`, 1), 0o755)
	s.configure("[spawner.user.bob]\ncmd = [\"slow-singleuser\"]\n")
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		t.Run("after "+after.String(), func(t *testing.T) {
			asked, leave := context.WithCancel(s.ctx)
			go func() { _, _ = s.hub.StartServer(asked, bob, client.StartRequest{}) }() // answered by nobody
			<-time.After(after)
			if err := s.Kill(s.ctx, "jupyterhub.service", "SIGSTOP"); err != nil {
				t.Fatal(err)
			}
			leave()
			s.killed("jupyterhub.service")
			s.eventually("nothing is pending", func() bool {
				now := s.state(bob)
				return now == hub.Running || now == hub.Failed || now == hub.Stopped
			})
			s.wholeOrNothing()
			if s.state(bob) != hub.Running {
				s.start(bob)
			}
			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Fatal(err)
			}
			s.becomes(bob, hub.Stopped)
		})
	}
}

// wholeOrNothing checks that bob's unit, if it runs, has an identity that the hub knows.
func (s *stage) wholeOrNothing() {
	s.t.Helper()
	pid := s.run("sh", "-c", "systemctl show --property=MainPID --value "+`'`+hub.UnitName(bob)+`'`)
	if pid == "0" {
		if s.state(bob) == hub.Running {
			s.t.Error("the hub believes in a server that does not run")
		}
		return
	}
	script := `tr '\0' '\n' </proc/` + pid + `/environ | sed -n 's/^JUPYTERHUB_API_TOKEN=//p' >/run/play-token
		curl --silent --output /dev/null --write-out '%{http_code}' --header "Authorization: token $(cat /run/play-token)" http://127.0.0.1:8081/hub/api/user
		rm /run/play-token`
	if status := s.run("sh", "-c", script); status != "200" {
		s.t.Errorf("the hub answers bob's server with %s: its identity is not whole", status)
	}
}
