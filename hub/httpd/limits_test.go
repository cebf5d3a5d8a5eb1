package httpd

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub/auth"
)

// door serves a handler on loopback within limits, as a main does.
func door(t *testing.T, h house, handler http.Handler, l Limits) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := h.Server(handler, l)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// Vulnerability: every local user can open connections at 127.0.0.1:8081.
// Attack: mallory opens far more than there is room for, and says nothing on them.
// Verified: alice's server still gets its answer at once, and the number of connections stays bounded.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	h := newHouse(t, "/", []auth.Route{{Method: "GET", Pattern: "/hub/api/", Public: true, Handle: say("{}")}}, nil)
	addr := door(t, h, h.API(), Limits{Connections: 4})
	var silent []net.Conn
	for range 20 {
		silent = append(silent, dial(t, addr))
	}
	alice := dial(t, addr)
	if _, err := io.WriteString(alice, "GET /hub/api/ HTTP/1.1\r\nHost: hub\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadResponse(bufio.NewReader(alice), nil)
	if err != nil || got.StatusCode != 200 {
		t.Fatalf("alice got %v, %v", got, err)
	}
	for i, c := range silent[:16] {
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("silent connection %d is still open: %v", i, err)
		}
	}
}

func TestLargeHeadsAreRefused(t *testing.T) {
	h := newHouse(t, "/", []auth.Route{{Method: "GET", Pattern: "/hub/api/", Public: true, Handle: say("{}")}}, nil)
	c := dial(t, door(t, h, h.API(), Limits{Header: 1024}))
	go io.WriteString(c, "GET /hub/api/ HTTP/1.1\r\nHost: hub\r\nX: "+strings.Repeat("x", 10000)+"\r\n\r\n")
	got, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v; want 431", got, err)
	}
}

func TestTheLongestIdleGivesWay(t *testing.T) {
	now := time.Unix(0, 0)
	c := &crowd{max: 2, since: map[net.Conn]time.Time{}, busy: map[net.Conn]bool{}, now: func() time.Time { now = now.Add(time.Second); return now }}
	pipe := func() net.Conn { a, _ := net.Pipe(); return a }
	first, second, third, fourth := pipe(), pipe(), pipe(), pipe()
	for _, conn := range []net.Conn{first, second} {
		if gone := c.note(conn, http.StateNew); gone != nil {
			t.Fatal("there is room")
		}
	}
	c.note(first, http.StateActive)
	if gone := c.note(third, http.StateNew); gone != second {
		t.Error("the idle one should go, not the busy one")
	}
	c.note(third, http.StateActive)
	if gone := c.note(fourth, http.StateNew); gone != fourth {
		t.Error("when all are busy the new one goes")
	}
	c.note(first, http.StateClosed)
	if len(c.since) != 1 || len(c.busy) != 1 {
		t.Errorf("%d connections and %d busy are remembered, want third alone", len(c.since), len(c.busy))
	}
}
