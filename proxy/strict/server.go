package strict

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves HTTP/1 as net/http's does, for handlers that know only net/http's types: requests are read strictly and once,
// an answer goes out in as few writes as can be, and no goroutine but the connection's own is needed for a request. A client
// that leaves ends the context of its connection, which is that of all its requests.
type Server struct {
	Handler     http.Handler
	Context     context.Context                                 // of all requests, before ConnContext
	ConnContext func(context.Context, net.Conn) context.Context // what a connection leaves in its requests' contexts; may be nil
	Parked      func()                                          // hears of connections that are parked; may be nil
	Panicked    func(value any, stack []byte)                   // hears of handlers that panic; may be nil
	HeadTime    time.Duration                                   // for a request's head, once it has begun
	IdleTime    time.Duration                                   // between two requests
	ParkTime    time.Duration                                   // between two requests, until the connection is parked; 0: never
	MaxHead     int                                             // bytes
	Room        func(c net.Conn, drop func()) Room              // what a connection holds of the memory for slow clients; may be nil

	closing atomic.Bool
	buffers sync.Pool // *[]byte, for answers

	mu    sync.Mutex // guards the fields below
	conns map[*conn]struct{}
	ended chan struct{} // closed when the last connection has ended while closing

	watch watch // for clients that leave
	alarm alarm // for connections that have waited for too long
}

// phase is what a connection does.
type phase int32

const (
	fresh phase = iota // no request has begun yet
	idle               // one was answered, and another may come
	busy
	over // it was closed from outside
)

// conn is one connection.
type conn struct {
	server *Server
	net    net.Conn
	base   *http.Request // that all of its requests are made of
	br     *bufio.Reader // nil while it is parked, but for what was read before it was paused
	phase  atomic.Int32
	due    atomic.Int64 // when it has waited for too long, in Unix nanoseconds; 0: never
	since  time.Time
	cancel context.CancelFunc
	key    uint64 // at the watch; 0: the watch cannot see it
	parked bool   // guarded by the watch's mu, as is paused
	paused bool   // it is parked, and not read from either
	room   Room   // nil: nobody counts
	waits  bool   // something is held there

	dropped atomic.Bool

	resting resting
}

const inBuffer = 4 << 10

// Serve serves one connection until it ends, is given away, or is parked: then it goes on by itself when the client speaks again.
func (s *Server) Serve(nc net.Conn) {
	ctx, cancel := context.WithCancel(s.Context)
	c := &conn{server: s, net: nc, cancel: cancel, since: time.Now()}
	if s.ConnContext != nil {
		ctx = s.ConnContext(ctx, nc)
	}
	if !s.add(c) {
		cancel()
		nc.Close()
		return
	}
	if s.Room != nil {
		c.room = s.Room(nc, c.drop)
	}
	c.base = (&http.Request{URL: &url.URL{}}).WithContext(ctx)
	c.base.RemoteAddr = nc.RemoteAddr().String()
	c.run()
}

// run serves the connection from its beginning, or from where it was parked.
func (c *conn) run() {
	server := c.server
	if c.br == nil {
		c.br = bufio.NewReaderSize(c.net, inBuffer)
	}
	how := closed
	if c.isFresh() || c.base.Context().Err() == nil { // nobody left while it rested
		how = c.serve()
	}
	switch how {
	case closed:
		c.leaveRoom()
		c.cancel()
		c.net.Close()
		c.server.release(c)
	case givenAway:
		c.leaveRoom()
		c.cancel()
	case paused:
	case parked: // somebody else may be serving it already
		if server.Parked != nil {
			server.Parked()
		}
	}
}

// ending is why a connection is not served any more.
type ending int

const (
	closed ending = iota
	givenAway
	parked
	paused
)

// isFresh reports whether nothing was read of it yet. Who has sent a request and closed their side by then, is to be answered.
func (c *conn) isFresh() bool { return phase(c.phase.Load()) == fresh }

// add takes a connection in.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if s.conns == nil {
		s.conns = map[*conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.watch.add(c)
	return true
}

// release forgets a connection, and looks for its client's leaving no more.
func (s *Server) release(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; !ok {
		return
	}
	delete(s.conns, c)
	s.watch.remove(c)
	if len(s.conns) == 0 && s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
}

func (s *Server) isClosing() bool { return s.closing.Load() }

// wake makes whatever the connection waits for fail. Its own goroutine closes it: it may be giving it away just now.
func (c *conn) wake() {
	c.cancel()
	c.net.SetDeadline(time.Unix(1, 0))
	c.server.watch.unpark(c)
}

