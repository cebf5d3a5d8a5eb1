package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"
)

// control lets s be followed by whoever knocks, once, and returns where that is and what comes of it.
func (s *stage) control(change func(*Succession)) (path string, outcome chan error) {
	s.t.Helper()
	path, outcome = filepath.Join(shortDir(s.t), "control"), make(chan error, 1)
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	how := Succession{Doors: []Door{{"http", s.public}, {"api", s.private}}, Args: []string{"--debug"}, Env: []string{"A=b"},
		Crown: func(int) error { return nil }, Stop: func() {
			s.stop()
			s.p.heir.Load().close() // as a process's end does
		}}
	if change != nil {
		change(&how)
	}
	go func() {
		conn, err := l.AcceptUnix()
		if err == nil {
			err = s.p.Bequeath(s.t.Context(), conn, how)
		}
		outcome <- err
	}()
	return path, outcome
}

// claim begins a succession as a new process does.
func claim(t *testing.T, path string) *Heir {
	t.Helper()
	conn, args, env, err := Knock(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(args) != 1 || args[0] != "--debug" || len(env) != 1 || env[0] != "A=b" {
		t.Errorf("it is to be started with %q and %q", args, env)
	}
	h, err := Claim(conn)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// heir lets another proxy follow s.
func (s *stage) heir(o Options) *stage {
	s.t.Helper()
	path, outcome := s.control(nil)
	o.Heir = claim(s.t, path)
	o.APIPeers, o.Grace = []int64{int64(os.Getuid())}, 10*time.Millisecond
	public, err := o.Heir.Doors("http")
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := o.Heir.Doors("api")
	if err != nil {
		s.t.Fatal(err)
	}
	next := &stage{t: s.t}
	if next.p, err = New(o); err != nil {
		s.t.Fatal(err)
	}
	next.serveAt(public[0], private[0])
	if err := next.p.Succeed(); err != nil {
		s.t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		s.t.Fatal(err)
	}
	return next
}

func dialPlain(t *testing.T, s *stage) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/user/alice/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// A plain WebSocket goes on in the next process, with the table, and whoever kept a connection to the API finds out nothing.
func TestAnHeirGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	s, up := newStage(t, Options{StateFile: file}), newServer(t, echo)
	s.alice(up.URL)
	c := dialPlain(t, s)
	says(t, c, "hello")

	next := s.heir(Options{StateFile: file})
	says(t, c, "are you still there?")
	if mine, theirs := s.p.tunnels.count(), next.p.tunnels.count(); mine != 0 || theirs != 1 {
		t.Errorf("the old proxy has %d tunnels, the new one %d", mine, theirs)
	}
	// s.api has a connection to the old one, and no other way.
	s.route("/user/bob", up.URL, `"user": "bob", "data": {"key with / and %2F": "ü"}`)
	if got := next.call("GET", "/api/routes/user/bob", ""); got.status != 200 || !strings.Contains(got.body, "key with / and %2F") {
		t.Errorf("the new proxy does not know bob: %d %s", got.status, got.body)
	}
	if got := s.get("/user/bob/"); got.status == 404 {
		t.Errorf("the door's bob: %d %s", got.status, got.body)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := errors.Join(s.stop(), s.p.Run(ended)); err != nil { // it ends last, and the file is the other one's
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the old proxy's end writes the table that it knew")
	}
	says(t, c, "still there")
}

// stageTLS is a stage with a certificate, and WebSockets through it.
func stageTLS(t *testing.T) (*stage, *server, Settings, func(*stage, http.Header) *websocket.Conn) {
	t.Helper()
	s, up := newStage(t, Options{}), newServer(t, echo)
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	set := Settings{TLS: TLS{Certificates: []Certificate{cert}}}
	if err := s.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	return s, up, set, func(at *stage, header http.Header) *websocket.Conn {
		t.Helper()
		c, _, err := websocket.Dial(t.Context(), "wss://localhost/user/alice/ws", &websocket.DialOptions{HTTPClient: at.over(config, false), HTTPHeader: header})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c
	}
}

// A WebSocket over TLS stays where it is, and what happens at the new proxy reaches it there, through two generations.
func TestEldersHearOfChanges(t *testing.T) {
	s, up, set, dial := stageTLS(t)
	session := http.Header{"Cookie": {sessionCookie + "=hers"}}
	his, hers := dial(s, nil), dial(s, session)
	second := s.heir(Options{})
	if err := second.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	between := dial(second, session)
	third := second.heir(Options{})
	if n := third.p.elders.count(); n != 2 {
		t.Fatalf("the third knows %d elders", n)
	}
	for _, c := range []*websocket.Conn{his, hers, between} {
		says(t, c, "still there")
	}
	counted := func(tunnels string) func() bool {
		return func() bool {
			return strings.Contains(third.call("GET", "/metrics", "").body, "\njupyterhub_proxy_tunnels "+tunnels+"\n")
		}
	}
	eventually(t, "the third counts what the others have", counted("3"))
	if processes, connections, webSockets := third.p.Elders(); processes != 2 || connections != 3 || webSockets != 3 {
		t.Errorf("%d processes before the third, with %d connections and %d WebSockets", processes, connections, webSockets)
	}
	third.alice(up.URL) // as it was: nothing happens
	says(t, his, "still there")

	id := sessionsOf(session)[0].String()
	if got := third.call("POST", "/api/sessions/"+id+"/end", ""); got.status != 204 {
		t.Fatal(got)
	}
	if first, later := closed(t, hers), closed(t, between); first != policy || later != policy {
		t.Errorf("a session's WebSockets in older proxies end with %d and %d", first, later)
	}
	says(t, his, "still there")
	if got := third.call("DELETE", "/api/routes/user/alice", ""); got.status != 204 {
		t.Fatal(got)
	}
	if code := closed(t, his); code != goingAway {
		t.Errorf("a deleted route's WebSocket in an older proxy ends with %d", code)
	}
	for _, old := range []*stage{s, second} {
		old.api.CloseIdleConnections()
		old.p.Emptied(t.Context())
	}
}

// With the ninth that would be left the oldest ends, and says so: its WebSockets with 1012. A successor that fails ends nobody.
func TestTheOldestOfTooManyEnds(t *testing.T) {
	log := &journal{}
	s, _, set, dial := stageTLS(t)
	now, all := s, []*websocket.Conn{dial(s, nil)}
	for range mostElders {
		if now = now.heir(Options{Log: zerolog.New(log)}); now.p.Apply(set) != nil {
			t.Fatal("no TLS")
		}
		all = append(all, dial(now, nil))
	}
	path, outcome := now.control(nil)
	h := claim(t, path)
	h.wire.close()
	if err := <-outcome; err == nil {
		t.Fatal("a successor that went is followed")
	}
	for _, c := range all {
		says(t, c, "still there")
	}
	const told = "the oldest ends now"
	if n := log.count(told); n != 0 {
		t.Errorf("told %d times too early", n)
	}
	last := now.heir(Options{})
	if code := closed(t, all[0]); code != serviceRestart {
		t.Errorf("the oldest one's WebSocket ends with %d", code)
	}
	for _, c := range all[1:] {
		says(t, c, "still there")
	}
	if n := log.count(told); n != 1 {
		t.Errorf("told %d times", n)
	}
	if n := last.p.elders.count(); n != mostElders {
		t.Errorf("%d are left", n)
	}
}

// A server whose WebSocket is in an old process is in use: the new one says so, and nobody culls it.
func TestEldersTellOfActivity(t *testing.T) {
	at := &clock{now: time.Now()}
	s, up := newStage(t, Options{Now: at.Now}), newServer(t, echo)
	s.alice(up.URL)
	next := s.heir(Options{Now: at.Now})
	at.pass(time.Hour)
	s.p.touch(s.p.table.get("/user/alice").up)
	if err := s.p.tellActive(s.p.heir.Load(), at.Now()); err != nil {
		t.Fatal(err)
	}
	want := at.Now().UTC().Format(timeLayout)
	eventually(t, "the new proxy knows", func() bool { return strings.Contains(next.call("GET", "/api/routes/user/alice", "").body, want) })
	// What is told late does not turn the time back.
	next.p.wereActive(map[string]time.Time{"/user/alice": at.Now().Add(-time.Minute), "/nobody": at.Now()})
	if got := next.call("GET", "/api/routes/user/alice", "").body; !strings.Contains(got, want) {
		t.Errorf("an old word is believed: %s", got)
	}
}

// Whatever goes wrong with a successor, the one that runs goes on as if nothing had been.
func TestAFailedSuccessionChangesNothing(t *testing.T) {
	for name, play := range map[string]struct {
		change func(*Succession)
		fail   func(*Heir)
	}{
		"it does not fit":         {func(s *Succession) { s.Fit = func(int) error { return errors.New("a stranger") } }, nil},
		"it dies at once":         {nil, func(h *Heir) { h.wire.close() }},
		"it dies with the table":  {nil, func(h *Heir) { h.table(); h.wire.close() }},
		"it talks nonsense":       {nil, func(h *Heir) { h.table(); h.wire.send(message{Do: "rule"}) }},
		"systemd does not see it": {func(s *Succession) { s.Crown = func(int) error { return errors.New("who?") } }, func(h *Heir) { h.table(); h.wire.send(message{Do: doServing}) }},
	} {
		s, up := newStage(t, Options{}), newServer(t, echo)
		s.alice(up.URL)
		c := dialPlain(t, s)
		path, outcome := s.control(play.change)
		conn, _, _, err := Knock(path)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := Claim(conn); err == nil {
			play.fail(h)
		} else if play.fail != nil {
			t.Fatal(err)
		}
		if err := <-outcome; err == nil {
			t.Errorf("%s: nothing is wrong", name)
		}
		s.route("/user/bob", up.URL, `"user": "bob"`)
		if got := s.get("/user/bob/"); got.status == 404 || got.status == 503 {
			t.Errorf("%s: %d", name, got.status)
		}
		says(t, c, "still there")
	}
}

// A connection that is kept for the next request is not closed at a moment when that may be on its way: the answer to it says
// that it is the last.
func TestKeptConnectionsEndWithAnAnswer(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	c := s.dial()
	ask := func() *http.Response {
		if _, err := io.WriteString(c, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return answerOn(t, c)
	}
	if res := ask(); res.Close {
		t.Error("the first answer ends the connection")
	}
	next := s.heir(Options{})
	eventually(t, "the old proxy is on its way out", s.p.waning.Load)
	if res := ask(); !res.Close || res.StatusCode != 200 {
		t.Errorf("after the succession: %d, close %v", res.StatusCode, res.Close)
	}
	if got := next.get("/user/alice/"); got.status != 200 {
		t.Errorf("the next connection: %d", got.status)
	}
}

func answerOn(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

// A connection of HTTP/2 ends by GOAWAY, which clients that are in the middle of something understand.
func TestHTTP2EndsInOrder(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	set := Settings{TLS: TLS{Certificates: []Certificate{cert}}}
	if err := s.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	client := s.over(config, true)
	post := func() {
		t.Helper()
		res, err := client.Post("https://localhost/user/alice/", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if readReply(t, res); res.StatusCode != 200 || res.ProtoMajor != 2 {
			t.Errorf("%s %s", res.Proto, res.Status)
		}
	}
	post()
	next := s.heir(Options{})
	if err := next.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old proxy is on its way out", s.p.waning.Load)
	for range 3 {
		post()
	}
	s.api.CloseIdleConnections()
	s.p.Emptied(t.Context())
	if n := next.p.crowd.count(); n != 1 {
		t.Errorf("the new proxy has %d connections", n)
	}
}

// Handshakes that have begun are finished by the proxy that they began with.
func TestHandshakesUnderWayAreFinished(t *testing.T) {
	s, _, set, _ := stageTLS(t)
	raw := s.dial()
	eventually(t, "it is let in", func() bool { return s.p.crowd.count() == 1 })
	next := s.heir(Options{})
	if err := next.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	if _, err := io.WriteString(c, "GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res := answerOn(t, c); res.StatusCode != 200 {
		t.Errorf("a handshake under way ends in %s", res.Status)
	}
}
