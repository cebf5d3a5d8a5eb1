package strict

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Errors of heads.
var (
	// ErrTooLarge is what reading a head returns that is longer than allowed.
	ErrTooLarge = errors.New("the head is too large")
	// ErrAnswer is what reading an upstream's answer returns when it is none, or could be read in two ways.
	ErrAnswer = errors.New("malformed answer")
)

// readHead reads up to the empty line that ends a head, which is part of what it returns, and at most limit bytes. A bare LF is
// bad as soon as it is seen: whoever sends one waits for an answer already. io.EOF means that nothing came at all. wait, which may be
// nil, is called before more is waited for, with how many bytes are kept beside the reader's buffer.
func readHead(br *bufio.Reader, limit int, bad error, wait func(kept int)) (string, error) {
	var kept []byte // the head, once it does not fit into the reader's buffer
	for seen := 0; ; {
		b, err := br.Peek(br.Buffered())
		if err != nil {
			return "", err
		}
		all := b
		if kept != nil {
			kept = append(kept, b...)
			all = kept
		}
		end, ok := findEnd(all, seen)
		switch {
		case !ok:
			return "", bad
		case max(end, len(all)) > limit && (end == 0 || end > limit):
			return "", ErrTooLarge
		case end > 0:
			head := string(all[:end])
			_, err := br.Discard(end - (len(all) - len(b)))
			return head, err
		}
		seen = len(all)
		if len(b) == br.Size() && kept == nil {
			kept = append(make([]byte, 0, 2*len(b)), b...)
		}
		if kept != nil {
			br.Discard(len(b))
		}
		if wait != nil {
			wait(cap(kept))
		}
		if _, err := br.Peek(br.Buffered() + 1); err != nil {
			if err == io.EOF && len(kept)+br.Buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
}

// findEnd returns where the head ends, 0 when that is not in b yet; seen bytes were looked at before. It is not ok when there is
// a bare LF.
func findEnd(b []byte, seen int) (end int, ok bool) {
	for {
		n := bytes.IndexByte(b[seen:], '\n')
		if n < 0 {
			return 0, true
		}
		at := seen + n
		switch {
		case at == 0 || b[at-1] != '\r':
			return 0, false
		case at == 1 || b[at-2] == '\n':
			return at + 1, true
		}
		seen = at + 1
	}
}

// fields is what the field lines of a head say about where the message ends.
type fields struct {
	hosts   int
	lengths int
	length  int64
	codings int
	socket  bool // Upgrade: websocket
}

// parse reads field lines, each ended by CRLF, up to the empty one, and puts them into h, whose names are canonical.
func (f *fields) parse(lines string, h http.Header) bool {
	n := strings.Count(lines, "\n") - 1
	if n > maxLines || n < 0 {
		return false
	}
	values := make([]string, n) // one allocation for all
	for i := range n {
		end := strings.IndexByte(lines, '\n')
		line := lines[:end-1]
		lines = lines[end+1:]
		colon := strings.IndexByte(line, ':')
		if colon <= 0 {
			return false
		}
		name, value := line[:colon], trim(line[colon+1:])
		key, ok := canonical(name)
		if !ok || !isValue(value) || !f.add(key, value) {
			return false
		}
		if old := h[key]; old != nil {
			h[key] = append(old, value)
			continue
		}
		values[i] = value
		h[key] = values[i : i+1 : i+1]
	}
	return true
}

// add takes in a field that matters.
func (f *fields) add(key, value string) (ok bool) {
	switch key {
	case "Host":
		f.hosts++
		return len(value) <= maxValue && isHost(value)
	case "Content-Length":
		f.lengths++
		f.length, ok = parseLength(value)
		return ok
	case "Transfer-Encoding":
		f.codings++
		return strings.EqualFold(value, "chunked")
	case "Upgrade":
		f.socket = f.socket || strings.Contains(strings.ToLower(value), "websocket")
	}
	return true
}

// trim removes the white space around a value (RFC 9110 5.6.3).
func trim(v string) string {
	for v != "" && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for v != "" && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

func isValue(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// canonical spells a field's name as net/http does, and reports whether it can be one.
func canonical(name string) (string, bool) {
	upper, changed := true, false
	for i := range len(name) {
		c := name[i]
		if !tokens[c] {
			return "", false
		}
		changed = changed || upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z'
		upper = c == '-'
	}
	if !changed {
		return name, true
	}
	if known, ok := spelled[name]; ok {
		return known, true
	}
	return http.CanonicalHeaderKey(name), true
}

// tokens are the bytes that may stand in a name.
var tokens = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isToken(byte(c))
	}
	return t
}()

// spelled saves making canonical names of those that programs write in lower case.
var spelled = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{"Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Connection", "Cache-Control",
		"Content-Type", "Content-Length", "Content-Security-Policy", "Authorization", "Referer", "Origin", "Pragma", "Date", "Server", "Etag", "Last-Modified",
		"If-None-Match", "If-Modified-Since", "X-Xsrftoken", "X-Requested-With", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User",
		"Set-Cookie", "Location", "Vary", "Transfer-Encoding", "Upgrade-Insecure-Requests", "Keep-Alive", "X-Content-Type-Options", "Expires"} {
		m[strings.ToLower(name)] = name
	}
	return m
}()
