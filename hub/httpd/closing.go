package httpd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// How long who is there may stay once a door closes.
const (
	hearing = time.Second            // to say what they came for
	quick   = 100 * time.Millisecond // to be answered undisturbed
	grace   = 5 * time.Second        // in all
)

// errClosing is why a request is told to go while its client is still there.
var errClosing = &hub.Error{Kind: hub.Unavailable, Text: "The hub is being restarted. Try again in a moment.", RetryAfter: time.Second}

// Serve opens one door until ctx ends. Then nobody else comes in, who has come is heard and answered, and whoever waits (for a
// start, for events) is told to go.
//
// http.Server.Shutdown alone would hang up on whoever has come and not been heard yet.
func (h *Hall) Serve(ctx context.Context, listener net.Listener, handler http.Handler, l Limits) error {
	lasting, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	server, fresh := h.server(handler, l), newcomers{here: map[net.Conn]bool{}}
	seen := server.ConnState
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		fresh.note(conn, state)
		seen(conn, state)
	}
	server.BaseContext = func(net.Listener) context.Context { return lasting }
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	if err := server.Serve(listener); stop() {
		return err
	}
	fresh.await(hearing)
	defer time.AfterFunc(quick, func() { end(errClosing) }).Stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(server.Shutdown(last), server.Close())
}

// newcomers are the connections of which no request was heard yet.
type newcomers struct {
	mu   sync.Mutex // guards the fields below
	here map[net.Conn]bool
	none chan struct{} // closed when nobody is here; nil while nobody waits for that
}

func (n *newcomers) note(conn net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state == http.StateNew {
		n.here[conn] = true
		return
	}
	delete(n.here, conn)
	if len(n.here) == 0 && n.none != nil {
		close(n.none)
		n.none = nil
	}
}

// await waits until all were heard or have gone, limit at most.
func (n *newcomers) await(limit time.Duration) {
	n.mu.Lock()
	if len(n.here) == 0 {
		n.mu.Unlock()
		return
	}
	none := make(chan struct{})
	n.none = none
	n.mu.Unlock()
	select {
	case <-none:
	case <-time.After(limit):
	}
}

// gone reports whether an error is only that the request was ended, and whether that was by the door's closing.
func gone(r *http.Request, err error) (gone, closing bool) {
	gone = r.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
	return gone, gone && errors.Is(context.Cause(r.Context()), errClosing)
}
