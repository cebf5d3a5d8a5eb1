package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"jupyterhubd/proxy/strict"
)

// forwarder carries one request to its upstream and the answer back. It speaks HTTP/1.1 to the upstream by itself, over links
// that are kept (see link), in the goroutine that net/http serves the client in; another is there only while a body goes up.
type forwarder struct {
	readers readers
	heads   buffers
	bodies  buffers
	headers headers
	fail    func(w http.ResponseWriter, ps *passage, err error) // answers when the upstream did not
	done    func(status int)                                    // counts answers
	touch   func(*upstream)
	rouse   func(*upstream)
	memory  *budget // for bodies that clients send slowly, or take slowly
}

// carry streams the request up and the answer down. What the client aborts is aborted upstream, and an upstream that dies in
// the middle of its answer breaks the client's connection, so that no half answer looks whole (D18).
func (f *forwarder) carry(w http.ResponseWriter, ps *passage) {
	ex := f.begin(w, ps, false)
	defer ex.end()
	answer, err := ex.ask()
	if err == nil && answer.Status == http.StatusSwitchingProtocols {
		ex.abandon()
		err = errSwitched
	}
	if err != nil {
		f.fail(w, ps, err)
		return
	}
	ex.deliver(answer)
}

// exchange is one request and its answer.
type exchange struct {
	*forwarder
	w       http.ResponseWriter
	ps      *passage
	up      *upstream
	upgrade bool
	link    *link
	stop    func() bool // ends the watch over the client
	upload  *upload     // nil when there is no body
	hinted  bool        // something of an answer was passed on
	header  http.Header // of answers; lent
	held    holding     // while the client takes its time
	drop    func()      // ends the exchange for that; nil for HTTP/1's answers, which are held where they are written
}

func (f *forwarder) begin(w http.ResponseWriter, ps *passage, upgrade bool) *exchange {
	ex := &exchange{forwarder: f, w: w, ps: ps, up: ps.route.up, upgrade: upgrade, header: f.headers.get()}
	if _, ok := w.(strict.Dropper); !ok {
		ex.drop = dropper(w, ps.in)
	}
	return ex
}

// use notes that the upstream is used, unless a page is at it by itself.
func (ex *exchange) use() {
	if !ex.ps.poll {
		ex.touch(ex.up)
	}
}

// end gives back what was lent for all of the exchange.
func (ex *exchange) end() { ex.headers.put(ex.header) }

// Errors of exchanges.
var (
	// errSwitched is an upstream's 101 to a request that offered no upgrade.
	errSwitched = errors.New("the upstream switched protocols without being asked")
	// errUnsent says that the upstream cannot have read the request's head.
	errUnsent = errors.New("the request was not sent")
)

// ask sends the request and returns the head of the answer. A link that waited may turn out to be dead only when it is used:
// then another one is made, if the upstream cannot have seen the request or would not mind seeing it twice (RFC 9112 9.3.1).
//
// A server may be laid to sleep while it is at work on this, and is woken then: by us if the route is marked already when we
// have been counted, else by whoever marks it.
func (ex *exchange) ask() (strict.Answer, error) {
	ex.up.asked.Add(1)
	defer ex.up.asked.Add(-1)
	if ex.ps.poll && ex.up.slumber.isDeep() {
		return strict.Answer{}, errAsleep
	}
	ex.rouse(ex.up)
	head := ex.heads.get(headBuffer)
	defer ex.heads.put(head)
	*head = ex.head((*head)[:0])
	for fresh := false; ; fresh = true {
		l, err := ex.up.take(ex.ps.in.Context(), fresh)
		if err != nil {
			return strict.Answer{}, err
		}
		answer, err := ex.attempt(l, *head)
		if err == nil {
			return answer, nil
		}
		ex.abandon()
		if !l.used || !ex.repeats(err) {
			return answer, err
		}
	}
}

// head writes the head that goes upstream.
func (ex *exchange) head(b []byte) []byte {
	in := ex.ps.in
	out := http.Request{Method: in.Method, Header: ex.headers.get()}
	defer ex.headers.put(out.Header)
	for name, values := range in.Header {
		out.Header[name] = values
	}
	ex.ps.prepare(&out)
	return ex.ps.appendHead(b, &out, ex.upgrade)
}

