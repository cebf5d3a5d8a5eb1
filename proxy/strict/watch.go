package strict

import (
	"errors"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub/descriptor"
)

// watch hears from the kernel when a client closes its side, while nobody reads from it. It is one goroutine for all
// connections, there as long as there are any, and costs a request nothing. A client that has closed its side has left: net/http
// takes it so, and configurable-http-proxy.
type watch struct {
	mu    sync.Mutex // guards the fields below
	poll  *os.File   // nil while there is none; leaving is then seen by the writes that fail
	fd    int        // poll's
	conns map[uint64]*conn
	last  uint64
}

// begin makes the goroutine. The caller holds mu.
func (w *watch) begin() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime watches it in turn, so that waiting takes no thread
		unix.Close(fd)
		return err
	}
	w.fd, w.poll, w.conns = fd, os.NewFile(uintptr(fd), "epoll"), map[uint64]*conn{}
	go w.run(w.poll)
	return nil
}

func (w *watch) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.poll == nil && w.begin() != nil {
		return
	}
	w.last++
	c.key = w.last
	if w.look(c, unix.EPOLL_CTL_ADD, whileServed) != nil {
		c.key = 0 // it has no descriptor, as in tests
		w.end()
		return
	}
	w.conns[c.key] = c
}

// remove ends the goroutine with the last connection.
func (w *watch) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.key == 0 || w.conns[c.key] != c {
		return
	}
	delete(w.conns, c.key)
	_ = control(c.net, func(fd int) error { return unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, fd, nil) }) // in vain when it is closed
	w.end()
}

// end ends the goroutine when nothing is watched. The caller holds mu.
func (w *watch) end() {
	if len(w.conns) == 0 {
		w.poll.Close()
		w.poll = nil
	}
}

func (w *watch) run(poll *os.File) {
	raw, err := poll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 64)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			got, err := unix.EpollWait(int(fd), events, 0)
			n = max(got, 0)
			return n > 0 || err != nil && err != unix.EINTR
		})
		if err != nil {
			return
		}
		for _, event := range events[:n] {
			w.happened(uint64(uint32(event.Fd))|uint64(uint32(event.Pad))<<32, event.Events)
		}
	}
}

func (w *watch) happened(key uint64, events uint32) {
	w.mu.Lock()
	c := w.conns[key]
	leaves := c != nil && c.paused // nothing else is looked for
	w.mu.Unlock()
	switch {
	case c == nil:
	case leaves:
		c.wake()
	case !w.unpark(c) && events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		c.cancel()
	}
}

// control calls f with the descriptor below a connection.
func control(c net.Conn, f func(fd int) error) error {
	raw := descriptor.Below(c)
	if raw == nil {
		return errNoDescriptor
	}
	failed := error(nil)
	err := raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	return errors.Join(err, failed)
}
