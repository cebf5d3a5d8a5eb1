package proxy

import (
	"bufio"
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub/descriptor"
)

// link is a connection to an upstream over which one request goes after the other. Nobody watches it while it waits: whether the
// upstream has closed it, or said something unasked, is looked at when it is taken.
type link struct {
	conn    net.Conn
	raw     syscall.RawConn // below conn; nil where it cannot be asked
	br      *bufio.Reader   // nil while the link waits
	used    bool            // a request was answered over it
	waiting time.Time       // since when
}

// answerBuffer is what heads of answers, and their first bytes, are read into.
const answerBuffer = 4 << 10

// readers lends buffers to links while they are used.
type readers struct{ pool sync.Pool }

func (rs *readers) get(c net.Conn) *bufio.Reader {
	if br, ok := rs.pool.Get().(*bufio.Reader); ok {
		br.Reset(c)
		return br
	}
	return bufio.NewReaderSize(c, answerBuffer)
}

func (rs *readers) put(br *bufio.Reader) {
	br.Reset(nil)
	rs.pool.Put(br)
}

// take returns a link: one that waits, if there is one that is good, or a new one. fresh asks for a new one.
func (u *upstream) take(ctx context.Context, fresh bool) (*link, error) {
	for !fresh {
		l := u.pop()
		if l == nil {
			break
		}
		if l.quiet() {
			return l, nil
		}
		l.conn.Close()
	}
	c, err := u.open(ctx)
	if err != nil {
		return nil, err
	}
	return &link{conn: c, raw: descriptor.Below(c)}, nil
}

// pop takes the link that came back last out of those that wait: the others can grow old.
func (u *upstream) pop() *link {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.waiting)
	if n == 0 {
		return nil
	}
	l := u.waiting[n-1]
	u.waiting[n-1] = nil
	u.waiting = u.waiting[:n-1]
	return l
}

// put lets a link wait for the next request. Nothing may be left in its reader.
func (u *upstream) put(l *link) {
	l.used, l.waiting = true, time.Now()
	if !u.push(l) {
		l.conn.Close()
	}
}

func (u *upstream) push(l *link) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended || u.retired || len(u.waiting) >= idlePerRoute {
		return false
	}
	u.waiting = append(u.waiting, l)
	if u.sweeper == nil {
		u.sweeper = time.AfterFunc(idleTime, u.sweep)
	}
	return true
}

// sweep closes the links that have waited for long, and comes again as long as there are others.
func (u *upstream) sweep() {
	now := time.Now()
	u.mu.Lock()
	old := 0
	for old < len(u.waiting) && now.Sub(u.waiting[old].waiting) >= idleTime/2 {
		old++
	}
	closing := u.waiting[:old:old]
	u.waiting = append([]*link(nil), u.waiting[old:]...)
	if u.sweeper = nil; len(u.waiting) > 0 {
		u.sweeper = time.AfterFunc(idleTime/2, u.sweep)
	}
	u.mu.Unlock()
	for _, l := range closing {
		l.conn.Close()
	}
}

// closeWaiting closes the links that wait, and lets no other wait.
func (u *upstream) closeWaiting() {
	u.mu.Lock()
	closing := u.waiting
	u.waiting, u.retired = nil, true
	if u.sweeper != nil {
		u.sweeper.Stop()
		u.sweeper = nil
	}
	u.mu.Unlock()
	for _, l := range closing {
		l.conn.Close()
	}
}

// quiet reports whether the upstream has neither closed the link nor said anything since its last answer. Bytes that nobody asked
// for would be read as the answer to the next request.
func (l *link) quiet() bool {
	if l.raw == nil {
		return false
	}
	quiet := false
	err := l.raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}, 0)
		quiet = n == 0 && err == nil
	})
	return err == nil && quiet
}

// plain returns what lies below the counting of a connection that is not encrypted; nil for others.
func (l *link) plain() net.Conn {
	if c, ok := l.conn.(*upstreamConn); ok {
		return c.Conn
	}
	return nil
}
