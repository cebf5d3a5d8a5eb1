package httpd

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd keeps the number of a door's connections bounded. When one more comes than there is room for, the one that has
// waited longest for its client to say something gives way: between two requests, in the middle of a head, in the middle of
// a body. So whoever opens connections and sits on them, or says a byte now and then, as every local user can at
// 127.0.0.1:8081 and every browser through the proxy, keeps nobody else out. A request that was heard to its end stays until
// it is answered.
type crowd struct {
	max     int
	now     func() time.Time
	open    prometheus.Gauge
	evicted prometheus.Counter

	mu    sync.Mutex // guards the maps
	since map[net.Conn]time.Time
	busy  map[net.Conn]bool // a request was heard and is not answered yet
}

func newCrowd(l Limits, now func() time.Time) *crowd {
	open, evicted := l.Meters.at(l.Door)
	return &crowd{max: l.Connections, now: now, open: open, evicted: evicted, since: map[net.Conn]time.Time{}, busy: map[net.Conn]bool{}}
}

// watch is the server's ConnState.
func (c *crowd) watch(conn net.Conn, state http.ConnState) {
	if gone := c.note(conn, state); gone != nil {
		gone.Close()
	}
}

// note takes down the new state and returns a connection that must go, or nil.
func (c *crowd) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.open.Set(float64(len(c.since))) }()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.since, conn)
		delete(c.busy, conn)
		return nil
	}
	c.since[conn] = c.now()
	if state != http.StateNew || len(c.since) <= c.max {
		return nil
	}
	return c.longestWaiting(conn)
}

// longestWaiting picks who gives way to conn; if all others are busy, conn itself. The caller holds mu.
func (c *crowd) longestWaiting(conn net.Conn) net.Conn {
	oldest := conn
	for other, since := range c.since {
		if !c.busy[other] && since.Before(c.since[oldest]) {
			oldest = other
		}
	}
	delete(c.since, oldest)
	c.evicted.Inc()
	return oldest
}

// work notes that a connection's request was heard, or answered.
func (c *crowd) work(conn net.Conn, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy {
		c.busy[conn] = true
	} else {
		delete(c.busy, conn)
	}
}

// attended tells the crowd which connections have a request that was heard.
func (c *crowd) attended(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, ok := r.Context().Value(connKey{}).(net.Conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		defer c.work(conn, false)
		if r.ContentLength == 0 {
			c.work(conn, true)
		} else {
			r.Body = &heard{r.Body, r.ContentLength, func() { c.work(conn, true) }}
		}
		next.ServeHTTP(w, r)
	})
}

// heard is a body that says when it has come to its end.
type heard struct {
	io.ReadCloser
	left int64 // bytes to come; negative when nobody said how many
	end  func()
}

func (b *heard) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	before := b.left
	b.left -= int64(n)
	if err != nil || before > 0 && b.left == 0 {
		b.end()
	}
	return n, err
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
