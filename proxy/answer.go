package proxy

import (
	"bufio"
	"io"
	"net/http"

	"jupyterhubd/proxy/strict"
)

// deliver passes an answer on to the client, and lets go of the link.
func (ex *exchange) deliver(answer strict.Answer) {
	ex.forwarder.done(answer.Status)
	persists := !closes(answer.Header)
	trailers := announced(answer.Header)
	ex.passHead(answer, trailers)
	if answer.Status < 300 {
		ex.use()
	}
	body := ex.body(answer)
	if body == nil {
		ex.finish(answer, persists)
		return
	}
	if !ex.passBody(body, answer.Status < 300) {
		ex.abandon()
		panic(http.ErrAbortHandler) // no half answer looks whole
	}
	if body.chunks != nil {
		passTrailers(ex.w.Header(), body.chunks.Trailer, trailers)
	}
	ex.finish(answer, persists && answer.Length != strict.UntilClose)
}

// passHead writes the head of the answer, without what concerns one connection or is not the server's to say.
func (ex *exchange) passHead(answer strict.Answer, trailers []string) {
	removeHops(answer.Header)
	ex.ps.route.jar.filterAnswer(answer.Header)
	ex.ps.takeBack(answer.Header)
	ex.ps.manners.rewrite(&http.Response{StatusCode: answer.Status, Header: answer.Header}, ex.ps)
	h := ex.w.Header()
	for name, values := range answer.Header {
		h[name] = values
	}
	if answer.Header["Content-Type"] == nil {
		h["Content-Type"] = nil // net/http shall not guess one (D21)
	}
	if len(trailers) > 0 && answer.Length == strict.Chunked {
		h["Trailer"] = trailers
	}
	if w, ok := ex.w.(interface{ SetReason(string) }); ok {
		w.SetReason(answer.Reason)
	}
	if ex.upgrade {
		h["Connection"] = []string{"close"} // what follows a refused handshake is not looked at
	}
	ex.w.WriteHeader(answer.Status)
}

// body is what follows an answer's head.
type body struct {
	io.Reader
	left   *io.LimitedReader // of a body whose length is known
	chunks *strict.Chunks    // of one that comes in chunks
}

// body returns the answer's body, or nil when it has none (RFC 9112 6.3).
func (ex *exchange) body(answer strict.Answer) *body {
	br := ex.link.br
	switch {
	case ex.ps.in.Method == http.MethodHead || answer.Status == http.StatusNoContent || answer.Status == http.StatusNotModified || answer.Length == 0:
		return nil
	case answer.Length == strict.Chunked:
		chunks := &strict.Chunks{R: br}
		return &body{Reader: chunks, chunks: chunks}
	case answer.Length == strict.UntilClose:
		return &body{Reader: br}
	}
	left := &io.LimitedReader{R: br, N: answer.Length}
	return &body{Reader: left, left: left}
}

// isWhole reports whether all of a body whose length is known was read.
func (b *body) isWhole() bool { return b.left != nil && b.left.N == 0 }

// isReady reports whether something of it can be read without waiting.
func (b *body) isReady(br *bufio.Reader) bool {
	if b.chunks != nil {
		return b.chunks.Ready()
	}
	return br.Buffered() > 0
}

// passBody copies the body and reports whether all of it is there and was taken. What the client was given goes out before
// anything is waited for, so nothing that the upstream has said stays here (D14).
func (ex *exchange) passBody(from *body, counts bool) bool {
	buf := ex.bodies.get(bodyBuffer)
	defer func() { ex.bodies.put(buf) }()
	control := http.NewResponseController(ex.w)
	for first := true; ; first = false {
		if ex.canSplice(from) {
			ex.bodies.put(buf)
			buf = nil
			return ex.splice(from, counts)
		}
		if !from.isReady(ex.link.br) && ex.flush(control) != nil {
			return false
		}
		var turn turn
		if !first { // that piece has the request's
			turn = ex.ps.turn()
		}
		n, err := from.Read(*buf)
		if n > 0 {
			if counts && !first {
				ex.use()
			}
			if ex.write((*buf)[:n]) != nil {
				return false // with its turn, which is over soon
			}
		}
		turn.end()
		switch {
		case from.isWhole():
			return true
		case err == io.EOF:
			return from.left == nil
		case err != nil:
			return false
		}
	}
}

// The kernel copies a body of which so much is left, in pieces after each of which the upstream was active. They are small when many
// of one owner's are copied: eight large ones would keep everybody else waiting.
const (
	spliceFrom  = 64 << 10
	splicePiece = 2 << 20
	smallPiece  = 256 << 10
)

// canSplice reports whether the rest of a body can go from one socket to the other. Only HTTP/1's writer takes it so.
func (ex *exchange) canSplice(from *body) bool {
	_, ok := ex.w.(io.ReaderFrom)
	return ok && from.left != nil && from.left.N >= spliceFrom && ex.link.br.Buffered() == 0 && ex.link.plain() != nil
}

func (ex *exchange) splice(from *body, counts bool) bool {
	to, plain := ex.w.(io.ReaderFrom), ex.link.plain()
	for from.left.N > 0 {
		turn, piece := ex.ps.turn(), int64(splicePiece)
		if turn.waited {
			piece = smallPiece
		}
		n, err := to.ReadFrom(&io.LimitedReader{R: plain, N: min(from.left.N, piece)})
		turn.end()
		if from.left.N -= n; err != nil || n == 0 {
			return false
		}
		if counts {
			ex.use()
		}
	}
	return true
}
