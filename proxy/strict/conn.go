package strict

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// ErrBody is what reading a request's body returns when its chunks are not well-formed.
var ErrBody = errors.New("malformed chunked body")

// refusal stands in for the rest of a refused head. It spoils the line under way, so that it is not the empty one, and adds
// one that is no field, which net/http answers with 400 wherever it comes, before it looks at any field.
const refusal = "\x00\r\n\x00\r\n\r\n"

// Limits of Close after a refusal: a client that is still sending shall see the answer and not a reset (RFC 9112 9.6).
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// Conn is a server's side of an HTTP/1 connection. Like net/http it expects one reader at a time.
type Conn struct {
	net.Conn
	scan    scanner
	stand   string // what is left of the refusal to be read
	err     error  // what Read returns after stand, once set
	raw     atomic.Bool
	refused atomic.Bool
	closed  atomic.Bool
}

// Wrap returns c with every request on it checked.
func Wrap(c net.Conn) *Conn { return &Conn{Conn: c} }

// Read reads what the client sent, up to the first byte that is refused.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.stand) > 0 {
		n := copy(p, c.stand)
		c.stand = c.stand[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	good, bad := c.scan.feed(p[:n])
	if c.scan.state == raw {
		c.raw.Store(true)
	}
	if bad == nil {
		return n, err
	}
	c.refuse(bad)
	if good == 0 {
		return c.Read(p)
	}
	return good, nil
}

func (c *Conn) refuse(bad error) {
	c.refused.Store(true)
	if bad == ErrBody {
		c.err = ErrBody
		return
	}
	c.stand, c.err = refusal, io.EOF
}

// Raw reports whether a WebSocket handshake was read: what follows it is not looked at, so the connection can carry no
// further request.
func (c *Conn) Raw() bool { return c.raw.Load() }

// CloseWrite tells the client that no more comes.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Close closes the connection, after a refusal slowly.
func (c *Conn) Close() error {
	if c.refused.Load() && c.closed.CompareAndSwap(false, true) {
		linger(c.Conn)
	}
	return c.Conn.Close()
}
