package strict

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// response is the http.ResponseWriter of one request. Differing from net/http's it guesses no Content-Type, and an answer whose
// length nobody says is chunked however short it is.
type response struct {
	c      *conn
	r      *http.Request
	body   *requestBody // nil when there is none
	header http.Header

	mu       sync.Mutex // guards what is written: a body's reader may write 100
	out      []byte     // not written to the connection yet
	err      error      // of the connection, once it has failed
	status   int        // 0 while there is no head
	length   int64      // Chunked, UntilClose, or the bytes that are still to come
	bodiless bool       // no body is sent, whatever is written
	closing  bool       // the connection ends with this answer
	duplex   bool       // the request's body is read while the answer is written
	hijacked bool
	timed    bool // a deadline was set
	reason   string
	pause    time.Duration // of the connection, after this answer
}

// outBuffer is what is written at once; larger pieces go out as they come. outRoom is for a chunk's frame around them.
const (
	outBuffer = 16 << 10
	outRoom   = 32
)

func (w *response) Header() http.Header { return w.header }

// WriteHeader begins the answer, or passes a word before it on (1xx).
func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if status/100 == 1 && status != http.StatusSwitchingProtocols && w.status == 0 {
		if w.r.ProtoMinor > 0 {
			w.out = appendStatus(w.out, status, "")
			w.out = append(w.appendHeader(w.out), "\r\n"...)
			w.flush()
		}
		return
	}
	w.begin(status)
}

// begin writes the head. The caller holds mu.
func (w *response) begin(status int) {
	if w.status != 0 || w.hijacked {
		return
	}
	w.status = status
	w.closing = w.closing || w.r.ProtoMinor == 0 || w.c.server.isClosing() || has(w.header["Connection"], "close") || !w.duplex && !w.bodyDone()
	w.length = w.declared()
	w.bodiless = w.r.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified || status/100 == 1
	if status == http.StatusNoContent {
		delete(w.header, "Content-Length") // RFC 9110 8.6
	}
	w.out = appendStatus(w.out, status, w.reason)
	w.out = w.appendHeader(w.out)
	if w.header["Date"] == nil {
		w.out = append(time.Now().UTC().AppendFormat(append(w.out, "Date: "...), http.TimeFormat), "\r\n"...)
	}
	if !w.bodiless && w.length < 0 {
		if w.length = Chunked; w.r.ProtoMinor == 0 {
			w.length = UntilClose
		} else {
			w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
		}
	}
	if w.closing {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// Pause leaves the connection unread for a while after this answer.
func (w *response) Pause(d time.Duration) { w.pause = d }

// declared returns the length that the header says.
func (w *response) declared() int64 {
	if values := w.header["Content-Length"]; len(values) == 1 {
		if n, ok := parseLength(values[0]); ok {
			return n
		}
	}
	delete(w.header, "Content-Length")
	return UntilClose
}

// bodyDone reports whether the request's body is read, or here, so that it can be passed over.
func (w *response) bodyDone() bool {
	if w.body == nil || w.body.isWhole() {
		return true
	}
	sized, ok := w.body.from.(*sizedBody)
	if !ok || sized.left > int64(w.c.br.Buffered()) {
		return false
	}
	_, err := io.Copy(io.Discard, w.body)
	return err == nil
}

// SetReason says in which words the status comes, which HTTP/2 has not.
func (w *response) SetReason(reason string) { w.reason = reason }

func appendStatus(b []byte, status int, reason string) []byte {
	if reason == "" {
		reason = http.StatusText(status)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	return append(append(append(b, ' '), reason...), "\r\n"...)
}

func (w *response) appendHeader(b []byte) []byte {
	for name, values := range w.header {
		if name == "Connection" || name == "Transfer-Encoding" || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	if !isValue(value) {
		value = strings.Map(func(c rune) rune {
			if c < ' ' || c == 0x7f {
				return ' '
			}
			return c
		}, value)
	}
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
}

func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	w.begin(http.StatusOK)
	switch {
	case w.bodiless && w.r.Method != http.MethodHead && len(p) > 0:
		return 0, http.ErrBodyNotAllowed
	case w.bodiless || len(p) == 0:
	case w.length == Chunked:
		w.out = append(strconv.AppendUint(w.out, uint64(len(p)), 16), "\r\n"...)
		w.put(p)
		w.out = append(w.out, "\r\n"...)
	case w.length == UntilClose:
		w.put(p)
	case int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	default:
		w.length -= int64(len(p))
		w.put(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// put adds bytes to what goes out, past the buffer where they would not fit.
func (w *response) put(p []byte) {
	if len(w.out)+len(p) > cap(w.out)-outRoom {
		w.flush()
	}
	if len(p) > cap(w.out)-outRoom {
		w.send(p)
		return
	}
	w.out = append(w.out, p...)
}

// borrow takes a buffer, which the connection does not need while it waits for a request.
func (w *response) borrow() {
	if p, ok := w.c.server.buffers.Get().(*[]byte); ok {
		w.out = *p
		return
	}
	w.out = make([]byte, 0, outBuffer)
}

func (w *response) giveBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if out := w.out[:0]; cap(out) <= 4*outBuffer {
		w.c.server.buffers.Put(&out)
	}
	w.out = nil
}

// Splicer is a connection that is nothing but a TCP connection, so that the kernel can fill it from another.
type Splicer interface {
	net.Conn
	TCP() (*net.TCPConn, bool)
}

// ReadFrom copies a piece of a body whose length is known, in the kernel where both sides are plain connections.
func (w *response) ReadFrom(from io.Reader) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(http.StatusOK)
	if w.flush(); w.err != nil {
		return 0, w.err
	}
	if w.bodiless || w.hijacked || w.length < 0 {
		return 0, http.ErrContentLength
	}
	to := io.Writer(w.c.net)
	if bare, ok := w.c.net.(Splicer); ok {
		if tcp, ok := bare.TCP(); ok {
			to = tcp
		}
	}
	piece, ok := from.(*io.LimitedReader)
	if !ok || piece.N > w.length {
		piece = &io.LimitedReader{R: from, N: w.length}
	}
	w.c.offer()
	defer w.c.taken()
	n, err := io.Copy(to, piece)
	w.length -= n
	return n, err
}

func (w *response) flush() {
	w.send(w.out)
	w.out = w.out[:0]
}

func (w *response) send(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	w.c.offer()
	defer w.c.taken()
	_, w.err = w.c.net.Write(p)
}

// FlushError sends what was written.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return http.ErrHijacked
	}
	w.begin(http.StatusOK)
	w.flush()
	return w.err
}

// Flush is FlushError for who does not want to know.
func (w *response) Flush() { _ = w.FlushError() }

// Hijack gives the connection away, with what was read of it.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	w.flush()
	if w.err != nil {
		return nil, nil, w.err
	}
	w.hijacked = true
	w.c.server.release(w.c)
	return w.c.net, bufio.NewReadWriter(w.c.br, bufio.NewWriterSize(w.c.net, 16)), nil
}

// SetReadDeadline limits reading the body.
func (w *response) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	w.timed = w.timed || !t.IsZero()
	w.mu.Unlock()
	return w.c.net.SetReadDeadline(t)
}

