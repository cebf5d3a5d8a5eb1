package proxy

import (
	"strings"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// place is a request's path, read once: the same reading finds the route and is forwarded.
type place struct {
	raw     string // as it goes upstream: the bytes that came, but for a few that no path may hold
	decoded string // "/" and the decoded segments, each ended at ends[i]
	ends    []int  // of the segments, in decoded
	rawEnds []int  // of the segments, in raw
	plain   int    // segments before the first whose decoded form holds a slash: only these can match a route
}

// splitTarget takes a request's target apart: origin form ("/a?b"), or absolute form, whose authority net/http has made the
// request's Host (RFC 9112 3.2.2).
func splitTarget(target string) (path, query string) {
	if !strings.HasPrefix(target, "/") {
		_, rest, _ := strings.Cut(target, "://")
		at := strings.IndexAny(rest, "/?")
		if at < 0 {
			return "/", ""
		}
		if target = rest[at:]; target[0] == '?' {
			target = "/" + target
		}
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// readPath reads a path that begins with a slash. What a proxy and the program behind it might read in two ways is refused:
//   - a dot segment, written in any way (".", "%2e", behind an encoded slash or backslash): whoever resolves it leaves the route
//   - a raw backslash, which browsers take for a slash
//   - "#", which ends a path for some, spaces and control characters
//   - escapes that are none, that hold a NUL or no UTF-8
//
// An encoded slash is part of its segment: it never divides, and a segment with one matches no route. Doubled slashes are
// empty segments. Nothing is cleaned, and case is kept.
func readPath(path string) (place, error) {
	if !strings.HasPrefix(path, "/") {
		return place{}, hub.Errorf(hub.Invalid, "the path does not begin with a slash")
	}
	path = escapeWild(path)
	p := place{raw: path, plain: -1}
	var decoded strings.Builder
	for i := 1; ; {
		n := strings.IndexByte(path[i:], '/')
		if n < 0 {
			n = len(path) - i
		}
		seg, err := decodeSegment(path[i : i+n])
		if err != nil {
			return place{}, err
		}
		if p.plain < 0 && strings.Contains(seg, "/") {
			p.plain = len(p.ends)
		}
		decoded.WriteByte('/')
		decoded.WriteString(seg)
		p.ends, p.rawEnds = append(p.ends, decoded.Len()), append(p.rawEnds, i+n)
		if i += n + 1; i > len(path) {
			break
		}
	}
	if p.plain < 0 {
		p.plain = len(p.ends)
	}
	p.decoded = decoded.String()
	return p, nil
}

// escapeWild percent-encodes what stands raw in a path though RFC 3986 does not allow it and browsers or old clients send it:
// each such byte alone, so that the escapes around it stay as they came.
func escapeWild(path string) string {
	wild := 0
	for i := range len(path) {
		if isWild(path[i]) {
			wild++
		}
	}
	if wild == 0 {
		return path
	}
	var b strings.Builder
	b.Grow(len(path) + 2*wild)
	for i := range len(path) {
		if c := path[i]; isWild(c) {
			b.WriteString(escaped(c))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isWild(c byte) bool { return c >= 0x80 || strings.IndexByte("\"<>^`{|}", c) >= 0 }

const upperHex = "0123456789ABCDEF"

func escaped(c byte) string { return string([]byte{'%', upperHex[c>>4], upperHex[c&15]}) }

// decodeSegment decodes one segment and refuses it for the reasons that readPath lists.
func decodeSegment(raw string) (string, error) {
	seg, err := unescape(raw)
	switch {
	case err != nil:
		return "", err
	case strings.ContainsFunc(raw, isBlank) || strings.ContainsAny(raw, `\#?`):
		return "", hub.Errorf(hub.Invalid, "the path holds a character that ends or divides paths elsewhere")
	case strings.IndexByte(seg, 0) >= 0 || !utf8.ValidString(seg):
		return "", hub.Errorf(hub.Invalid, "the path does not decode to text")
	case hasDots(seg):
		return "", hub.Errorf(hub.Invalid, "the path holds a dot segment")
	}
	return seg, nil
}

// isBlank reports whether c would end a word of a request line.
func isBlank(c rune) bool { return c <= ' ' || c == 0x7f }

// hasDots reports whether a decoded segment holds "." or ".." between its ends and any slashes or backslashes in it.
func hasDots(seg string) bool {
	if !strings.Contains(seg, ".") {
		return false
	}
	for part := range strings.FieldsFuncSeq(seg, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func unescape(raw string) (string, error) {
	if strings.IndexByte(raw, '%') < 0 {
		return raw, nil
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			out = append(out, raw[i])
			continue
		}
		c, ok := hexByte(raw[i+1:])
		if !ok {
			return "", hub.Errorf(hub.Invalid, "the path holds a percent sign that escapes nothing")
		}
		out = append(out, c)
		i += 2
	}
	return string(out), nil
}

// hexByte reads the two digits that s begins with.
func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := hexValue(s[0]), hexValue(s[1])
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// normalEscapes spells a path in the one way that JupyterHub does for a given set of bytes: unreserved characters and "@" are
// literal, the hexadecimal digits of other escapes upper-case (RFC 3986 6.2.2). What stands literal stays so.
func normalEscapes(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, ok := byte(0), false
		if path[i] == '%' {
			c, ok = hexByte(path[i+1:])
		}
		switch {
		case !ok:
			b.WriteByte(path[i])
			continue
		case isUnreserved(c) || c == '@':
			b.WriteByte(c)
		default:
			b.WriteString(escaped(c))
		}
		i += 2
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
