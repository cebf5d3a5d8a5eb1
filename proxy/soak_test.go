package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// soakCycles is how often everything is opened and broken off. PROXY_SOAK asks for more than has room beside other tests.
func soakCycles(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("PROXY_SOAK")); err == nil {
		return n
	}
	return 200
}

func bare(c net.Conn) *net.TCPConn {
	if r, ok := c.(*recordedConn); ok {
		c = r.Conn
	}
	return c.(*net.TCPConn)
}

// After WebSockets that end in every way there is, and requests that break off on either side, descriptors and memory are back
// where they were: resets, half-open ends, refused handshakes, servers that are gone or die in the middle.
func TestNothingLeaks(t *testing.T) {
	s := newStage(t, Options{})
	up, conns := socketServer(t)
	refusing := newServer(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	dying := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(200)
		io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	s.alice(up.URL)
	s.route("/user/refusing", refusing.URL, "")
	s.route("/user/dying", dying.URL, "")
	s.route("/user/dead", "http://127.0.0.1:1", "")
	reset := func(c net.Conn) { bare(c).SetLinger(0); c.Close() }
	half := func(c net.Conn) { bare(c).CloseWrite() }
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	fails := func(request string) {
		c := dial()
		defer reset(c)
		io.WriteString(c, request)
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			io.Copy(io.Discard, res.Body)
		}
	}
	ends := []func(client, server net.Conn){
		func(client, _ net.Conn) { reset(client) }, func(client, _ net.Conn) { client.Close() },
		func(client, server net.Conn) { half(client); io.Copy(io.Discard, server); server.Close() },
		func(_, server net.Conn) { reset(server) }, func(_, server net.Conn) { half(server) }, func(client, server net.Conn) { reset(client); reset(server) },
	}
	cycle := func(i int) {
		client := s.socket(dial(), "/user/alice/ws")
		server := <-conns
		io.WriteString(client, "\x81\x05hello")
		ends[i%len(ends)](client, server)
		io.Copy(io.Discard, client)
		client.Close()
		server.Close()
		fails(handshake("/user/refusing/ws"))
		fails(handshake("/user/dead/ws"))
		fails("GET /user/dying/ HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	calm := func() (files int, heap uint64) { return s.calm("/user/alice", "/user/refusing", "/user/dying") }
	for i := range 50 {
		cycle(i) // until every pool has what it needs
	}
	files, heap := calm()
	for i := range soakCycles(t) {
		cycle(i)
	}
	eventually(t, "the descriptors are back", func() bool { now, _ := calm(); return now <= files+files/20 })
	if _, now := calm(); now > heap+heap/20+1<<20 {
		t.Errorf("%d bytes of memory have become %d", heap, now)
	}
}

// calm waits until nothing is open but connections that wait for a next request to these routes, and returns what is then in use.
func (s *stage) calm(routes ...string) (files int, heap uint64) {
	s.t.Helper()
	eventually(s.t, "all connections are gone", func() bool { return s.p.tunnels.count() == 0 && s.p.crowd.count() == 0 })
	for _, path := range routes {
		up := s.p.table.get(path).up
		eventually(s.t, path+" has no connection but those that wait", func() bool {
			up.mu.Lock()
			defer up.mu.Unlock()
			return len(up.conns) == len(up.waiting)
		})
	}
	runtime.GC()
	runtime.GC() // what pools kept for one cycle
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return descriptors(s.t), m.HeapAlloc
}
