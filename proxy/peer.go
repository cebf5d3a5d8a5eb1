package proxy

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keepalive is when the kernel finds out that the other end of a TCP connection is gone.
type keepalive struct {
	net.KeepAliveConfig
	unacked time.Duration // for sent bytes to be acknowledged
}

// attentive finds out within two minutes.
func attentive() keepalive {
	return keepalive{net.KeepAliveConfig{Enable: true, Idle: keepaliveIdle, Interval: keepaliveEvery, Count: keepaliveTries}, unackedTime}
}

// watch lets the kernel find out: an end that is silent is asked, and sent data has to be acknowledged in time. A WebSocket can be quiet
// for hours, and its client's machine asleep for good.
func (k keepalive) watch(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	// A refusal leaves the kernel's defaults, which find out later.
	_ = tcp.SetKeepAliveConfig(k.KeepAliveConfig)
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(k.unacked.Milliseconds()))
	})
}
