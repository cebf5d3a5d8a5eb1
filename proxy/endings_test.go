package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// D9: when a route goes its WebSockets are closed with a code, and connections that wait for another request as well. One that
// is replaced without a change keeps them.
func TestD9RemovedRoutesCloseTheirConnections(t *testing.T) {
	s := newStage(t, Options{})
	up, other := newServer(t, echo), newServer(t, hello)
	s.alice(up.URL)
	s.route("/user/bob", up.URL, `"user": "bob"`)
	alice, bob := s.open("/user/alice/ws"), s.open("/user/bob/ws")
	s.alice(up.URL)
	says(t, alice, "still there")
	s.alice(other.URL)
	if code := closed(t, alice); code != websocket.StatusGoingAway {
		t.Errorf("alice's is closed with %d", code)
	}
	if got := s.call("DELETE", "/api/routes/user/bob", ""); got.status != 204 {
		t.Fatal(got)
	}
	if code := closed(t, bob); code != websocket.StatusGoingAway {
		t.Errorf("bob's is closed with %d", code)
	}
}

// A requests that is under way when its route goes has the grace, and not more.
func TestRemovedRoutesCutWhatTakesTooLong(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s.alice(up.URL)
	res := s.raw("GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
	s.call("DELETE", "/api/routes/user/alice", "")
	if _, err := io.ReadAll(res.Body); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the answer ended with %v", err)
	}
}

// Vulnerability: a single-user server knows its visitors by session for five minutes. Attack: after alice's logout somebody
// goes on with her cookies, or in her open terminal. Verified: her WebSockets close at once, her requests come without the
// cookies, also after the proxy's own restart; others notice nothing.
func TestEndedSessions(t *testing.T) {
	clock := time.Now()
	s := newStage(t, Options{StateFile: shortDir(t) + "/routes.json", Now: func() time.Time { return clock }})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if wantsWebSocket(r) {
			echo(w, r)
		}
	})
	s.alice(up.URL)
	const ended, other = "0123456789abcdef", "fedcba9876543210"
	cookie := func(session string) string {
		return "Cookie: _xsrf=x; jupyterhub-session-id=" + session + "; jupyterhub-user-alice=t; jupyterhub-hub-login=l"
	}
	his, hers := s.open("/user/alice/ws", cookie(other)), s.open("/user/alice/ws", cookie(ended))
	sum := sha256.Sum256([]byte(ended))
	if got := s.call("POST", "/api/sessions/"+hex.EncodeToString(sum[:])+"/end", ""); got.status != 204 {
		t.Fatal(got)
	}
	if code := closed(t, hers); code != websocket.StatusPolicyViolation {
		t.Errorf("hers is closed with %d", code)
	}
	says(t, his, "still there")

	sees := func(session string) string {
		for len(up.heads) > 0 {
			<-up.heads
		}
		s.get("/user/alice/", cookie(session))
		return strings.Join(field(up.head(t), "Cookie"), "|")
	}
	whole := "_xsrf=x; jupyterhub-session-id=%s; jupyterhub-user-alice=t"
	if got := sees(ended); got != "_xsrf=x" {
		t.Errorf("the ended session still says %q", got)
	}
	if got := sees(other); got != fmt.Sprintf(whole, other) {
		t.Errorf("the other session says %q", got)
	}
	again := newStage(t, s.p.options)
	if s = again; sees(ended) != "_xsrf=x" {
		t.Error("the proxy's restart brings the session back")
	}
	clock = clock.Add(11 * time.Minute)
	if got := sees(ended); got != fmt.Sprintf(whole, ended) {
		t.Errorf("after ten minutes the hub alone decides, and sees %q", got)
	}
	for _, bad := range []string{"", "x", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("g", 64)} {
		if got := s.call("POST", "/api/sessions/"+bad+"/end", ""); got.status/100 != 4 {
			t.Errorf("a session named %q: %d", bad, got.status)
		}
	}
}

// The end of the service is told to every WebSocket; requests under way may finish.
func TestStoppingDrains(t *testing.T) {
	s, finish := newStage(t, Options{}), make(chan struct{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if wantsWebSocket(r) {
			echo(w, r)
			return
		}
		<-finish
		io.WriteString(w, "finished")
	})
	s.alice(up.URL)
	ws := s.open("/user/alice/ws")
	up.head(t)
	slow := make(chan string)
	go func() { slow <- s.get("/user/alice/slow").body }()
	up.head(t)
	stopped := make(chan error)
	go func() { stopped <- s.stop() }()
	if code := closed(t, ws); code != websocket.StatusServiceRestart {
		t.Errorf("closed with %d", code)
	}
	close(finish)
	if got := <-slow; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("the door is still open")
	}
}

