package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// maxConnections bounds what is relayed at once; more wait to be accepted.
const maxConnections = 2048

// relay leads connections of a Unix socket to a port of 127.0.0.1, as long as a process of the same user listens there. A
// port has no owner that would be asked: whoever is first has it. So after each connection, and before its first byte, the
// kernel's tables say whose program it led to.
type relay struct {
	tables tables
	uid    int
	port   uint16
}

// The pauses between looks at who listens: nothing tells of it.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 200 * time.Millisecond
)

// await returns once the port is the user's, or a stranger's: then with errStranger.
func (r relay) await(ctx context.Context) error {
	pause := firstLook
	for {
		who, err := r.tables.ownerOf(r.port, r.uid)
		switch {
		case err != nil || who == own:
			return err
		case who == stranger:
			return errStranger
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, lastLook)
	}
}

// serve accepts until ctx ends, and returns when every connection has.
func (r relay) serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	turns := make(chan struct{}, maxConnections)
	for {
		turns <- struct{}{}
		near, err := l.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		all.Go(func() {
			defer func() { <-turns }()
			if err := r.lead(ctx, near.(*net.UnixConn)); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "jupyterhub-exec: a connection was not relayed: %v\n", err)
			}
		})
	}
}

// lead relays one connection until both directions have ended.
func (r relay) lead(ctx context.Context, near *net.UnixConn) error {
	defer near.Close()
	far, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	back := make(chan struct{})
	go func() {
		defer close(back)
		pour(near, far)
	}()
	pour(far, near)
	<-back
	return nil
}

// end is one end of a connection that can say it has no more to say.
type end interface {
	net.Conn
	CloseWrite() error
	CloseRead() error
}

// pour copies until from has no more, and passes that on; when to takes no more, from is told. The kernel moves the bytes
// (splice(2)), and what one side does not take stays in the other's.
func pour(to, from end) {
	switch t := to.(type) {
	case *net.TCPConn:
		_, _ = t.ReadFrom(from) // ends with the connection, ignoring
	case *net.UnixConn:
		_, _ = from.(*net.TCPConn).WriteTo(t)
	}
	_ = to.CloseWrite()  // the other end may have gone already, ignoring
	_ = from.CloseRead() // likewise
}

// looks is how often a connection is looked for in a table that changes while it is read.
const looks = 3

// dial connects to the port and makes sure that it led to the user's own program.
func (r relay) dial(ctx context.Context) (*net.TCPConn, error) {
	to := netip.AddrPortFrom(loopback, r.port)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp4", to.String())
	if err != nil {
		return nil, err
	}
	far := conn.(*net.TCPConn)
	local := far.LocalAddr().(*net.TCPAddr).AddrPort()
	for look := 1; ; look++ {
		err = r.own(netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), to)
		if err == nil {
			return far, nil
		}
		if !errors.Is(err, errAbsent) || look == looks {
			far.Close()
			return nil, err
		}
	}
}

var errStranger = errors.New("the port belongs to another user's program; restart the server to get another one")

// own returns nil if the other end of a connection is the user's. One that nobody has accepted belongs to whoever listens,
// and goes away with the listener: so who listens is looked at last.
func (r relay) own(local, remote netip.AddrPort) error {
	who, err := r.tables.far(local, remote, r.uid)
	if err != nil || who == own {
		return err
	}
	if who == nobody {
		if who, err = r.tables.ownerOf(r.port, r.uid); err != nil || who == own {
			return err
		}
	}
	return errStranger
}
