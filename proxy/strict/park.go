package strict

import (
	"bufio"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A kept connection that nobody uses for a while is parked: its goroutine ends, its buffers go, and the watch hears when the client
// speaks again. Most of what browsers keep open is in this state.

// A connection whose last request was refused for coming too early is parked as well, and not even read from until it is time. Where
// the client has gone on sending, that waits with the kernel.

// Pauser is a ResponseWriter whose connection can be left unread for a while after its answer, so that a client that asks too often
// cannot ask at all. Whether the client leaves is looked for meanwhile.
type Pauser interface{ Pause(time.Duration) }

// resting is how far a connection is on the way to be parked.
type resting struct {
	mu    sync.Mutex // guards the fields below, and the phase from idle to busy
	until time.Time  // when it is closed, if nobody uses it
	told  bool       // its wait is being ended
	over  bool       // it was parked, and nothing has been read since
}

// patience is until when the connection may be waited for now.
func (c *conn) patience() time.Time {
	s, r, now := c.server, &c.resting, time.Now()
	if c.isFresh() {
		return now.Add(s.HeadTime)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return r.until
	}
	r.until = now.Add(s.IdleTime)
	if s.ParkTime > 0 && s.ParkTime < s.IdleTime && c.key != 0 {
		return now.Add(s.ParkTime)
	}
	return r.until
}

// rise makes the connection busy, and reports whether it may be.
func (c *conn) rise() bool {
	r := &c.resting
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told { // the client was a little faster
		c.net.SetReadDeadline(time.Time{})
	}
	r.told, r.over = false, false
	return phase(c.phase.Swap(int32(busy))) != over
}

// rest ends the wait of an idle connection, so that it parks, unless it is time to close it.
func (c *conn) rest(now time.Time) bool {
	r := &c.resting
	r.mu.Lock()
	defer r.mu.Unlock()
	if phase(c.phase.Load()) != idle || !now.Before(r.until) {
		return false
	}
	r.told = true
	c.dueAt(r.until)
	c.net.SetReadDeadline(time.Unix(1, 0))
	return true
}

// park leaves the connection to the watch, if it was told to rest. Nothing of it may be touched afterwards.
func (c *conn) park() bool {
	r := &c.resting
	r.mu.Lock()
	told := r.told
	r.told, r.over = false, true
	r.mu.Unlock()
	if !told {
		return false
	}
	c.net.SetReadDeadline(time.Time{})
	c.br = nil
	return c.server.watch.park(c, whileParked, nil)
}

// pause leaves the connection to the watch and to the alarm.
func (c *conn) pause(d time.Duration) bool {
	if c.br.Buffered() == 0 {
		c.br = nil
	}
	if c.server.watch.park(c, whilePaused, func() { c.paused = true; c.within(d) }) {
		return true
	}
	if c.br == nil {
		c.br = bufio.NewReaderSize(c.net, inBuffer)
	}
	return false
}

// resume has a paused connection served again when it is time, and reports whether it is one.
func (c *conn) resume(now time.Time) bool {
	w := &c.server.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.paused {
		return false
	}
	if c.due.Load() <= now.UnixNano() {
		w.serve(c)
	}
	return true
}

// events that the watch looks for.
const (
	whileServed = unix.EPOLLRDHUP | unix.EPOLLET
	whileParked = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT
	whilePaused = unix.EPOLLRDHUP | unix.EPOLLONESHOT
)

// park has the connection served again at the client's next word, whenever that comes or came. Who wakes it from now on, unparks
// it; who did so before, is seen here. also is done before anybody can wake it.
func (w *watch) park(c *conn, events uint32, also func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if phase(c.phase.Load()) != idle || c.server.isClosing() || c.key == 0 || w.conns[c.key] != c || w.look(c, unix.EPOLL_CTL_MOD, events) != nil {
		return false
	}
	c.parked = true
	if also != nil {
		also()
	}
	return true
}

// unpark has a parked connection served again, and reports whether it was one.
func (w *watch) unpark(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.parked {
		return false
	}
	w.serve(c)
	return true
}

// serve ends a connection's rest. The caller holds mu.
func (w *watch) serve(c *conn) {
	c.parked, c.paused = false, false
	_ = w.look(c, unix.EPOLL_CTL_MOD, whileServed) // fails for what is closed: reading it does, too
	go c.run()
}

// look says what is looked for at a connection.
func (w *watch) look(c *conn, how int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(c.key), Pad: int32(c.key >> 32)}
	return control(c.net, func(fd int) error { return unix.EpollCtl(w.fd, how, fd, &event) })
}