// Shutdown lets requests under way finish, closes what waits, and returns ctx's error when that takes too long.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	ended := make(chan struct{})
	if s.ended = ended; len(s.conns) == 0 {
		close(ended)
		s.ended = nil
	}
	s.mu.Unlock()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		s.closeWaiting()
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// freshTime is for the first request of a connection that was made just before everything ends.
const freshTime = 5 * time.Second

func (s *Server) closeWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.phase.CompareAndSwap(int32(idle), int32(over)) || time.Since(c.since) > freshTime && c.phase.CompareAndSwap(int32(fresh), int32(over)) {
			c.wake()
		}
	}
}

// Close ends every connection at once.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	for c := range s.conns {
		c.wake()
	}
}

// serve answers requests, each made of a copy of base.
func (c *conn) serve() ending {
	request, answer := make(http.Header, 16), make(http.Header, 16)
	for {
		if !c.await() {
			if c.park() {
				return parked
			}
			if c.dropped.Load() {
				c.refuse(errDropped)
			}
			return closed
		}
		r := new(http.Request)
		*r = *c.base
		r.Header = request
		if err := c.read(r); err != nil {
			c.refuse(err)
			return closed
		}
		w := &response{c: c, r: r, header: answer}
		w.body, _ = r.Body.(*requestBody)
		w.closing = has(r.Header["Connection"], "close")
		w.borrow()
		persists := c.answer(w)
		w.giveBack()
		if w.hijacked {
			return givenAway
		}
		if !persists {
			return closed
		}
		c.leaveRoom()
		if w.timed {
			c.net.SetDeadline(time.Time{})
		}
		clear(request)
		clear(answer)
		if !c.phase.CompareAndSwap(int32(busy), int32(idle)) || c.server.isClosing() {
			return closed
		}
		if w.pause > 0 && c.pause(w.pause) {
			return paused
		}
	}
}

// await waits for the first byte of a request.
func (c *conn) await() bool {
	if c.br.Buffered() == 0 {
		if c.isFresh() {
			c.wait(0)
		}
		c.dueAt(c.patience())
		if _, err := c.br.Peek(1); err != nil {
			return false
		}
	}
	return c.rise()
}

func (c *conn) read(r *http.Request) error {
	c.within(c.server.HeadTime)
	defer c.due.Store(0)
	if b, err := c.br.Peek(1); err != nil || !tokens[b[0]] {
		return ErrRequest
	}
	size, err := readRequest(c.br, c.server.MaxHead, r, c.wait)
	if err == nil {
		c.keep(size)
	}
	return err
}

func (c *conn) refuse(err error) {
	if c.dropped.Load() {
		err = errDropped
	}
	switch err {
	case errDropped:
		refuse(c.net, http.StatusServiceUnavailable, "Retry-After: 5")
	case ErrRequest:
		refuse(c.net, http.StatusBadRequest)
	case ErrTooLarge:
		refuse(c.net, http.StatusRequestHeaderFieldsTooLarge)
	}
}

// answer has one request answered, and reports whether another may follow.
func (c *conn) answer(w *response) (persists bool) {
	if expect := w.r.Header["Expect"]; expect != nil && w.r.ProtoMinor > 0 {
		if !strings.EqualFold(expect[0], "100-continue") {
			refuse(c.net, http.StatusExpectationFailed)
			return false
		}
		if w.body != nil {
			w.body.first = w.proceed
		}
	}
	if !c.handle(w) {
		return false
	}
	if w.finish() {
		return true
	}
	if !w.hijacked && w.err == nil {
		linger(c.net)
	}
	return false
}

// handle calls the handler, and reports whether it came to its end.
func (c *conn) handle(w *response) (whole bool) {
	defer func() {
		if whole {
			return
		}
		if v := recover(); v != http.ErrAbortHandler && c.server.Panicked != nil {
			c.server.Panicked(v, debug.Stack())
		}
		c.abort(w)
	}()
	if w.r.RequestURI == "*" {
		w.header.Set("Content-Length", "0")
		return true
	}
	c.server.Handler.ServeHTTP(w, w.r)
	return true
}

// abort sees to it that an answer that was begun does not look whole where only the connection's end ends it.
func (c *conn) abort(w *response) {
	if w.hijacked || w.status == 0 || w.length != UntilClose || w.bodiless {
		return
	}
	for below := c.net; ; {
		if tcp, ok := below.(*net.TCPConn); ok {
			tcp.SetLinger(0)
			return
		}
		above, ok := below.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		below = above.NetConn()
	}
}

// linger lets a client that is still sending see the answer and not a reset (RFC 9112 9.6).
func linger(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	io.Copy(io.Discard, io.LimitReader(c, lingerBytes)) // whatever comes is nobody's any more
}

// errNoDescriptor is a connection that cannot be watched, as in tests.
var errNoDescriptor = errors.New("no descriptor")
