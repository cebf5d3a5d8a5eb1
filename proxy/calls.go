package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
	"jupyterhubd/hub/descriptor"
)

// calls lets calls of the API wait while the table goes to another proxy, and passes them on to it from then on: whoever
// keeps a connection to this one does not find out.
type calls struct {
	mu   sync.RWMutex
	next http.Handler // guarded by mu; nil: they are answered here
}

// serve answers a call, here or by the heir. The table stands still while it is being copied, so what only looks never waits.
func (c *calls) serve(w http.ResponseWriter, r *http.Request, here func()) {
	if r.Method != http.MethodGet {
		// Read before the turn is taken: a slow client must hold nobody up.
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			refuse(w, hub.Errorf(hub.Invalid, "the body ends in the middle"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	}
	c.mu.RLock()
	next := c.next
	if next == nil && r.Method != http.MethodGet {
		defer c.mu.RUnlock()
		here()
		return
	}
	c.mu.RUnlock()
	if next == nil {
		here()
		return
	}
	w.Header()["Connection"] = []string{"close"}
	next.ServeHTTP(w, r)
}

// freeze lets every change wait until thaw is called, once those under way are done.
func (c *calls) freeze(moment time.Duration) error {
	frozen := make(chan struct{})
	go func() {
		c.mu.Lock()
		close(frozen)
	}()
	late := time.NewTimer(moment)
	defer late.Stop()
	select {
	case <-frozen:
		return nil
	case <-late.C:
		go func() {
			<-frozen
			c.mu.Unlock()
		}()
		return hub.Errorf(hub.Unavailable, "a call of the API does not end; try again")
	}
}

// thaw ends freeze. From here on next answers, nil for this proxy.
func (c *calls) thaw(next http.Handler) {
	c.next = next
	c.mu.Unlock()
}

// caller is a connection to the API whose other end is a proxy that asked who is there already.
type caller struct{ net.Conn }

// passOn sends calls on over a wire, each by a connection of its own.
func passOn(l *wire) http.Handler {
	dial := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs, err := pair(unix.SOCK_STREAM)
		if err != nil {
			return nil, err
		}
		defer ours.Close() // net.FileConn makes a copy
		defer theirs.Close()
		if err := l.send(message{Do: doCaller}, descriptor.Of(theirs)); err != nil {
			return nil, err
		}
		return net.FileConn(ours)
	}
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			path, query := splitTarget(r.In.RequestURI)
			r.Out.URL = &url.URL{Scheme: "http", Host: "heir", Opaque: path, RawQuery: query}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, hub.Errorf(hub.Unavailable, "the proxy that follows this one does not answer: %w", err))
		},
	}
}

// serveCallers serves what elders pass on, until ctx ends.
func (p *Proxy) serveCallers(ctx context.Context, server *http.Server) {
	stop := context.AfterFunc(ctx, func() { p.callers.Close() })
	defer stop()
	// It ends with its listener; those who ask over it have their own patience.
	_ = server.Serve(p.callers)
}

// nowhere is the address of what came over a wire.
var nowhere net.Addr = &net.UnixAddr{Net: "unix"}

func newCallers() *side { return newSide(nowhere) }

// owner is the uid that a wire's other end has to have, beside root's.
func owner() int64 { return int64(os.Geteuid()) }
