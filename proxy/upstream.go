package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/descriptor"
)

// Limits of the connections to one upstream.
const (
	dialTimeout   = 10 * time.Second      // a machine that is there answers sooner
	dialPause     = 10 * time.Millisecond // between two tries at a socket whose queue is full
	idlePerRoute  = 64                    // connections kept for the next request
	idleTime      = 90 * time.Second      // far below tornado's 3600 s, so that we close first
	hubTimeout    = 60 * time.Second      // for the hub to begin an answer; user servers may take their time
	maxAnswerHead = 256 << 10             // bytes; tornado's own limit is 64 KiB
	continueWait  = 1 * time.Second       // for an upstream's 100 Continue, as curl waits

	tellAgain = 10 * time.Second // between two lines in the log about one upstream

	keepaliveIdle  = 30 * time.Second // of silence before the kernel asks whether the other end is there
	keepaliveEvery = 10 * time.Second
	keepaliveTries = 6
	unackedTime    = 90 * time.Second // for sent bytes to be acknowledged
)

// errEnded is what a request gets that found its route just before the route went.
var errEnded = errors.New("the route is gone")

// strangerError says that somebody else listens where a route leads: the owner of a directory can put a symbolic link to
// another's socket into it.
type strangerError struct{ want, got int64 }

func (e *strangerError) Error() string {
	return fmt.Sprintf("uid %d listens there, not uid %d", e.got, e.want)
}

// upstream is the program that a route leads to, with every connection that we hold to it. It goes with its route: no
// connection outlives it, so a reused address never gets what was meant for another.
type upstream struct {
	target  target
	uid     int64
	tls     *tls.Config  // for https targets
	active  atomic.Int64 // last activity, nanoseconds
	told    atomic.Int64 // when its absence was last logged, nanoseconds
	slumber slumber
	asked   atomic.Int64 // requests that wait for the head of their answer
	listed  listings

	mu      sync.Mutex // guards the fields below
	conns   map[*upstreamConn]struct{}
	waiting []*link     // for the next request, the last to come back at the end
	sweeper *time.Timer // closes those that have waited for long
	retired bool        // the route is gone: none waits
	ended   bool        // and the grace is over
}

func newUpstream(to target, uid int64, m *Manners) *upstream {
	return &upstream{target: to, uid: uid, tls: m.tlsFor(to), conns: map[*upstreamConn]struct{}{}}
}

// same reports whether a route with that target and uid can go on with u and its connections.
func (u *upstream) same(to target, uid int64) bool {
	a, b := u.target, to
	a.path, a.query, b.path, b.query = "", "", "", ""
	return a == b && u.uid == uid
}

// touch says that the upstream was used just now.
func (u *upstream) touch(now time.Time) { u.active.Store(now.UnixNano()) }

func (u *upstream) lastActivity() time.Time { return time.Unix(0, u.active.Load()).UTC() }

// toldLately reports whether the log has heard of the upstream's absence in the last moments. Whoever asks a server that is
// away, asks often.
func (u *upstream) toldLately(now time.Time) bool {
	last := u.told.Load()
	return now.UnixNano()-last < int64(tellAgain) || !u.told.CompareAndSwap(last, now.UnixNano())
}

// open connects, with TLS where the target wants it.
func (u *upstream) open(ctx context.Context) (net.Conn, error) {
	c, err := u.dial(ctx)
	if err != nil || u.target.scheme != "https" {
		return c, err
	}
	secure := tls.Client(c, u.tls)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// dial connects, and knows who listens before the first byte is sent.
func (u *upstream) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	network := "tcp"
	if u.target.unix {
		network = "unix"
	}
	c, err := connect(ctx, network, u.target.addr)
	if err != nil {
		return nil, err
	}
	attentive().watch(c)
	if err := u.check(c); err != nil {
		c.Close()
		return nil, err
	}
	return u.keep(c)
}

// connect dials. A Unix socket whose queue of connections is full refuses at once (EAGAIN): that is a crowd, not an absence.
func connect(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, network, addr)
		if err == nil || !errors.Is(err, syscall.EAGAIN) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(dialPause):
		}
	}
}

// check compares the one who called listen(2) with the one whom the route is for.
func (u *upstream) check(c net.Conn) error {
	if !u.target.unix || u.uid == hub.NoUID {
		return nil
	}
	who, ok := descriptor.Peer(c)
	if !ok {
		return &strangerError{want: u.uid, got: hub.NoUID}
	}
	if int64(who.Uid) != u.uid {
		return &strangerError{want: u.uid, got: int64(who.Uid)}
	}
	return nil
}

// keep counts a connection among the upstream's.
func (u *upstream) keep(c net.Conn) (net.Conn, error) {
	kept := &upstreamConn{Conn: c, up: u}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		c.Close()
		return nil, errEnded
	}
	u.conns[kept] = struct{}{}
	return kept, nil
}

func (u *upstream) isEnded() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ended
}

// end closes every connection, in use or not, and allows no other.
func (u *upstream) end() {
	u.mu.Lock()
	u.ended = true
	conns := u.conns
	u.conns = nil
	u.mu.Unlock()
	u.closeWaiting()
	for c := range conns {
		c.Conn.Close()
	}
}

// upstreamConn is one connection to an upstream.
type upstreamConn struct {
	net.Conn
	up *upstream
}

// NetConn returns the connection below.
func (c *upstreamConn) NetConn() net.Conn { return c.Conn }

// CloseWrite tells the upstream that no more comes.
func (c *upstreamConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

func (c *upstreamConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

func (c *upstreamConn) leave() {
	c.up.mu.Lock()
	defer c.up.mu.Unlock()
	delete(c.up.conns, c)
}

// detach makes the connection a tunnel's, and a tunnel's owner closes it (see Proxy.retire).
func (c *upstreamConn) detach() (*socket, error) {
	s, err := detach(c.Conn)
	if err != nil {
		return nil, err
	}
	c.leave()
	c.Conn = s
	return s, nil
}
