package varlink

import (
	"net"

	"jupyterhubd/hub/descriptor"
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
	who, ok := descriptor.Peer(c)
	if !ok {
		return nobody()
	}
	return Cred{PID: who.Pid, UID: who.Uid, GID: who.Gid}
}
