package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// timedConn closes itself when nothing passes for a while, in either direction. It is there for configurable-http-proxy's
// --timeout alone: the proxy's own rule is that a connection may be quiet (D13).
type timedConn struct {
	net.Conn
	limit time.Duration
	timer *time.Timer
	calm  atomic.Bool // the limit does not hold any more
}

func timed(c net.Conn, limit time.Duration) net.Conn {
	if limit <= 0 {
		return c
	}
	return &timedConn{Conn: c, limit: limit, timer: time.AfterFunc(limit, func() { c.Close() })}
}

func (c *timedConn) passed(n int) {
	if n > 0 && !c.calm.Load() {
		c.timer.Reset(c.limit)
	}
}

func (c *timedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.passed(n)
	return n, err
}

func (c *timedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.passed(n)
	return n, err
}

func (c *timedConn) Close() error {
	c.calm.Store(true)
	c.timer.Stop()
	return c.Conn.Close()
}

// CloseWrite tells the client that no more comes.
func (c *timedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// detach makes the connection a tunnel's.
func (c *timedConn) detach() (*socket, error) {
	below, ok := c.Conn.(detachable)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be one side of a tunnel", c.Conn)
	}
	return below.detach()
}

// NetConn returns the connection below.
func (c *timedConn) NetConn() net.Conn { return c.Conn }

// untime lets a connection be quiet from now on, whatever it is wrapped in: WebSockets may.
func untime(c net.Conn) {
	for {
		if t, ok := c.(*timedConn); ok {
			t.calm.Store(true)
			t.timer.Stop()
			return
		}
		above, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		c = above.NetConn()
	}
}

// patientBody is a request's body that is given up when nothing more of it comes. There is no limit on all of it: slow uploads
// take what they take.
type patientBody struct {
	io.ReadCloser
	pause   time.Duration // for the next byte
	conn    *http.ResponseController
	stalled *atomic.Bool
}

// patient puts a limit on pauses in a request's body. A connection that cannot have one, as in tests, goes without.
func (ps *passage) patient(w http.ResponseWriter, pause time.Duration) {
	if ps.in.Body == nil || ps.in.Body == http.NoBody {
		return
	}
	ps.in = ps.in.WithContext(ps.in.Context()) // net/http looks at its own body once more at the end
	ps.in.Body = &patientBody{ps.in.Body, pause, http.NewResponseController(w), &ps.stalled}
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(time.Now().Add(b.pause))
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.stalled.Store(true)
	} else if err != nil { // the body is whole, and the connection may be quiet until it is answered
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
