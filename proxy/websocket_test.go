package proxy

import (
	"bufio"
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

// echo answers every message with itself until the client goes.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if string(b) == "close" {
			c.Close(4321, "as you wish")
			return
		}
		if c.Write(r.Context(), kind, b) != nil {
			return
		}
	}
}

// open opens a WebSocket through the proxy.
func (s *stage) open(path string, header ...string) *websocket.Conn {
	s.t.Helper()
	h := http.Header{}
	for _, line := range header {
		k, v, _ := strings.Cut(line, ": ")
		h.Add(k, v)
	}
	c, _, err := websocket.Dial(s.t.Context(), "ws://"+s.addr+path, &websocket.DialOptions{HTTPHeader: h, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.CloseNow() })
	return c
}

// says sends a message and expects it back.
func says(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != text {
		t.Fatalf("%d bytes back, %v", len(b), err)
	}
}

// closed waits for the end of a WebSocket and returns its code; -1 without a closing frame.
func closed(t *testing.T, c *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, _, err := c.Read(ctx)
	if ctx.Err() != nil {
		t.Fatal("the WebSocket is still open")
	}
	return websocket.CloseStatus(err)
}

// D8, D10: messages of any size pass both ways with their compression, and so does the closing, with its code.
func TestD8D10WebSocketsPass(t *testing.T) {
	s := newStage(t, Options{})
	up, target := unixServer(t, echo)
	s.alice(target)
	c := s.open("/user/alice/ws?a=b", "Origin: http://hub.example")
	head := up.head(t)
	if head[0] != "GET /user/alice/ws?a=b HTTP/1.1" || !strings.HasPrefix(field(head, "Sec-WebSocket-Extensions")[0], "permessage-deflate") ||
		!slices.Equal(field(head, "X-Forwarded-Proto"), []string{"http"}) || !slices.Equal(field(head, "Connection"), []string{"Upgrade"}) {
		t.Errorf("the handshake arrives as %q", head)
	}
	c.SetReadLimit(4 << 20)
	says(t, c, "hello")
	says(t, c, strings.Repeat("x", 1<<15))
	if err := c.Write(t.Context(), websocket.MessageText, []byte("close")); err != nil {
		t.Fatal(err)
	}
	if code := closed(t, c); code != 4321 {
		t.Errorf("closed with %d", code)
	}
	eventually(t, "the tunnel is gone", func() bool { return s.p.tunnels.count() == 0 })
}

// D8: what comes with the handshake is not lost in either direction.
func TestD8EarlyBytesReachTheServer(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Whatever\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly")
		got := make([]byte, 5)
		io.ReadFull(rw, got)
		c.Write(got)
	})
	s.alice(up.URL)
	c := s.dial()
	io.WriteString(c, handshake("/user/alice/ws")+"\x01\x02\r\n\x03")
	got, err := io.ReadAll(c)
	if _, body, _ := strings.Cut(string(got), "\r\n\r\n"); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 101 ") || body != "early\x01\x02\r\n\x03" {
		t.Errorf("%q, %v", got, err)
	}
}

func handshake(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// D22: a refused handshake is answered whole, with the server's own words, and the connection closed.
func TestD22RefusedWebSocketsAreAnswered(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "jupyterhub-hub-login=x")
		http.Error(w, "not you", http.StatusForbidden)
	})
	s.alice(up.URL)
	s.route("/user/dead", "http://127.0.0.1:1", `"user": "dead"`)
	for path, status := range map[string]int{"/user/alice/ws": 403, "/user/dead/ws": 503, "/nowhere": 404} {
		res := s.raw(handshake(path) + "GET /user/alice/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
		got := readReply(t, res)
		if res.StatusCode != status || !res.Close || got.body == "" || got.header["Set-Cookie"] != nil {
			t.Errorf("%s: %+v", path, got)
		}
	}
	up.head(t)
	if len(up.heads) > 0 {
		t.Error("something followed the refused handshake upstream")
	}
}

// D7: only WebSockets are upgraded, and only by a proper handshake; everything else is a plain request.
func TestD7OtherUpgradesAreIgnored(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	for _, c := range []string{
		"GET /user/alice/ HTTP/1.1|Upgrade: h2c|Connection: Upgrade",
		"GET /user/alice/ HTTP/1.1|Upgrade: websocket, h2c|Connection: Upgrade",
		"GET /user/alice/ HTTP/1.1|Upgrade: websocket|Connection: close",
		"POST /user/alice/ HTTP/1.1|Upgrade: websocket|Connection: Upgrade",
		"GET /user/alice/ HTTP/1.0|Upgrade: websocket|Connection: Upgrade",
	} {
		parts := strings.Split(c, "|")
		if got := s.ask(parts[0], append(parts[1:], "Connection: close")...); got.status != 200 || field(up.head(t), "Upgrade") != nil {
			t.Errorf("%s: %+v", c, got)
		}
	}
}

// An upstream that switches to something without being asked is not followed.
func TestUnaskedSwitchIsRefused(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: Upgrade\r\n\r\n")
		c.Close()
	})
	s.alice(up.URL)
	if got := s.get("/user/alice/"); got.status != 503 {
		t.Errorf("%+v", got)
	}
}

// D8: one side that is gone takes the other with it, whichever it is and however it goes.
func TestD8TheEndOfOneSideIsPassedOn(t *testing.T) {
	for name, leave := range map[string]func(client, server net.Conn){
		"client closes":      func(client, _ net.Conn) { client.Close() },
		"client is cut":      func(client, _ net.Conn) { client.(*net.TCPConn).SetLinger(0); client.Close() },
		"client half closes": func(client, _ net.Conn) { client.(*net.TCPConn).CloseWrite() },
		"server closes":      func(_, server net.Conn) { server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s, servers, ended := newStage(t, Options{}), make(chan net.Conn, 1), make(chan error, 1)
			up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				c, _, _ := http.NewResponseController(w).Hijack()
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
				servers <- c
				_, err := io.Copy(io.Discard, c)
				c.Close()
				ended <- err
			})
			s.alice(up.URL)
			c := s.dial()
			io.WriteString(c, handshake("/user/alice/ws"))
			br := bufio.NewReader(c)
			if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 101 {
				t.Fatal(res, err)
			}
			leave(c, <-servers)
			<-ended
			if _, err := br.ReadByte(); err == nil {
				t.Error("the client got bytes from nowhere")
			}
			eventually(t, "the tunnel is gone", func() bool { return s.p.tunnels.count() == 0 })
		})
	}
}

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