// repeats reports whether a request that failed over a kept link may be sent again.
func (ex *exchange) repeats(err error) bool {
	if ex.ps.in.Context().Err() != nil || ex.hinted {
		return false
	}
	if errors.Is(err, errUnsent) {
		return true
	}
	nothing := err == io.EOF || errors.Is(err, syscall.ECONNRESET)
	return nothing && ex.upload == nil && isSafe(ex.ps.in.Method)
}

func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// attempt sends the request over a link and waits for the answer's head. What comes before that is passed on.
func (ex *exchange) attempt(l *link, head []byte) (strict.Answer, error) {
	ex.link, l.br = l, ex.readers.get(l.conn)
	ex.stop = context.AfterFunc(ex.ps.in.Context(), func() { l.conn.Close() }) // the client has left
	if _, err := l.conn.Write(head); err != nil {
		return strict.Answer{}, errors.Join(errUnsent, err)
	}
	limit := ex.ps.manners.answerIn(ex.ps.route.isHub())
	if limit > 0 {
		defer l.conn.SetReadDeadline(time.Time{})
	}
	if ex.ps.in.ContentLength != 0 && !ex.upgrade {
		ex.upload = ex.startUpload(limit)
	} else if limit > 0 {
		l.conn.SetReadDeadline(time.Now().Add(limit))
	}
	for {
		clear(ex.header)
		answer, err := strict.ReadAnswer(l.br, maxAnswerHead, ex.header)
		if ex.upload != nil {
			ex.upload.heard(answer.Status)
		}
		if err != nil || answer.Status >= 200 || answer.Status == http.StatusSwitchingProtocols {
			return answer, err
		}
		ex.hint(answer)
	}
}

// hint passes on an answer that comes before the answer, but for 100: net/http says that when the body is asked for, which is
// when the upstream has said it (D15).
func (ex *exchange) hint(answer strict.Answer) {
	ex.hinted = true
	if answer.Status == http.StatusContinue || ex.upgrade {
		return
	}
	removeHops(answer.Header)
	ex.ps.route.jar.filterAnswer(answer.Header)
	h := ex.w.Header()
	for name, values := range answer.Header {
		h[name] = values
	}
	ex.w.WriteHeader(answer.Status)
	for name := range answer.Header {
		delete(h, name)
	}
}

// abandon gives up the link, and takes back what goes over it.
func (ex *exchange) abandon() {
	ex.stop()
	ex.link.conn.Close()
	if ex.upload != nil {
		ex.upload.cancel()
	}
	ex.readers.put(ex.link.br)
	ex.link.br = nil
}

// finish lets the link wait for another request, when nothing of this one is left on it.
func (ex *exchange) finish(answer strict.Answer, persists bool) {
	whole := ex.upload == nil || ex.upload.isWhole()
	if !ex.stop() || !whole || !persists || answer.Minor == 0 || ex.link.br.Buffered() > 0 {
		ex.abandon()
		return
	}
	ex.readers.put(ex.link.br)
	ex.link.br = nil
	ex.up.put(ex.link)
}

// closes reports whether the upstream closes the connection after its answer.
func closes(h http.Header) bool { return h["Connection"] != nil && listHas(h["Connection"], "close") }

// buffers lends memory for a moment.
type buffers struct{ pool sync.Pool }

const (
	headBuffer = 2 << 10
	bodyBuffer = 32 << 10
)

func (b *buffers) get(size int) *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, size)
	return &p
}

// put takes memory back, unless it has grown out of proportion.
func (b *buffers) put(p *[]byte) {
	if p != nil && cap(*p) <= bodyBuffer {
		*p = (*p)[:cap(*p)]
		b.pool.Put(p)
	}
}

// headers lends maps: most of what a request would cost in memory.
type headers struct{ pool sync.Pool }

func (hs *headers) get() http.Header {
	if h, ok := hs.pool.Get().(http.Header); ok {
		return h
	}
	return make(http.Header, 24)
}

// put takes a map back, unless somebody has made it large.
func (hs *headers) put(h http.Header) {
	if len(h) <= 64 {
		clear(h)
		hs.pool.Put(h)
	}
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	if strings.ContainsAny(value, "\r\n\x00") { // HTTP/2 and our own configuration are checked elsewhere; this is the last door
		value = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(value)
	}
	return append(append(b, value...), "\r\n"...)
}

func appendNumber(b []byte, name string, n int64) []byte {
	b = append(append(b, name...), ": "...)
	return append(strconv.AppendInt(b, n, 10), "\r\n"...)
}
