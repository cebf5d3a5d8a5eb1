package strict

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	s := &Server{Handler: http.NotFoundHandler(), Context: t.Context(), HeadTime: 20 * time.Second, IdleTime: idle, ParkTime: park, MaxHead: 1 << 20}
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
	c = dialed(c)
	c.SetDeadline(time.Now().Add(30 * time.Second))
	again(t, c)
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

// Connections that are just being parked lose no request: each comes at about that time.
func TestParkingLosesNoRequest(t *testing.T) {
	const soon = 10 * time.Millisecond // as exact as times are here
	_, c := parking(t, time.Minute, soon)
	for i := range 100 {
		<-time.After(soon + time.Duration(i%20-5)*time.Millisecond)
		again(t, c)
	}
}
