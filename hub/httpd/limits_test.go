package httpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jupyterhubd/hub/auth"
)

// door serves a handler on loopback within limits, as a main does.
func door(t *testing.T, h house, handler http.Handler, l Limits) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Serve(ctx, listener, handler, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the door closed with %v", err)
		}
	})
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
	meters := prometheus.NewRegistry()
	c := newCrowd(Limits{Connections: 2, Door: "api", Meters: NewMeters(meters)}, func() time.Time { now = now.Add(time.Second); return now })
	pipe := func() net.Conn { a, _ := net.Pipe(); return a }
	first, second, third, fourth := pipe(), pipe(), pipe(), pipe()
	for _, conn := range []net.Conn{first, second} {
		if gone := c.note(conn, http.StateNew); gone != nil {
			t.Fatal("there is room")
		}
	}
	c.note(first, http.StateActive)
	c.work(first, true)
	if gone := c.note(third, http.StateNew); gone != second {
		t.Error("the idle one should go, not the busy one")
	}
	c.note(third, http.StateActive)
	c.work(third, true)
	if gone := c.note(fourth, http.StateNew); gone != fourth {
		t.Error("when all are busy the new one goes")
	}
	c.note(first, http.StateClosed)
	if len(c.since) != 1 || len(c.busy) != 1 {
		t.Errorf("%d connections and %d busy are remembered, want third alone", len(c.since), len(c.busy))
	}
	if open, evicted := metersOf(t, meters); open != 1 || evicted != 2 {
		t.Errorf("the meters say %v open, %v that gave way", open, evicted)
	}
}

// metersOf reads the meters of the one door that there is.
func metersOf(t *testing.T, r *prometheus.Registry) (open, evicted float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			open, evicted = open+m.GetGauge().GetValue(), evicted+m.GetCounter().GetValue()
		}
	}
	return open, evicted
}

// When the hub is stopped, whoever waits is let go at once, so that the next hub can open the door.
func TestClosingLetsWaitersGo(t *testing.T) {
	waiting := make(chan bool)
	wait := func(w http.ResponseWriter, r *http.Request) error {
		waiting <- true
		<-r.Context().Done()
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	h := newHouse(t, "/", []auth.Route{{Method: "POST", Pattern: "/hub/api/start", Public: true, Handle: wait}}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Serve(ctx, listener, h.API(), Limits{}) }()
	alice := dial(t, listener.Addr().String())
	io.WriteString(alice, "POST /hub/api/start HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n")
	<-waiting
	stop()
	if got, err := http.ReadResponse(bufio.NewReader(alice), nil); err != nil || got.StatusCode != http.StatusAccepted {
		t.Errorf("alice got %v, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// closed is a listener that says when it is closed.
type closed struct {
	net.Listener
	say func()
}

func (c closed) Close() error {
	defer c.say()
	return c.Listener.Close()
}

// A restart of the hub costs nobody an answer: a request that is heard to its end while the door closes is answered, and one that
// would have to wait hears when to come again.
func TestClosingAnswersEverybody(t *testing.T) {
	waiting := make(chan bool)
	wait := func(w http.ResponseWriter, r *http.Request) error {
		waiting <- true
		<-r.Context().Done()
		return r.Context().Err()
	}
	quick := func(w http.ResponseWriter, r *http.Request) error {
		if r.Context().Err() == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return r.Context().Err()
	}
	h := newHouse(t, "/", []auth.Route{
		{Method: "GET", Pattern: "/hub/api/wait", Public: true, Handle: wait}, {Method: "GET", Pattern: "/hub/api/quick", Public: true, Handle: quick}}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	closing := make(chan bool)
	go func() {
		ended <- h.Serve(ctx, closed{listener, sync.OnceFunc(func() { close(closing) })}, h.API(), Limits{})
	}()
	late, alice := dial(t, listener.Addr().String()), dial(t, listener.Addr().String())
	io.WriteString(late, "GET /hub/api/quick HTTP/1.1\r\nHost: hub\r\n")
	io.WriteString(alice, "GET /hub/api/wait HTTP/1.1\r\nHost: hub\r\n\r\n")
	<-waiting
	stop()
	<-closing
	io.WriteString(late, "\r\n")
	if got, err := http.ReadResponse(bufio.NewReader(late), nil); err != nil || got.StatusCode != http.StatusNoContent {
		t.Errorf("who came last got %v, %v", got, err)
	}
	if got, err := http.ReadResponse(bufio.NewReader(alice), nil); err != nil || got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" {
		t.Errorf("alice got %v, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Who is not the proxy does not get as far as a request at hub.sock.
func TestStrangersAtTheProxysDoor(t *testing.T) {
	mine := uint32(os.Getuid())
	for name, c := range map[string]struct {
		allow func(uint32) bool
		want  bool
	}{
		"the proxy":  {func(uid uint32) bool { return uid == mine }, true},
		"a stranger": {func(uid uint32) bool { return uid != mine }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hub.sock")
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			guarded := OnlyPeers(listener, c.allow)
			go func() {
				if conn, err := guarded.Accept(); err == nil {
					conn.Write([]byte("hello"))
					conn.Close()
				}
			}()
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			got, _ := io.ReadAll(conn)
			if (string(got) == "hello") != c.want {
				t.Errorf("read %q", got)
			}
		})
	}
}
