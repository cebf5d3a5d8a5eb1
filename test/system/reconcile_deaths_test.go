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