// Activity (C.6): answers below 300 and uploads count, failures do not, and an idle tab, whose browser answers pings, does not
// either unless it is asked for.
func TestActivity(t *testing.T) {
	for _, control := range []bool{false, true} {
		t.Run(fmt.Sprint("control frames ", control), func(t *testing.T) {
			clock := make(chan time.Time, 1)
			now := func() time.Time { n := <-clock; clock <- n; return n }
			clock <- time.Unix(1000, 0)
			s := newStage(t, Options{CountControlFrames: control, Now: now})
			up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if wantsWebSocket(r) {
					echo(w, r)
					return
				}
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/user/alice/404" {
					w.WriteHeader(404)
				}
			})
			s.alice(up.URL)
			tick := func(at int64) { <-clock; clock <- time.Unix(at, 0) }
			active := func() int64 { return s.p.table.get("/user/alice").up.lastActivity().Unix() }
			wants := func(what string, at int64) {
				t.Helper()
				if got := active(); got != at {
					t.Errorf("%s: last active at %d, want %d", what, got, at)
				}
			}
			tick(1001)
			s.get("/user/alice/404")
			wants("a failure", 1000)
			s.get("/user/alice/")
			wants("an answer", 1001)
			tick(1002)
			s.ask("POST /user/alice/404 HTTP/1.1", "Content-Length: 0", "Connection: close")
			wants("an empty upload", 1001)
			readReply(t, s.raw("POST /user/alice/404 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"))
			wants("an upload", 1002)

			c := s.open("/user/alice/ws")
			go c.Read(t.Context()) // takes pongs
			tick(1003)
			if err := c.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			if control {
				wants("a ping", 1003)
			} else {
				wants("a ping", 1002)
			}
			tick(1004)
			c.Write(t.Context(), websocket.MessageText, []byte("x"))
			eventually(t, "a message counts", func() bool { return active() == 1004 })
		})
	}
}

// FuzzFrames: cutting a stream anywhere gives the same reading, and the end of each frame is found.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x81, 0x05, 'h', 'e', 'l', 'l', 'o', 0x89, 0x80, 1, 2, 3, 4}, 3)
	f.Add([]byte{0x82, 0xfe, 0, 1, 9, 9, 9, 9, 7, 0x8a, 0}, 1)
	f.Add([]byte{0x02, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 2)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		var whole, pieces frames
		data := whole.pass(b)
		cut := false
		for piece := range slices.Chunk(b, max(1, size%16)) {
			cut = pieces.pass(piece) || cut
		}
		if whole.between() != pieces.between() || data != cut {
			t.Fatalf("read at once: %v %v, in pieces: %v %v", whole.between(), data, pieces.between(), cut)
		}
		whole = frames{}
		if framed := append([]byte{0x81, byte(len(b) % 126)}, b[:min(len(b), len(b)%126)]...); !whole.pass(framed) || !whole.between() {
			t.Fatalf("the end of a frame of %d bytes is not found", len(framed)-2)
		}
	})
}

// Clients that leave in the middle of anything leave nothing behind: no tunnel, no connection on either side.
func TestNothingIsLeftOfThoseWhoWent(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case wantsWebSocket(r):
			echo(w, r)
		case r.URL.Path == "/user/alice/stream":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			io.Copy(io.Discard, r.Body)
		}
	})
	s.alice(up.URL)
	cut := func(c net.Conn) {
		c.(*net.TCPConn).SetLinger(0) // a reset, as from a machine that was switched off and on
		c.Close()
	}
	for range 30 {
		for _, begun := range []string{
			"GET /user/ali", "GET /user/alice/stream HTTP/1.1\r\nHost: h\r\n\r\n", handshake("/user/alice/ws"), handshake("/user/alice/ws") + "\x81",
			"POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf", "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
		} {
			c := s.dial()
			io.WriteString(c, begun)
			cut(c)
		}
	}
	eventually(t, "the tunnels are gone", func() bool { return s.p.tunnels.count() == 0 })
	eventually(t, "the clients' connections are gone", func() bool { return s.p.crowd.count() == 0 })
	route := s.p.table.get("/user/alice").up
	eventually(t, "the server's connections are gone", func() bool {
		route.closeWaiting()
		route.mu.Lock()
		defer route.mu.Unlock()
		return len(route.conns) == 0
	})
}
