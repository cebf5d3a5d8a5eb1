package strict

import (
	"errors"
	"strings"
)

// errHead is the only thing that is said about a bad head: net/http writes the answer.
var errHead = errors.New("malformed request head")

// Limits.
const (
	maxLines  = 1000 // field lines of one head or of one body's trailers
	maxDigits = 15   // of a Content-Length or a chunk's size: below 2^63
	maxExt    = 256  // bytes of a chunk's extensions
	maxName   = 17   // len("transfer-encoding"), the longest name that matters
	maxValue  = 512  // of a field that matters; a Host has 255 bytes and a port
)

// state is what the next byte belongs to.
type state uint8

const (
	method    state = iota // first, so that the zero scanner begins with a request
	target                 // of the request
	version                // HTTP/1.x
	lineEnd                // LF of the request line or of a field line
	lineStart              // first byte of a field line, or CR of the empty one
	name                   // of a field
	value                  // of a field
	headEnd                // LF of the empty line
	sized                  // body with a Content-Length
	chunkSize              // hexadecimal digits
	chunkExt               // after ";"
	sizeEnd                // LF of a chunk's first line
	chunkData              // a chunk's bytes
	chunkCR                // CR after them
	chunkLF                // LF after them
	raw                    // tunnel: nothing is looked at
)

// scanner follows requests byte by byte. It keeps the little of a head that decides where its body ends.
type scanner struct {
	state    state
	trailers bool  // the field lines are a chunked body's
	left     int64 // bytes of the body or chunk to come
	count    int   // of bytes or digits, in the state at hand
	lines    int   // field lines so far

	nameLen int // may be more than maxName
	nameBuf [maxName]byte
	keep    bool   // the value is one that matters
	val     []byte // the value so far

	http10  bool
	hosts   int
	lengths int
	length  int64
	codings int
	socket  bool // Upgrade: websocket
}

// feed looks at the next bytes and returns how many of them are good; fewer than all come with the reason.
func (s *scanner) feed(b []byte) (int, error) {
	for i := 0; i < len(b); {
		switch s.state {
		case raw:
			return len(b), nil
		case sized, chunkData:
			i += s.skip(len(b) - i)
		default:
			if err := s.step(b[i]); err != nil {
				return i, err
			}
			i++
		}
	}
	return len(b), nil
}

// skip passes over at most n bytes of a body.
func (s *scanner) skip(n int) int {
	n = int(min(int64(n), s.left))
	s.left -= int64(n)
	if s.left == 0 {
		if s.state == sized {
			*s = scanner{val: s.val[:0]}
		} else {
			s.state = chunkCR
		}
	}
	return n
}

// step looks at one byte.
func (s *scanner) step(c byte) error {
	if s.state <= version {
		return s.requestLine(c)
	}
	if s.state <= headEnd {
		return s.field(c)
	}
	return s.chunk(c)
}

const protocol = "HTTP/1."

func (s *scanner) requestLine(c byte) error {
	switch {
	case s.state == method && isToken(c):
		s.count++
	case s.state == method && c == ' ' && s.count > 0:
		s.state, s.count = target, 0
	case s.state == target && (c > ' ' && c != 0x7f):
		s.count++
	case s.state == target && c == ' ' && s.count > 0:
		s.state, s.count = version, 0
	case s.state == version && s.count < len(protocol) && c == protocol[s.count]:
		s.count++
	case s.state == version && s.count == len(protocol) && (c == '0' || c == '1'):
		s.http10 = c == '0'
		s.count++
	case s.state == version && s.count > len(protocol) && c == '\r':
		s.state = lineEnd
	default:
		return errHead
	}
	return nil
}

func (s *scanner) field(c byte) error {
	switch {
	case s.state == lineEnd && c == '\n':
		s.state = lineStart
	case s.state == lineStart && c == '\r':
		s.state = headEnd
	case s.state == lineStart && isToken(c):
		if s.lines++; s.lines > maxLines {
			return s.bad()
		}
		s.state, s.nameLen = name, 0
		s.addName(c)
	case s.state == name && isToken(c):
		s.addName(c)
	case s.state == name && c == ':':
		s.state, s.val, s.keep = value, s.val[:0], s.matters()
	case s.state == value && c == '\r':
		s.state = lineEnd
		return s.fieldDone()
	case s.state == value && isText(c):
		return s.addValue(c)
	case s.state == headEnd && c == '\n':
		return s.headDone()
	default:
		return s.bad()
	}
	return nil
}

