package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jupyterhubd/proxy/strict"
)

// upload is a request's body on its way up. It goes beside the wait for the answer, because an upstream may answer before it has
// read everything ("413, too large"), and goes on while the answer is passed on.
type upload struct {
	ex     *exchange
	limit  time.Duration // for the answer to begin, once everything is sent; 0: none
	asked  chan struct{} // closed when the upstream wants the body
	ask    func()
	ended  chan struct{} // closed when nothing more is sent
	whole  bool          // everything was sent; to be read once ended is closed
	last   atomic.Bool   // nothing more is read of the client
	leave  context.CancelFunc
	gone   context.Context // done when nobody wants the body any more
	mu     sync.Mutex      // guards answered, and the deadline that goes with it
	answer bool            // the answer has begun
}

// startUpload begins to send the body. The client's own connection becomes one on which both sides talk at once.
func (ex *exchange) startUpload(limit time.Duration) *upload {
	_ = http.NewResponseController(ex.w).EnableFullDuplex() // HTTP/2 always does
	u := &upload{ex: ex, limit: limit, asked: make(chan struct{}), ended: make(chan struct{})}
	u.ask = sync.OnceFunc(func() { close(u.asked) })
	u.gone, u.leave = context.WithCancel(ex.ps.in.Context())
	expects := strings.EqualFold(ex.ps.in.Header.Get("Expect"), "100-continue")
	go u.run(ex.link, expects)
	return u
}

func (u *upload) run(l *link, expects bool) {
	defer close(u.ended)
	if expects && !u.await() {
		return
	}
	err := u.send(l)
	switch {
	case err == nil:
		u.whole = true
		u.expectAnswer(l)
	case errors.Is(err, errStuck): // an upstream that does not listen may have answered
	default:
		if errors.Is(err, strict.ErrBody) {
			u.ex.ps.malformed.Store(true)
		}
		l.conn.Close() // half a body is none
	}
}

// await waits until the upstream wants the body, or has said nothing for a moment, and reports whether to send it.
func (u *upload) await() bool {
	moment := time.NewTimer(continueWait)
	defer moment.Stop()
	select {
	case <-u.asked:
		return u.gone.Err() == nil
	case <-moment.C:
		return true
	case <-u.gone.Done():
		return false
	}
}

// errStuck is a failure to write to the upstream.
var errStuck = errors.New("the upstream takes nothing more")

// chunkRoom is what a chunk's size and line ends take at most.
const chunkRoom = 8

// send copies the body, in chunks where its length is not known.
func (u *upload) send(l *link) error {
	in, buf := u.ex.ps.in, u.ex.bodies.get(bodyBuffer)
	defer u.ex.bodies.put(buf)
	held := u.hold()
	defer held.end()
	chunked := u.ex.ps.chunked()
	room, sent := (*buf)[chunkRoom:len(*buf)-2], int64(0)
	for {
		turn := u.ex.ps.turn()
		n, err := in.Body.Read(room)
		if sent += int64(n); err == io.EOF || sent == in.ContentLength {
			u.last.Store(true)
		}
		if n > 0 {
			u.ex.use()
			held.moved()
			piece := room[:n]
			if chunked {
				piece = frameChunk(*buf, n)
			}
			if _, err := l.conn.Write(piece); err != nil {
				return errors.Join(errStuck, err)
			}
		}
		turn.end()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if !chunked {
		return nil
	}
	if _, err := l.conn.Write(u.ex.ps.appendEnd((*buf)[:0])); err != nil {
		return errors.Join(errStuck, err)
	}
	return nil
}

// frameChunk puts a chunk's size in front of the n bytes that begin at chunkRoom, and a line's end behind them.
func frameChunk(buf []byte, n int) []byte {
	const digits = "0123456789abcdef"
	copy(buf[chunkRoom+n:], "\r\n")
	at := chunkRoom - 2
	copy(buf[at:], "\r\n")
	for left := n; left > 0; left >>= 4 {
		at--
		buf[at] = digits[left&15]
	}
	return buf[at : chunkRoom+n+2]
}

// expectAnswer lets the upstream take only so long from now on.
func (u *upload) expectAnswer(l *link) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit > 0 && !u.answer {
		l.conn.SetReadDeadline(time.Now().Add(u.limit))
	}
}

// heard takes in what the upstream has said so far. An answer before the body was asked for means that it is not wanted.
func (u *upload) heard(status int) {
	if status == http.StatusContinue {
		u.ask()
		return
	}
	if status >= 200 {
		u.mu.Lock()
		u.answer = true
		u.mu.Unlock()
	}
}

// isWhole reports whether everything was sent. An answer may be quicker than the word of it.
func (u *upload) isWhole() bool {
	if u.last.Load() {
		moment := time.NewTimer(continueWait)
		defer moment.Stop()
		select {
		case <-u.ended:
		case <-moment.C: // a last piece that the upstream does not want
		}
	}
	select {
	case <-u.ended:
		return u.whole
	default:
		return false
	}
}

// cancel ends the upload and waits for its end: nobody may read a request's body once it is answered. The client's connection
// cannot carry another request then.
func (u *upload) cancel() {
	u.leave()
	control, again := http.NewResponseController(u.ex.w), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-u.ended:
			return
		default:
		}
		_ = control.SetReadDeadline(time.Unix(1, 0)) // wakes a read that waits for the client
		select {
		case <-u.ended:
			return
		case <-again.C: // it may just have set a deadline of its own
		}
	}
}
