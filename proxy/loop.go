package proxy

import (
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// loop watches the sockets of tunnels. It is one goroutine however many there are, which is there as long as there are any, and
// one buffer that everything passes through. The epoll instance is itself watched by the runtime, so that waiting takes no
// thread.
type loop struct {
	mu      sync.Mutex // guards the fields below
	poll    *os.File   // nil while nothing is watched
	fd      int        // poll's
	watched map[uint64]*end
	last    uint64 // key given; none is given twice, so a late event finds nobody
}

const (
	loopBuffer = 32 << 10
	loopEvents = 128
)

// watch begins to tell e's tunnel what happens to e. What is the case already is told, too.
func (l *loop) watch(e *end) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.poll == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	l.last++
	e.key = l.last
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(e.key), Pad: int32(e.key >> 32)}
	l.watched[e.key] = e
	if err := unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, e.sock.fd, &event); err != nil {
		l.drop(e)
		return fmt.Errorf("watch a connection: %w", err)
	}
	return nil
}

// begin starts the goroutine. The caller holds mu.
func (l *loop) begin() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fmt.Errorf("watch connections: %w", err)
	}
	l.fd, l.poll, l.watched = fd, os.NewFile(uintptr(fd), "epoll"), map[uint64]*end{}
	go l.run(l.poll)
	return nil
}

// forget ends what watch began. It has to come before the descriptor is closed or given away.
func (l *loop) forget(e *end) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watched[e.key] != e {
		return
	}
	// A descriptor whose copy lives on elsewhere would go on being watched.
	_ = unix.EpollCtl(l.fd, unix.EPOLL_CTL_DEL, e.sock.fd, nil)
	l.drop(e)
}

// drop takes e out, and ends the goroutine with the last. The caller holds mu.
func (l *loop) drop(e *end) {
	delete(l.watched, e.key)
	if len(l.watched) == 0 {
		l.poll.Close()
		l.poll, l.watched = nil, nil
	}
}

func (l *loop) find(key uint64) *end {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watched[key]
}

// run tells ends what happens to them until poll is closed. An end that has more to do than is fair has its turn again after
// the others.
func (l *loop) run(poll *os.File) {
	raw, err := poll.SyscallConn()
	if err != nil {
		return // it was closed already
	}
	events, buf := make([]unix.EpollEvent, loopEvents), make([]byte, loopBuffer)
	var late, now []*end
	for {
		n, err := awaitEvents(raw.Read, events, len(late) == 0)
		if err != nil {
			return
		}
		now, late = late, now[:0]
		again := func(e *end) { late = append(late, e) }
		for _, event := range events[:n] {
			if e := l.find(uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32); e != nil {
				e.happened(event.Events, buf, again)
			}
		}
		for _, e := range now {
			e.happened(readable, buf, again)
		}
		clear(now)
	}
}

// awaitEvents returns what has happened, and waits for something to happen if it may.
func awaitEvents(read func(func(uintptr) bool) error, events []unix.EpollEvent, wait bool) (n int, err error) {
	closed := read(func(fd uintptr) bool {
		n, err = unix.EpollWait(int(fd), events, 0)
		if err == unix.EINTR {
			n, err = 0, nil
		}
		return n > 0 || err != nil || !wait
	})
	if closed != nil {
		return 0, net.ErrClosed
	}
	return max(n, 0), err
}
