package config

import (
	"fmt"
	"strconv"
	"strings"
)

// found is a key that the scanner met.
type found struct {
	path []string // without positions in lists, as the TOML library names keys
	at   string   // with them: spawner.profile[0].name
	line int      // from 1
}

// scanner walks a TOML document that the library has accepted, to learn on which line each key stands: the library does
// not say. It understands just enough of TOML 1.0 for that and judges nothing; on what it does not understand it stops
// early, which known() then notices.
type scanner struct {
	text   string
	i      int
	line   int
	table  found          // the [header] in force
	counts map[string]int // tables in each [[list]] so far, by its path
	keys   []found
}

func scan(document string) []found {
	s := &scanner{text: strings.TrimPrefix(document, "\uFEFF"), line: 1, counts: map[string]int{}}
	for s.blank(); s.i < len(s.text); s.blank() {
		before := s.i
		if s.peek() == '[' {
			s.header()
		} else {
			s.pair(s.table)
		}
		if s.i == before {
			break
		}
	}
	return s.keys
}

func (s *scanner) peek() byte {
	if s.i < len(s.text) {
		return s.text[s.i]
	}
	return 0
}

func (s *scanner) next() {
	if s.peek() == '\n' {
		s.line++
	}
	s.i++
}

func (s *scanner) accept(token string) bool {
	if !strings.HasPrefix(s.text[min(s.i, len(s.text)):], token) {
		return false
	}
	for range len(token) {
		s.next()
	}
	return true
}

// spaces passes over what may stand inside a line, blank over line ends and comments as well.
func (s *scanner) spaces() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.next()
	}
}

func (s *scanner) blank() {
	for s.i < len(s.text) {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			s.to("\n")
		default:
			return
		}
	}
}

// to advances to the first of the given bytes, or the end.
func (s *scanner) to(ends string) {
	for s.i < len(s.text) && !strings.ContainsRune(ends, rune(s.peek())) {
		s.next()
	}
}

func (s *scanner) header() {
	list := s.accept("[[")
	if !list {
		s.accept("[")
	}
	line := s.line
	parts := s.key()
	s.spaces()
	s.accept("]")
	s.accept("]")
	s.table = s.below(found{}, parts, line)
	if list {
		plain := s.below(found{}, parts[:max(0, len(parts)-1)], line)
		at := join(plain.at, last(parts))
		s.counts[at]++
		s.table.at = fmt.Sprintf("%s[%d]", at, s.counts[at]-1)
	}
	s.keys = append(s.keys, s.table)
}

// below names a key under a table, entering the newest table of each [[list]] on the way.
func (s *scanner) below(table found, parts []string, line int) found {
	f := found{path: append([]string(nil), table.path...), at: table.at, line: line}
	for _, p := range parts {
		f.path = append(f.path, p)
		f.at = join(f.at, p)
		if n := s.counts[f.at]; n > 0 {
			f.at = fmt.Sprintf("%s[%d]", f.at, n-1)
		}
	}
	return f
}

func last(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

// pair reads key = value.
func (s *scanner) pair(table found) {
	line := s.line
	parts := s.key()
	s.spaces()
	if !s.accept("=") {
		return
	}
	key := s.below(table, parts, line)
	s.keys = append(s.keys, key)
	s.spaces()
	s.value(key)
}

// key reads a.b."c d".
func (s *scanner) key() []string {
	var parts []string
	for {
		s.spaces()
		switch start := s.i; s.peek() {
		case '"':
			parts = append(parts, unescape(s.quoted(`"`)))
		case '\'':
			parts = append(parts, s.quoted(`'`))
		default:
			for isBare(s.peek()) {
				s.next()
			}
			parts = append(parts, s.text[start:s.i])
		}
		s.spaces()
		if !s.accept(".") {
			return parts
		}
	}
}

func (s *scanner) value(key found) {
	switch s.peek() {
	case '"', '\'':
		q := s.text[s.i : s.i+1]
		if strings.HasPrefix(s.text[s.i:], strings.Repeat(q, 3)) {
			q = strings.Repeat(q, 3)
		}
		s.quoted(q)
	case '[':
		s.list(key)
	case '{':
		s.inline(key)
	default:
		s.to(",]}\n#")
	}
}

// quoted passes over a string with the given quotes and returns what stands between them.
func (s *scanner) quoted(q string) string {
	s.accept(q)
	start := s.i
	for s.i < len(s.text) {
		if strings.HasPrefix(s.text[s.i:], q) {
			// A multi-line string may end in one or two quotes of its own: ""\"" is not needed.
			for len(q) == 3 && strings.HasPrefix(s.text[s.i+1:], q) {
				s.next()
			}
			inner := s.text[start:s.i]
			s.accept(q)
			return inner
		}
		if s.peek() == '\\' && q[0] == '"' {
			s.next()
		}
		s.next()
	}
	return s.text[start:]
}

func (s *scanner) list(key found) {
	s.accept("[")
	for n := 0; ; n++ {
		s.blank()
		if s.i >= len(s.text) || s.accept("]") {
			return
		}
		before := s.i
		s.value(found{path: key.path, at: fmt.Sprintf("%s[%d]", key.at, n), line: s.line})
		s.blank()
		s.accept(",")
		if s.i == before {
			return
		}
	}
}

func (s *scanner) inline(key found) {
	s.accept("{")
	for {
		s.blank()
		if s.i >= len(s.text) || s.accept("}") {
			return
		}
		before := s.i
		s.pair(key)
		s.blank()
		s.accept(",")
		if s.i == before {
			return
		}
	}
}

var escapes = map[byte]string{'b': "\b", 't': "\t", 'n': "\n", 'f': "\f", 'r': "\r", 'e': "\x1b", '"': `"`, '\\': `\`}

// unescape reads the escapes of a basic string.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if n, err := strconv.ParseUint(s[i+1:min(len(s), i+1+digits)], 16, 32); digits > 0 && err == nil {
			b.WriteRune(rune(n))
			i += digits
			continue
		}
		b.WriteString(escapes[s[i]])
	}
	return b.String()
}
