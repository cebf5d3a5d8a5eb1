package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Dial connects from the host to an address in the bed: network "tcp" with an IP address and port, or "unix" with a path.
// The peer sees uid 0.
func (b *Bed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		var d net.Dialer
		return d.DialContext(ctx, network, b.Path(address))
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The thread stays locked and ends with this goroutine: it is in the bed's network for good. The dialer makes its
		// socket on this very thread, as long as it has one address to try and nothing to look up.
		runtime.LockOSThread()
		conn, err := b.dialInside(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func (b *Bed) dialInside(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		return nil, fmt.Errorf("dial %s in the bed: not an IP address", address)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", b.boots.leader))
	if err != nil {
		return nil, fmt.Errorf("find the bed's network: %w", err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the bed's network: %w", err)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Transport returns an HTTP transport whose connections all go into the bed.
func (b *Bed) Transport() *http.Transport { return &http.Transport{DialContext: b.Dial} }

// Forward listens on the host and leads each connection to an address in the bed, until ctx ends. It returns when it
// listens; the address has the port that was chosen, where none was given.
func (b *Bed) Forward(ctx context.Context, outside, inside string) (net.Addr, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", outside)
	if err != nil {
		return nil, fmt.Errorf("listen on the host: %w", err)
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go b.forward(ctx, c, inside)
			}
		}
	}()
	return l.Addr(), nil
}

func (b *Bed) forward(ctx context.Context, outer net.Conn, inside string) {
	defer outer.Close()
	inner, err := b.Dial(ctx, "tcp", inside)
	if err != nil {
		return // the browser sees a connection that closes, as it would without a hub
	}
	defer inner.Close()
	stop := context.AfterFunc(ctx, func() { inner.Close(); outer.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pipe(outer, inner) })
	both.Go(func() { pipe(inner, outer) })
	both.Wait()
}

// pipe copies one direction and hands its end on. How it ended is the two sides' business.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}
