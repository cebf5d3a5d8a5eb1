package strict

import (
	"bufio"
	"io"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counted makes a server's alarm count how often it rings.
func counted(s *Server) *atomic.Int64 {
	rung := new(atomic.Int64)
	s.alarm.timer = time.AfterFunc(math.MaxInt64, func() {
		rung.Add(1)
		s.sweep()
	})
	return rung
}

// ask sends a request over a new connection, reads its answer, and returns the client's end.
func ask(t *testing.T, s *Server) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	go s.Serve(there)
	again(t, here)
	return here
}

func again(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
}

// Connections that are kept and not used wake nobody: three of them for an hour are a few looks, not one a second.
func TestKeptConnectionsLetTheServerSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: http.NotFoundHandler(), Context: t.Context(), HeadTime: 30 * time.Second, IdleTime: time.Hour, MaxHead: 1 << 20}
		rung := counted(s)
		var clients []net.Conn
		for range 3 {
			clients = append(clients, ask(t, s))
			time.Sleep(5 * time.Second)
		}
		for range 3 {
			time.Sleep(15 * time.Minute)
			again(t, clients[0])
		}
		if n := rung.Load(); n > 8 {
			t.Errorf("three idle connections wake the server %d times in three quarters of an hour", n)
		}
		for _, c := range clients {
			c.SetReadDeadline(time.Now().Add(2 * time.Hour))
			if n, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("a connection that is idle for an hour reads %d bytes, %v, instead of its end", n, err)
			}
		}
		if s.mu.Lock(); len(s.conns) > 0 {
			t.Errorf("%d connections are still there", len(s.conns))
		}
		s.mu.Unlock()
	})
}

// Each connection is dropped when its own time is over, whichever came first.
func TestEachConnectionHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: http.NotFoundHandler(), Context: t.Context(), HeadTime: 4 * time.Second, IdleTime: time.Minute, MaxHead: 1 << 20}
		began, kept := time.Now(), ask(t, s)
		slow, there := net.Pipe()
		go s.Serve(there)
		for _, c := range []struct {
			name  string
			conn  net.Conn
			after time.Duration
		}{{"that says nothing", slow, 4 * time.Second}, {"that is kept", kept, time.Minute}} {
			c.conn.SetReadDeadline(time.Now().Add(time.Hour))
			if _, err := c.conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("a connection %s reads %v instead of its end", c.name, err)
			}
			if late := time.Since(began); late < c.after || late > c.after+2*s.exactness() {
				t.Errorf("a connection %s ends after %s instead of %s", c.name, late, c.after)
			}
		}
	})
}
