package strict

import (
	"bufio"
	"io"
	"net/http"
)

// Answer is the head of an upstream's answer.
type Answer struct {
	Status int
	Reason string // as it came
	Minor  int    // of HTTP/1.x
	Header http.Header
	// Length is what the head says of the body's length: chunked (Chunked), until the connection ends (UntilClose), or bytes. It
	// says nothing for answers that have none whatever their head says: to HEAD, 1xx, 204, 304.
	Length int64
}

// Lengths of bodies that no number tells.
const (
	Chunked    = -1
	UntilClose = -2
)

// ReadAnswer reads the head of an answer, of at most limit bytes, and its fields into h, as strictly as requests' are read: what one program would
// take for one answer and another for two must not reach a client. io.EOF means that nothing came.
func ReadAnswer(br *bufio.Reader, limit int, h http.Header) (Answer, error) {
	head, err := readHead(br, limit, ErrAnswer, nil)
	if err != nil {
		return Answer{}, err
	}
	a, rest, ok := statusLine(head)
	if !ok {
		return Answer{}, ErrAnswer
	}
	var f fields
	a.Header = h
	if !f.parse(rest, a.Header) || f.lengths > 1 || f.codings > 1 || f.codings > 0 && (f.lengths > 0 || a.Minor == 0) {
		return Answer{}, ErrAnswer
	}
	switch {
	case f.codings > 0:
		a.Length = Chunked
	case f.lengths > 0:
		a.Length = f.length
	default:
		a.Length = UntilClose
	}
	return a, nil
}

// statusLine reads "HTTP/1.1 200 OK" and its end. The reason may be empty, and the space before it missing, as many write it.
func statusLine(head string) (a Answer, rest string, ok bool) {
	const shortest = len("HTTP/1.1 200\r\n")
	if len(head) < shortest || head[:7] != protocol || head[7] != '0' && head[7] != '1' || head[8] != ' ' {
		return a, "", false
	}
	a.Minor = int(head[7] - '0')
	for _, c := range []byte(head[9:12]) {
		if c < '0' || c > '9' {
			return a, "", false
		}
		a.Status = a.Status*10 + int(c-'0')
	}
	rest = head[12:]
	for i := range len(rest) {
		if rest[i] != '\n' {
			continue
		}
		if a.Reason, rest = rest[:i-1], rest[i+1:]; a.Reason != "" && a.Reason[0] != ' ' {
			return a, "", false
		}
		a.Reason = trim(a.Reason)
		return a, rest, a.Status >= 100 && isValue(a.Reason)
	}
	return a, "", false
}

// Chunks reads a chunked body. At its end the trailers are in Trailer; what follows stays in the reader.
type Chunks struct {
	R       *bufio.Reader
	Trailer http.Header // nil unless there are any
	scan    scanner
	begun   bool
	err     error
}

// Ready reports whether the next Read returns without waiting for the connection.
func (c *Chunks) Ready() bool {
	for c.framing() && c.R.Buffered() > 0 {
		c.step()
	}
	switch {
	case c.err != nil:
		return true
	case c.trailing():
		b, _ := c.R.Peek(c.R.Buffered())
		end, ok := findEnd(b, 0)
		return end > 0 || !ok
	}
	return c.R.Buffered() > 0
}

// Read returns ErrBody when the chunks are not well-formed, and io.ErrUnexpectedEOF when the connection ends too soon.
func (c *Chunks) Read(p []byte) (int, error) {
	for c.framing() {
		c.step()
	}
	if c.err == nil && c.trailing() {
		c.err = c.readTrailer()
	}
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.R.Read(p[:min(int64(len(p)), c.scan.left)])
	c.scan.skip(n)
	c.err = unexpected(err)
	return n, c.err
}

// framing reports whether the next byte is one between chunks.
func (c *Chunks) framing() bool {
	if !c.begun {
		c.scan.state, c.begun = chunkSize, true
	}
	return c.err == nil && c.scan.state != chunkData && !c.trailing()
}

func (c *Chunks) trailing() bool { return c.scan.state == lineStart }

func (c *Chunks) step() {
	b, err := c.R.ReadByte()
	if err == nil {
		err = c.scan.chunk(b)
	}
	c.err = unexpected(err)
}

// maxTrailer is the length of all trailers.
const maxTrailer = 16 << 10

func (c *Chunks) readTrailer() error {
	var f fields
	h := http.Header{}
	lines, err := readHead(c.R, maxTrailer, ErrBody, nil)
	if err != nil {
		return unexpected(err)
	}
	if !f.parse(lines, h) {
		return ErrBody
	}
	if len(h) > 0 {
		c.Trailer = h
	}
	return io.EOF
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
