package proxy

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"jupyterhubd/proxy/strict"
)

// forwarder carries one request to its upstream and the answer back. It is all that knows httputil: another way of carrying
// them takes its place.
type forwarder struct {
	buffers buffers
	fail    func(w http.ResponseWriter, ps *passage, err error) // answers when the upstream did not
	done    func(status int)                                    // counts answers
	touch   func(*upstream)
	quiet   *log.Logger // for what net/http would log by itself: broken connections, which strangers make at will
}

// carry streams the request up and the answer down. What the client aborts is aborted upstream, and an upstream that dies in
// the middle of its answer breaks the client's connection, so that no half answer looks whole (D18).
func (f *forwarder) carry(w http.ResponseWriter, ps *passage) {
	up := ps.route.up
	proxy := httputil.ReverseProxy{
		Transport:     up.transport,
		BufferPool:    &f.buffers,
		FlushInterval: flushWithin,
		ErrorLog:      f.quiet,
		Rewrite: func(pr *httputil.ProxyRequest) {
			removeHops(pr.Out.Header) // the transport adds its own; an offered upgrade that is no WebSocket ends here (D7)
			ps.prepare(pr.Out)
			if pr.Out.Body != nil {
				pr.Out.Body = watched{pr.Out.Body, func() { f.touch(up) }, &ps.malformed}
			}
		},
		ModifyResponse: func(answer *http.Response) error { return f.answered(w, ps, answer) },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			f.fail(w, ps, err)
		},
	}
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if c, ok := got.Conn.(*upstreamConn); ok {
			c.begin()
		}
	}}
	proxy.ServeHTTP(w, ps.in.WithContext(httptrace.WithClientTrace(ps.in.Context(), trace)))
}

// flushWithin is how long the head of an answer of known length, or a piece of its body, may wait for more to go out with it. Event
// streams and answers of unknown length are passed on piece by piece without it (D14). At once would cost every small answer a
// third write, from another goroutine.
const flushWithin = 2 * time.Millisecond

// errSwitched is an upstream's 101 to a request that offered no upgrade.
var errSwitched = errors.New("the upstream switched protocols without being asked")

// answered looks at an answer's head before it goes down.
func (f *forwarder) answered(w http.ResponseWriter, ps *passage, answer *http.Response) error {
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return errSwitched
	}
	f.done(answer.StatusCode)
	removeHops(answer.Header)
	ps.manners.rewrite(answer, ps)
	ps.route.jar.filterAnswer(answer.Header)
	if answer.Header["Content-Type"] == nil {
		w.Header()["Content-Type"] = nil // net/http shall not guess one (D21)
	}
	if answer.StatusCode < 300 {
		f.touch(ps.route.up)
		answer.Body = watched{answer.Body, func() { f.touch(ps.route.up) }, &ps.malformed}
	}
	return nil
}

// watched is a body that says when bytes pass, and when they turn out to be no body.
type watched struct {
	io.ReadCloser
	seen      func()
	malformed *atomic.Bool
}

func (b watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.seen()
	}
	if errors.Is(err, strict.ErrBody) {
		b.malformed.Store(true)
	}
	return n, err
}

// buffers are what bodies pass through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
