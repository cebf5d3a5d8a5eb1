package descriptor

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Of returns the descriptor of something that stays open meanwhile; -1 when it is closed. Unlike os.File.Fd it does not make it wait:
// other processes, or a listener of ours, may share it.
func Of(c syscall.Conn) int {
	at := -1
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { at = int(fd) }) // fails for what is closed: then at stays, ignoring
	}
	return at
}

// Below returns what lies below the wrappings of a connection, each of which says what it is around by NetConn, as tls.Conn does; nil
// when there is no descriptor, or the connection is closed.
func Below(c net.Conn) syscall.RawConn {
	for {
		switch below := c.(type) {
		case syscall.Conn:
			raw, err := below.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }:
			c = below.NetConn()
		default:
			return nil
		}
	}
}

// Peer returns who is at the other end of a Unix socket (SO_PEERCRED): for a connection that we made, the process that called listen(2),
// whatever path led there; for one that we accepted, the one that called connect(2). ok is false for other kinds of connection.
func Peer(c net.Conn) (who unix.Ucred, ok bool) {
	sock, isUnix := c.(*net.UnixConn)
	if !isUnix {
		return who, false
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return who, false
	}
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who, ok = *cred, true
		}
	})
	return who, ok && err == nil
}