// SetWriteDeadline limits writing the answer.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	w.timed = w.timed || !t.IsZero()
	w.mu.Unlock()
	return w.c.net.SetWriteDeadline(t)
}

// EnableFullDuplex keeps the answer's beginning from caring for the body.
func (w *response) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// proceed tells a client that waits for it that its body is wanted.
func (w *response) proceed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 && !w.hijacked {
		w.out = append(w.out, "HTTP/1.1 100 Continue\r\n\r\n"...)
		w.flush()
	}
}

// errShort is the end of a handler that wrote less than it said.
var errShort = errors.New("the answer is shorter than it says")

// finish ends the answer and reports whether the connection can carry another request.
func (w *response) finish() (persists bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return false
	}
	w.begin(http.StatusOK)
	switch {
	case w.bodiless:
	case w.length == Chunked:
		w.out = append(w.appendTrailers(append(w.out, "0\r\n"...)), "\r\n"...)
	case w.length > 0 && w.err == nil:
		w.err = errShort
	}
	w.flush()
	return w.err == nil && !w.closing && w.bodyDone()
}

// appendTrailers writes the fields that were announced in Trailer, or have net/http's prefix.
func (w *response) appendTrailers(b []byte) []byte {
	for name, values := range w.header {
		plain, prefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if !prefixed && (w.header["Trailer"] == nil || !has(w.header["Trailer"], name)) {
			continue
		}
		for _, v := range values {
			b = appendField(b, plain, v)
		}
	}
	return b
}

// has reports whether a header that is a list has an item.
func has(lines []string, wanted string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(trim(item), wanted) {
				return true
			}
		}
	}
	return false
}

// refuse answers what is no request, or cannot be served. The rest of what the client sends is nobody's.
func refuse(c net.Conn, status int, fields ...string) {
	var b bytes.Buffer
	b.Write(appendStatus(nil, status, ""))
	for _, line := range fields {
		b.WriteString(line + "\r\n")
	}
	text := strconv.Itoa(status) + " " + http.StatusText(status)
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text)
	c.SetWriteDeadline(time.Now().Add(lingerTime))
	if _, err := c.Write(b.Bytes()); err == nil {
		linger(c)
	}
}
