package varlink

import (
	"net"

	"golang.org/x/sys/unix"
)

// Cred is who is at the other end of a Unix socket when the connection was made (SO_PEERCRED).
type Cred struct {
	PID int32
	UID uint32
	GID uint32
}

// nobody is the peer of a connection that has no credentials. Its uid is the kernel's "invalid", which nobody has.
func nobody() Cred { return Cred{PID: -1, UID: ^uint32(0), GID: ^uint32(0)} }

// PeerOf asks the kernel who is at the other end of c.
func PeerOf(c net.Conn) Cred {
	sock, ok := c.(*net.UnixConn)
	if !ok {
		return nobody()
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return nobody()
	}
	cred := nobody()
	err = raw.Control(func(fd uintptr) {
		if u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			cred = Cred{PID: u.Pid, UID: u.Uid, GID: u.Gid}
		}
	})
	if err != nil {
		return nobody()
	}
	return cred
}
