package system

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// Vulnerability: the directory of a server's socket is its user's, who can put anything there. Attack: alice replaces her
// socket by a symbolic link to bob's, to a door of the hub, to the proxy's own API, to the system bus, and reads there with
// the proxy's hands. Verified: the proxy asks who listens before the first byte, and each attempt is a 503 in the log.
func TestAliceLinksHerSocketToSomebodyElses(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice", "bob")
	s.start(alice)
	s.start(bob)
	if got := s.visit("/user/bob/"); !strings.Contains(got, "mirror of bob") {
		t.Fatalf("bob's own: %s", got)
	}
	hers, his := s.socketOf(alice), s.socketOf(bob)
	for name, to := range map[string]string{
		"bob's server":    his,
		"the hub":         "/run/jupyterhub/hub.sock",
		"the hub's admin": "/run/jupyterhub/admin.sock",
		"the proxy's API": "/run/jupyterhub-proxy/api.sock",
		"the bus":         "/run/dbus/system_bus_socket",
	} {
		if _, err := s.As("alice").Run(s.ctx, "ln", "--symbolic", "--force", to, hers); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/user/alice/", "/user/alice/api/routes", "/user/alice/hub/api"} {
			if got := s.visit(path); !strings.HasPrefix(got, "503 ") || strings.Contains(got, "mirror of") {
				t.Errorf("%s, %s: %s", name, path, got)
			}
		}
		if got := s.handshake("/user/alice/ws"); got != 503 {
			t.Errorf("%s by WebSocket: %d", name, got)
		}
	}
	if log := s.Journal(s.ctx, "jupyterhub-proxy.service"); !strings.Contains(log, "listens there, not uid") {
		t.Errorf("nothing in the journal:\n%s", log)
	}
	if got := s.visit("/user/bob/"); !strings.Contains(got, "mirror of bob") {
		t.Errorf("bob suffers: %s", got)
	}
}

// socketOf returns where a server's unit listens.
func (s *stage) socketOf(ref hub.ServerRef) string {
	s.t.Helper()
	for _, line := range strings.Split(s.run("sh", "-c", "ls /run/jupyter/*/s"), "\n") {
		owner := s.run("stat", "--format=%U", line)
		if owner == ref.User {
			return line
		}
	}
	s.t.Fatalf("no socket of %s", ref)
	return ""
}

// handshake asks for a WebSocket and returns the status.
func (s *stage) handshake(path string, header ...string) int {
	s.t.Helper()
	_, answer := s.upgrade(path, header...)
	return answer.StatusCode
}

// upgrade sends a WebSocket's handshake and returns what is behind the answer, with the answer.
func (s *stage) upgrade(path string, header ...string) (io.Reader, *http.Response) {
	s.t.Helper()
	at, err := url.Parse(testbed.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := s.Dial(s.ctx, "tcp", at.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n", path, at.Host, strings.Join(append(header, ""), "\r\n"))
	br := bufio.NewReader(c)
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return br, answer
}

// Vulnerability: alice's server shares its host with the hub. Attack: it keeps what her browser, or bob's, brings, or sets
// cookies for the hub. Verified: the hub's login never reaches it, its word to the hub's address is dropped, and what it sets
// for the whole host stays below its own path.
func TestServersSeeTheirOwnCookiesAlone(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice", "bob")
	s.start(alice)
	s.start(bob)
	her := s.player("alice")
	her.logIn("/hub/home")
	for _, path := range []string{"/user/alice/", "/user/bob/"} {
		at := her.get(path)
		if !strings.Contains(at.text, "mirror of") || !strings.Contains(at.text, "jupyterhub-session-id=") || strings.Contains(at.text, "jupyterhub-hub-login") {
			t.Errorf("%s learns:\n%s", path, at.text)
		}
		for _, c := range at.header["Set-Cookie"] {
			if c != "own=kept; Path="+path {
				t.Errorf("%s sets %s", path, c)
			}
		}
	}
	if at := her.get("/hub/home"); at.status != http.StatusOK || !strings.Contains(at.url.Path, "/hub/home") {
		t.Errorf("she is logged out: %s", at.url)
	}
}

// After a logout the session's WebSockets are closed within five seconds, and its cookies speak for nobody.
func TestLogoutEndsWhatTheSessionHolds(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice")
	s.start(alice)
	her, other := s.player("alice"), s.player("alice")
	her.logIn("/hub/home")
	other.logIn("/hub/home")
	open := func(p *player) io.Reader {
		t.Helper()
		behind, answer := s.upgrade("/user/alice/ws", "Cookie: jupyterhub-session-id="+p.session())
		if answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("no WebSocket: %s", answer.Status)
		}
		return behind
	}
	hers, others := open(her), open(other)
	stillOpen := make(chan error, 1)
	go func() { _, err := io.ReadAll(others); stillOpen <- err }()

	session, began := her.session(), time.Now()
	her.get("/hub/logout")
	frame, err := io.ReadAll(hers)
	if took := time.Since(began); err != nil || took > 5*time.Second || len(frame) != 4 || frame[0] != 0x88 {
		t.Errorf("closed with % x after %v: %v", frame, took, err)
	}
	select {
	case err := <-stillOpen:
		t.Errorf("the other session's is closed as well: %v", err)
	default:
	}
	her.http.Jar.SetCookies(her.request(s.ctx, "GET", "/", nil).URL, []*http.Cookie{{Name: "jupyterhub-session-id", Value: session, Path: "/"}})
	if at := her.get("/user/alice/"); strings.Contains(at.text, session) {
		t.Errorf("the ended session reaches the server:\n%s", at.text)
	}
}

// session is the id of the browser's session.
func (p *player) session() string {
	p.t.Helper()
	id := p.cookie(p.request(p.s.ctx, http.MethodGet, "/", nil).URL, "jupyterhub-session-id")
	if id == "" {
		p.t.Fatal("the browser has no session")
	}
	return id
}

// The table is the hub's to edit: mallory, and whoever else has an account, is kept out by the socket, and root is known to
// the proxy by uid.
func TestTheTableIsTheHubsToEdit(t *testing.T) {
	s := onStage(t)
	const ask = "curl --silent --show-error --fail --unix-socket /run/jupyterhub-proxy/api.sock http://proxy/api/routes"
	for _, name := range []string{"alice", "mallory"} {
		if out, err := s.As(name).Run(s.ctx, "sh", "-c", ask); err == nil {
			t.Errorf("%s reads the table: %s", name, out)
		}
	}
	if out := s.run("sh", "-c", ask); !strings.Contains(out, "hub.sock") {
		t.Errorf("root reads %s", out)
	}
}
