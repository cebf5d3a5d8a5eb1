package proxy

import (
	"fmt"
	"net"
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
