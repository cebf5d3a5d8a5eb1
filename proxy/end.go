package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"jupyterhubd/proxy/strict"
)

// end is one side of a tunnel.
type end struct {
	tunnel *tunnel
	conn   io.ReadWriter // the socket, or the TLS over it
	sock   *socket       // below conn
	whole  net.Conn      // with all that counts it; what is closed
	key    uint64        // at the loop

	inward   frames  // what came from here
	over     bool    // nothing more is taken from here
	finished bool    // nothing more goes there
	held     holding // while something is stuck that was to go there
}

// detachable is a connection with something above the socket that has to stay: it counts, or it encrypts.
type detachable interface {
	net.Conn
	detach() (*socket, error)
}

// newEnd takes a connection out of the runtime's hands. The guard of its requests is not needed any more.
func newEnd(t *tunnel, c net.Conn) (*end, error) {
	if guard, ok := c.(*strict.Conn); ok {
		c = guard.NetConn()
	}
	below := c
	secure, isTLS := c.(*tls.Conn)
	if isTLS {
		below = secure.NetConn()
	}
	base, ok := below.(detachable)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be one side of a tunnel", below)
	}
	sock, err := base.detach()
	if err != nil {
		return nil, err
	}
	e := &end{tunnel: t, conn: sock, sock: sock, whole: c}
	if isTLS {
		e.conn = secure
	}
	return e, nil
}

// plain reports whether the descriptor is all that there is to the connection.
func (e *end) plain() bool { return e.conn == io.ReadWriter(e.sock) }

// finish says that no more comes.
func (e *end) finish() error {
	e.finished = true
	if secure, ok := e.conn.(*tls.Conn); ok {
		if err := secure.CloseWrite(); err != nil {
			return err
		}
	}
	return e.sock.CloseWrite()
}

// Events that mean that reading may find something, if only the end.
const readable = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// happened is the loop's word of what happened to the end, with a buffer that is free meanwhile. Ends that have more to do than
// is fair are named to again.
func (e *end) happened(what uint32, buf []byte, again func(*end)) {
	t := e.tunnel
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.weigh()
	if what&unix.EPOLLOUT != 0 && !t.gone && len(e.sock.stuck) > 0 {
		free, err := e.sock.flush()
		switch {
		case err != nil:
			t.cannotReach(e)
		case free && e.finished:
			t.soon(e)
		case free && t.pass(e.other(), buf, true):
			again(e.other())
		}
	}
	if what&readable != 0 && !t.gone && t.pass(e, buf, what&(readable&^unix.EPOLLIN) != 0) {
		again(e)
	}
}

func (e *end) other() *end {
	if e == e.tunnel.client {
		return e.tunnel.server
	}
	return e.tunnel.client
}

// nothingYet reports whether a read failed only because there is nothing to read.
func nothingYet(err error) bool {
	var busy busyError
	return errors.As(err, &busy)
}
