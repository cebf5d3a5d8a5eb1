package httpd

import (
	"net"

	"jupyterhubd/hub/varlink"
)

// OnlyPeers returns a listener that closes every connection of a Unix socket whose peer's uid (SO_PEERCRED) is not allowed,
// before a byte of it is read. The socket's mode says the same; this holds when somebody changes the mode.
func OnlyPeers(l net.Listener, allow func(uid uint32) bool) net.Listener { return peersOnly{l, allow} }

type peersOnly struct {
	net.Listener
	allow func(uint32) bool
}

func (l peersOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.allow(varlink.PeerOf(conn).UID) {
			return conn, err
		}
		conn.Close()
	}
}