// bad is the error of a field line: the head's, or its body's when the lines are trailers.
func (s *scanner) bad() error {
	if s.trailers {
		return ErrBody
	}
	return errHead
}

func (s *scanner) addName(c byte) {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	if s.nameLen < maxName {
		s.nameBuf[s.nameLen] = c
	}
	s.nameLen++
}

// matters reports whether the field says something about where the request ends or what follows it.
func (s *scanner) matters() bool {
	if s.trailers || s.nameLen > maxName {
		return false
	}
	switch string(s.nameBuf[:s.nameLen]) {
	case "host", "content-length", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func (s *scanner) addValue(c byte) error {
	if !s.keep {
		return nil
	}
	if len(s.val) == maxValue {
		return errHead
	}
	s.val = append(s.val, c)
	return nil
}

// fieldDone takes in a field that matters.
func (s *scanner) fieldDone() error {
	if !s.keep {
		return nil
	}
	v := strings.Trim(string(s.val), " \t")
	ok := true
	switch string(s.nameBuf[:s.nameLen]) {
	case "host":
		s.hosts++
		ok = isHost(v)
	case "content-length":
		s.lengths++
		s.length, ok = parseLength(v)
	case "transfer-encoding":
		s.codings++
		ok = strings.EqualFold(v, "chunked")
	case "upgrade":
		s.socket = s.socket || strings.Contains(strings.ToLower(v), "websocket")
	}
	if !ok {
		return errHead
	}
	return nil
}

// headDone is called with the last byte of a head, or of a body's trailers, before that byte is passed on.
func (s *scanner) headDone() error {
	switch {
	case s.trailers:
		*s = scanner{val: s.val[:0]}
		return nil
	case s.hosts > 1 || s.hosts == 0 && !s.http10:
		return errHead
	case s.lengths > 1 || s.codings > 1 || s.lengths+s.codings > 1:
		return errHead
	case s.codings > 0 && s.http10:
		return errHead
	case s.socket && s.lengths+s.codings > 0:
		return errHead
	}
	next := scanner{val: s.val[:0]}
	switch {
	case s.socket:
		next.state = raw
	case s.codings > 0:
		next.state = chunkSize
	case s.length > 0:
		next.state, next.left = sized, s.length
	}
	*s = next
	return nil
}

func (s *scanner) chunk(c byte) error {
	digit, isDigit := hexDigit(c)
	switch {
	case s.state == chunkSize && isDigit && s.count < maxDigits:
		s.left, s.count = s.left<<4|int64(digit), s.count+1
	case s.state == chunkSize && c == ';' && s.count > 0:
		s.state, s.count = chunkExt, 0
	case s.state == chunkExt && isText(c) && s.count < maxExt:
		s.count++
	case (s.state == chunkSize && s.count > 0 || s.state == chunkExt) && c == '\r':
		s.state = sizeEnd
	case s.state == sizeEnd && c == '\n' && s.left > 0:
		s.state = chunkData
	case s.state == sizeEnd && c == '\n':
		s.state, s.trailers = lineStart, true
	case s.state == chunkCR && c == '\r':
		s.state = chunkLF
	case s.state == chunkLF && c == '\n':
		s.state, s.count = chunkSize, 0
	default:
		return ErrBody
	}
	return nil
}

// parseLength reads a Content-Length: digits and nothing else.
func parseLength(v string) (int64, bool) {
	if v == "" || len(v) > maxDigits {
		return 0, false
	}
	var n int64
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(v[i]-'0')
	}
	return n, true
}

// isHost reports whether a Host field can be the name or address and port of a host (RFC 3986 3.2.2; no user, no path).
func isHost(v string) bool {
	for i := range len(v) {
		c := v[i]
		if !isAlnum(c) && strings.IndexByte("-._~:[]%", c) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isToken reports whether c may stand in a method or a field's name (RFC 9110 5.6.2).
func isToken(c byte) bool {
	return isAlnum(c) || c != 0 && c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isText reports whether c may stand in a field's value (RFC 9110 5.5).
func isText(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }

func hexDigit(c byte) (int, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0'), true
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}
