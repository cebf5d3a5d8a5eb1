package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketServer is a server whose WebSockets are bare connections, each of which it hands over.
func socketServer(t *testing.T) (*server, chan net.Conn) {
	t.Helper()
	conns := make(chan net.Conn, 1)
	return newServer(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		conns <- c
	}), conns
}

// socket opens a WebSocket whose client is a bare connection.
func (s *stage) socket(c net.Conn, path string) net.Conn {
	s.t.Helper()
	io.WriteString(c, handshake(path))
	br := bufio.NewReader(c)
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 101 || br.Buffered() > 0 {
		s.t.Fatal(res, err)
	}
	return c
}

// moreThanBuffers is more than the kernel keeps for two connections.
const moreThanBuffers = 32 << 20

// stuck reports whether one side of a tunnel does not take what the other has said.
func (s *stage) stuck() bool {
	for _, t := range s.p.tunnels.list(func(*tunnel) bool { return true }) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.client.sock.stuck)+len(t.server.sock.stuck) > 0 {
			return true
		}
	}
	return false
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// An idle WebSocket is two descriptors of the proxy's, and no goroutine. When it ends both are closed. The two others of each
// are the test's own: the browser's and the server's.
func TestAnIdleWebSocketIsTwoDescriptors(t *testing.T) {
	s := newStage(t, Options{})
	up, conns := socketServer(t)
	s.alice(up.URL)
	const many = 50
	var both []net.Conn
	open := func() {
		both = append(both, s.socket(s.dial(), "/user/alice/ws"), <-conns)
	}
	open() // and the epoll instance
	files, routines := descriptors(t), runtime.NumGoroutine()
	for range many {
		open()
	}
	if got := descriptors(t) - files; got > 4*many+2 {
		t.Errorf("%d WebSockets are %d descriptors, %d of them not the test's", many, got, got-2*many)
	}
	eventually(t, "no goroutine is left at work", func() bool { return runtime.NumGoroutine() <= routines+5 })
	for _, c := range both {
		c.Close()
	}
	eventually(t, "the tunnels are gone", func() bool { return s.p.tunnels.count() == 0 && s.p.crowd.count() == 0 })
	eventually(t, "the descriptors are back", func() bool { return descriptors(t) <= files })
}

// What one side does not take waits with the other, and nothing is lost or out of order, in the clear and over TLS.
func TestSlowSidesOfWebSockets(t *testing.T) {
	cert, config := certificate(t, t.TempDir())
	text := append([]byte{0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0}, make([]byte, moreThanBuffers)...)
	rand.NewChaCha8([32]byte{1}).Read(text[10:])
	for name, dial := range map[string]func(s *stage) net.Conn{
		"plain": func(s *stage) net.Conn { return s.dial() },
		"TLS": func(s *stage) net.Conn {
			if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
				t.Fatal(err)
			}
			return tls.Client(s.dial(), config)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, Options{})
			up, conns := socketServer(t)
			s.alice(up.URL)
			client := s.socket(dial(s), "/user/alice/ws")
			server := <-conns
			for _, way := range []struct{ from, to net.Conn }{{client, server}, {server, client}} {
				sent := make(chan error, 1)
				go func() { _, err := way.from.Write(text); sent <- err }()
				eventually(t, "something is stuck", s.stuck)
				got := make([]byte, len(text))
				way.to.SetReadDeadline(time.Now().Add(20 * time.Second))
				if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%v, the same: %v", err, bytes.Equal(got, text))
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
			server.Write(text[:1<<20])
			server.Close()
			if got, err := io.ReadAll(client); err != nil || len(got) != 1<<20 {
				t.Errorf("of the last words %d bytes arrived, %v", len(got), err)
			}
			eventually(t, "the tunnel is gone", func() bool { return s.p.tunnels.count() == 0 })
		})
	}
}

// A tunnel is taken out of one proxy and put into another with nothing said to either side: in the middle of a frame, and with
// something stuck on its way.
func TestWebSocketsAreHandedOver(t *testing.T) {
	s := newStage(t, Options{})
	up, conns := socketServer(t)
	s.alice(up.URL)
	client := s.socket(s.dial(), "/user/alice/ws")
	server := <-conns
	frame := string([]byte{0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0}) + strings.Repeat("x", moreThanBuffers)
	sent := make(chan struct{})
	go func() {
		io.WriteString(server, frame)
		close(sent)
	}()
	eventually(t, "something is stuck", s.stuck)
	parked := s.p.tunnels.surrender()
	if len(parked) != 1 || s.p.tunnels.count() != 0 || s.p.crowd.count() != 0 {
		t.Fatalf("%d are parked, %d left", len(parked), s.p.tunnels.count())
	}
	next := newStage(t, Options{})
	next.alice(up.URL)
	if err := next.p.adopt(parked[0]); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(frame))
	client.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != frame {
		t.Fatalf("%v, the same: %v", err, string(got) == frame)
	}
	<-sent
	io.WriteString(client, "up")
	if _, err := io.ReadFull(server, got[:2]); err != nil || string(got[:2]) != "up" {
		t.Fatalf("%q, %v", got[:2], err)
	}
	if next.p.crowd.count() != 1 {
		t.Error("the client is not counted")
	}
	next.call("DELETE", "/api/routes/user/alice", "")
	if got, err := io.ReadAll(client); err != nil || string(got) != string(closeFrame(goingAway)) {
		t.Errorf("at the end %q, %v", got, err)
	}
}

// What cannot be gone on with is closed.
func TestHandedOverToNobody(t *testing.T) {
	s := newStage(t, Options{})
	for name, k := range map[string]parked{"no route": {route: "/user/alice"}, "no state": {route: "/user/bob", state: []byte("x")}} {
		s.route("/user/bob", "http://127.0.0.1:1", "")
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		k.client, k.server = pair[0], pair[1]
		if err := s.p.adopt(k); err == nil || unix.Close(pair[0]) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client that does not even answer pings any more is gone.
func TestSilentWebSocketsAreClosed(t *testing.T) {
	clock := make(chan time.Time, 1)
	clock <- time.Unix(1000, 0)
	s := newStage(t, Options{Now: func() time.Time { n := <-clock; clock <- n; return n }})
	up, conns := socketServer(t)
	s.alice(up.URL)
	silent := s.socket(s.dial(), "/user/alice/ws")
	<-conns
	<-clock
	clock <- time.Unix(1100, 0)
	awake := s.socket(s.dial(), "/user/alice/ws")
	<-conns
	s.p.tunnels.hush(time.Unix(1050, 0))
	if got, err := io.ReadAll(silent); err != nil || string(got) != string(closeFrame(goingAway)) {
		t.Errorf("the silent one ends with %q, %v", got, err)
	}
	eventually(t, "one tunnel is left", func() bool { return s.p.tunnels.count() == 1 })
	awake.Close()
}
