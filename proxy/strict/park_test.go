package strict

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// parkedAt counts the connections of a server that are parked.
func parkedAt(s *Server) (n int) {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	for _, c := range s.watch.conns {
		if c.parked {
			n++
		}
	}
	return n
}

// awaitParked waits until so many are.
func awaitParked(t *testing.T, s *Server, n int) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	late := time.After(30 * time.Second)
	for parkedAt(s) != n {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%d connections are parked, not %d", parkedAt(s), n)
		}
	}
}

// parking is a server that parks soon, with a client that has been answered.
func parking(t *testing.T, idle, park time.Duration) (*Server, net.Conn) {
	t.Helper()
	return parkingOver(t, idle, park, func(c net.Conn) net.Conn { return c }, func(c net.Conn) net.Conn { return c })
}

// parkingOver is parking with something between the connection and what is said over it.
func parkingOver(t *testing.T, idle, park time.Duration, served, dialed func(net.Conn) net.Conn) (*Server, net.Conn) {
	t.Helper()
	s, c := servingOver(t, &Server{Handler: http.NotFoundHandler(), IdleTime: idle, ParkTime: park}, served)
	c = dialed(c)
	again(t, c)
	return s, c
}

// serving completes a server and connects to it.
func serving(t *testing.T, s *Server) (*Server, net.Conn) {
	t.Helper()
	return servingOver(t, s, func(c net.Conn) net.Conn { return c })
}

func servingOver(t *testing.T, s *Server, served func(net.Conn) net.Conn) (*Server, net.Conn) {
	t.Helper()
	s.Context, s.HeadTime, s.IdleTime, s.MaxHead = t.Context(), 20*time.Second, cmp.Or(s.IdleTime, time.Minute), 1<<20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go s.Serve(served(c))
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return s, c
}

// A parked connection answers as if it had never been, again and again, also when a head comes in pieces.
func TestParkedConnectionsAnswer(t *testing.T) {
	plain := func(c net.Conn) net.Conn { return c }
	keys := httptest.NewTLSServer(nil)
	keys.Close()
	for name, over := range map[string]struct{ served, dialed func(net.Conn) net.Conn }{
		"plain": {plain, plain},
		"TLS": {func(c net.Conn) net.Conn { return tls.Server(c, keys.TLS) },
			func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{InsecureSkipVerify: true}) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := parkingOver(t, time.Minute, time.Millisecond, over.served, over.dialed)
			for range 5 {
				awaitParked(t, s, 1)
				again(t, c)
			}
			awaitParked(t, s, 1)
			io.WriteString(c, "GET / HTT")
			awaitParked(t, s, 0)
			io.WriteString(c, "P/1.1\r\nHost: h\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// What ends other connections ends parked ones: the client's leaving, their time, and the server's end.
func TestParkedConnectionsEnd(t *testing.T) {
	gone := func(s *Server) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == 0
	}
	for _, end := range []struct {
		name string
		idle time.Duration
		how  func(*Server, net.Conn)
	}{
		{"the client leaves", time.Minute, func(_ *Server, c net.Conn) { c.(*net.TCPConn).CloseWrite() }},
		{"its time is over", 100 * time.Millisecond, func(*Server, net.Conn) {}},
		{"the server is closed", time.Minute, func(s *Server, _ net.Conn) { s.Close() }},
		{"the server is shut down", time.Minute, func(s *Server, _ net.Conn) {
			if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}},
	} {
		s, c := parking(t, end.idle, time.Millisecond)
		if end.idle == time.Minute {
			awaitParked(t, s, 1)
		}
		end.how(s, c)
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("when %s, a parked connection reads %d bytes, %v", end.name, n, err)
		}
		awaitParked(t, s, 0)
		again := time.NewTicker(time.Millisecond)
		for !gone(s) {
			<-again.C
		}
		again.Stop()
	}
}

// staged is a connection that tells of the moments between which parking happens.
type staged struct {
	net.Conn
	read   atomic.Pointer[func()] // called once, when something has been read
	rested atomic.Pointer[func()] // called once, when a wait has ended and the connection is not parked yet
}

func (c *staged) NetConn() net.Conn { return c.Conn }

func (c *staged) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if f := c.read.Load(); f != nil && n > 0 && c.read.CompareAndSwap(f, nil) {
		(*f)()
	}
	return n, err
}

func (c *staged) SetReadDeadline(at time.Time) error {
	err := c.Conn.SetReadDeadline(at)
	if f := c.rested.Load(); f != nil && at.IsZero() && c.rested.CompareAndSwap(f, nil) {
		(*f)()
	}
	return err
}

// atRest is a connection that waits for its next request, with the client's side and a way to end the wait.
func atRest(t *testing.T) (*staged, net.Conn, func() bool) {
	t.Helper()
	var between staged
	s, client := parkingOver(t, 2*time.Hour, time.Hour, func(c net.Conn) net.Conn {
		between.Conn = c
		return &between
	}, func(c net.Conn) net.Conn { return c })
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		return &between, client, func() bool { return c.rest(time.Now()) }
	}
	t.Fatal("there is no connection")
	return nil, nil, nil
}

// A request whose first bytes are read just when the wait for them is being ended is read to its end.
func TestARequestAtTheEndOfTheWaitIsRead(t *testing.T) {
	c, client, rest := atRest(t)
	ended := make(chan bool, 1)
	end := func() { ended <- rest() }
	c.read.Store(&end)
	io.WriteString(client, "GET / HTT")
	if !<-ended {
		t.Fatal("the wait did not end in time")
	}
	io.WriteString(client, "P/1.1\r\nHost: h\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
		t.Error(err)
	}
}

// One that comes when nobody reads any more, and before the watch does, is found.
func TestARequestBeforeParkingIsFound(t *testing.T) {
	c, client, rest := atRest(t)
	come := func() { io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") }
	c.rested.Store(&come)
	for again := time.NewTicker(time.Millisecond); !rest(); <-again.C { // the answer is there before the connection is idle
	}
	if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
		t.Error(err)
	}
}

// pausing is a handler whose connections rest after each answer.
func pausing(d time.Duration, served *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.(Pauser).Pause(d)
		w.Header().Set("Content-Length", "0")
	})
}

// A paused connection is not served, whatever its client sends, has sent before, or does.
func TestPausedConnectionsAreNotRead(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, end := range map[string]func(*Server, net.Conn){
		"the client leaves":       func(_ *Server, c net.Conn) { c.(*net.TCPConn).CloseWrite() },
		"the server is closed":    func(s *Server, _ net.Conn) { s.Close() },
		"the server is shut down": func(s *Server, _ net.Conn) { s.Shutdown(context.WithoutCancel(t.Context())) },
	} {
		var served atomic.Int64
		s, c := serving(t, &Server{Handler: pausing(time.Hour, &served)})
		br := bufio.NewReader(c)
		io.WriteString(c, request+request) // the second has been read when the first is answered, or not
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		awaitParked(t, s, 1)
		io.WriteString(c, request)
		end(s, c)
		if n, err := br.Read(make([]byte, 1)); n > 0 {
			t.Errorf("when %s, a paused connection is answered: %v", name, err)
		}
		awaitParked(t, s, 0)
		if n := served.Load(); n != 1 {
			t.Errorf("when %s, %d requests were served", name, n)
		}
	}
}

// Afterwards it goes on with what has come.
func TestPausesEnd(t *testing.T) {
	var served atomic.Int64
	_, c := serving(t, &Server{Handler: pausing(20*time.Millisecond, &served)})
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	br := bufio.NewReader(c)
	for range 2 {
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
	}
	again(t, c)
	again(t, c)
}
