package strict

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ErrRequest is what reading a request returns that is none, or could be read in two ways.
var ErrRequest = errors.New("malformed request")

// ReadRequest reads a request's head, of at most limit bytes, into r, whose Header it fills, and makes its body one that is read
// from br. r.URL is left alone: who needs the target has the RequestURI. io.EOF means that nothing came.
func ReadRequest(br *bufio.Reader, limit int, r *http.Request) error {
	_, err := readRequest(br, limit, r, nil)
	return err
}

// readRequest is ReadRequest, and returns the head's size. wait, which may be nil, hears of heads that are not all there yet.
func readRequest(br *bufio.Reader, limit int, r *http.Request, wait func(kept int)) (size int, err error) {
	head, err := readHead(br, limit, ErrRequest, wait)
	if err != nil {
		return 0, err
	}
	fields, ok := requestLine(head, r)
	if !ok {
		return 0, ErrRequest
	}
	var f fieldsOfRequest
	if !f.parse(fields, r.Header) || !f.agree(r.ProtoMinor == 0) || !setHost(r) {
		return 0, ErrRequest
	}
	f.setBody(br, r)
	return len(head), nil
}

// setBody makes the body what the fields say.
func (f *fieldsOfRequest) setBody(br *bufio.Reader, r *http.Request) {
	switch {
	case f.codings > 0:
		delete(r.Header, "Transfer-Encoding")
		r.TransferEncoding, r.ContentLength, r.Trailer = chunkedCoding, -1, announced(r.Header)
		r.Body = &requestBody{from: &Chunks{R: br}, trailer: r.Trailer}
	case f.length > 0:
		r.ContentLength = f.length
		r.Body = &requestBody{from: &sizedBody{br, f.length}}
	default:
		r.ContentLength, r.Body = 0, http.NoBody
	}
}

// chunkedCoding is net/http's word for a chunked body.
var chunkedCoding = []string{"chunked"}

// announced takes the names out of Trailer that a request says will follow its body. They have no values yet. Fields that would say
// how long the body is are none of them (RFC 9110 6.5.1).
func announced(h http.Header) http.Header {
	if h["Trailer"] == nil {
		return nil
	}
	names := http.Header{}
	for _, line := range h["Trailer"] {
		for item := range strings.SplitSeq(line, ",") {
			switch name, ok := canonical(trim(item)); {
			case !ok, name == "", name == "Transfer-Encoding", name == "Content-Length", name == "Trailer", name == "Host":
			default:
				names[name] = nil
			}
		}
	}
	delete(h, "Trailer")
	return names
}

// requestLine reads "GET /path HTTP/1.1" and its end.
func requestLine(head string, r *http.Request) (rest string, ok bool) {
	line, rest, _ := strings.Cut(head, "\r\n")
	method, after, _ := strings.Cut(line, " ")
	target, version, ok := strings.Cut(after, " ")
	if !ok || method == "" || target == "" || len(version) != len(protocol)+1 || version[:len(protocol)] != protocol {
		return "", false
	}
	for i := range len(method) {
		if !tokens[method[i]] {
			return "", false
		}
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f {
			return "", false
		}
	}
	r.Method, r.RequestURI, r.ProtoMajor = method, target, 1
	switch version[len(protocol)] {
	case '1':
		r.Proto, r.ProtoMinor = "HTTP/1.1", 1
	case '0':
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	default:
		return "", false
	}
	return rest, true
}

// fieldsOfRequest are a request's.
type fieldsOfRequest struct{ fields }

// agree reports whether the fields leave one reading only of where the request ends.
func (f *fieldsOfRequest) agree(old bool) bool {
	switch {
	case f.hosts > 1 || f.hosts == 0 && !old,
		f.lengths > 1 || f.codings > 1 || f.lengths+f.codings > 1,
		f.codings > 0 && old,
		f.socket && f.lengths+f.codings > 0:
		return false
	}
	return true
}

// setHost takes the host from where RFC 9112 3.3 says it is: the target's authority, if it has one, or Host.
func setHost(r *http.Request) bool {
	if host := r.Header["Host"]; host != nil {
		r.Host = host[0]
		delete(r.Header, "Host")
	}
	target := r.RequestURI
	if target[0] == '/' || r.Method == http.MethodConnect || target == "*" && r.Method == http.MethodOptions {
		return true
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	r.Host = rest[:end]
	return r.Host != "" && isHost(r.Host)
}

// sizedBody is a body whose length is known.
type sizedBody struct {
	r    *bufio.Reader
	left int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, unexpected(err)
}

// requestBody is the body of a request that is served. One goroutine reads it.
type requestBody struct {
	from    io.Reader
	first   func()      // called before the first byte is read; may be nil
	trailer http.Header // the request's, filled in at the end; nil when none is announced
	err     error
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.first != nil {
		b.first()
		b.first = nil
	}
	n, err := b.from.Read(p)
	if !isTimeout(err) {
		b.err = err
	}
	if chunks, ok := b.from.(*Chunks); ok && err == io.EOF {
		b.fill(chunks.Trailer)
	}
	return n, err
}

// fill gives the announced trailers their values. Others are nobody's, as with HTTP/2 in net/http.
func (b *requestBody) fill(came http.Header) {
	for name := range b.trailer {
		b.trailer[name] = came[name]
	}
}

// Close does nothing: whether the rest is read is the server's to decide.
func (b *requestBody) Close() error { return nil }

// isWhole reports whether all of it was read.
func (b *requestBody) isWhole() bool { return b.err == io.EOF }

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
