package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a connection that never waits: it reads what is there, and keeps what the kernel does not take. It is one file
// descriptor that the runtime knows nothing of, and has no buffer while nothing is stuck. Whoever uses it sees to it that only
// one does at a time, and stops filling it while something is stuck in it.
type socket struct {
	fd    int    // -1 once it is closed
	stuck []byte // what was written and not taken
	last  bool   // nothing follows what is stuck
}

// busyError is what a read returns when there is nothing just now. crypto/tls goes on after errors that are temporary.
type busyError struct{}

func (busyError) Error() string   { return "nothing to read" }
func (busyError) Timeout() bool   { return true }
func (busyError) Temporary() bool { return true }

// detach takes the descriptor of a connection away from the runtime, and closes what is left of it.
func detach(c net.Conn) (*socket, error) {
	if s, ok := c.(*socket); ok {
		return s, nil
	}
	held, ok := c.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no descriptor", c)
	}
	raw, err := held.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{fd: -1}
	var failed error
	err = raw.Control(func(fd uintptr) { s.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("take a connection's descriptor: %w", err)
	}
	c.Close() // the descriptor's copy keeps the connection
	return s, nil
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, busyError{}
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write takes everything, and fails only when nothing can follow.
func (s *socket) Write(p []byte) (int, error) {
	rest := p
	if len(s.stuck) == 0 {
		n, err := s.push(p)
		if err != nil {
			return 0, err
		}
		rest = p[n:]
	}
	s.stuck = append(s.stuck, rest...)
	return len(p), nil
}

// push writes as much as the kernel takes.
func (s *socket) push(p []byte) (sent int, err error) {
	for sent < len(p) {
		n, err := unix.Write(s.fd, p[sent:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return sent, nil
		case err != nil:
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// flush tries again to get rid of what is stuck, and reports whether nothing is.
func (s *socket) flush() (bool, error) {
	if len(s.stuck) == 0 {
		return true, nil
	}
	n, err := s.push(s.stuck)
	if s.stuck = s.stuck[n:]; len(s.stuck) > 0 || err != nil {
		return false, err
	}
	s.stuck = nil
	if s.last {
		return true, unix.Shutdown(s.fd, unix.SHUT_WR)
	}
	return true, nil
}

// CloseWrite tells the other end that no more comes, once it has what is stuck.
func (s *socket) CloseWrite() error {
	if len(s.stuck) > 0 {
		s.last = true
		return nil
	}
	return unix.Shutdown(s.fd, unix.SHUT_WR)
}

// Close closes it. What is stuck is lost.
func (s *socket) Close() error {
	fd := s.fd
	s.fd, s.stuck = -1, nil
	return unix.Close(fd)
}

// LocalAddr returns the address of this end, or nil.
func (s *socket) LocalAddr() net.Addr { return addrFrom(unix.Getsockname(s.fd)) }

// RemoteAddr returns the address of the other end, or nil.
func (s *socket) RemoteAddr() net.Addr { return addrFrom(unix.Getpeername(s.fd)) }

func addrFrom(sa unix.Sockaddr, err error) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

// SetDeadline does nothing, as nothing waits.
func (s *socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, as nothing waits.
func (s *socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as nothing waits.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
