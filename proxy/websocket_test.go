package proxy

import (
	"bufio"
	"context"
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
