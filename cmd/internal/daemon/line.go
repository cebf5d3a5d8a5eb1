package daemon

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/rs/zerolog"
)

// appendLine writes an event of zerolog's, one flat JSON object, as a line for people: the message, then key=value in the order
// in which they were given. It reads what zerolog writes and nothing else; what it does not understand it writes as it is.
func appendLine(b, event []byte) []byte {
	event = bytes.TrimRight(event, "\n")
	message, fields := []byte(nil), make([]field, 0, 12)
	for rest := bytes.TrimPrefix(event, []byte("{")); len(rest) > 1; {
		var f field
		var ok bool
		if f, rest, ok = nextField(rest); !ok {
			return append(append(b, event...), '\n')
		}
		switch string(f.key) {
		case zerolog.MessageFieldName:
			message = f.value
		case zerolog.LevelFieldName:
		default:
			fields = append(fields, f)
		}
	}
	b = appendMessage(b, message)
	for _, f := range fields {
		b = append(append(append(b, ' '), f.key...), '=')
		b = appendValue(b, f.value)
	}
	return append(b, '\n')
}

// field is a key without its quotes and a value as JSON.
type field struct{ key, value []byte }

// nextField takes a field from the front of an object's inside, with the comma or the brace behind it.
func nextField(b []byte) (f field, rest []byte, ok bool) {
	n := stringEnd(b)
	if n < 2 || len(b) < n+2 || b[n] != ':' {
		return f, nil, false
	}
	f.key, b = b[1:n-1], b[n+1:]
	end := valueEnd(b)
	if end <= 0 || end >= len(b) {
		return f, nil, false
	}
	f.value = b[:end]
	return f, b[end+1:], true
}

// stringEnd returns the length of the JSON string at the front, 0 if there is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// valueEnd returns the length of the JSON value at the front.
func valueEnd(b []byte) int {
	if n := stringEnd(b); n > 0 {
		return n
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return 0
}

func appendMessage(b, quoted []byte) []byte {
	var text string
	if quoted == nil || json.Unmarshal(quoted, &text) != nil {
		return append(b, quoted...)
	}
	return append(b, printable(text)...)
}

// appendValue writes a value, without quotes where nobody can take it for something else.
func appendValue(b, value []byte) []byte {
	if len(value) < 3 || value[0] != '"' {
		return append(b, value...)
	}
	inside := value[1 : len(value)-1]
	for _, c := range inside {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=' {
			var text string
			if json.Unmarshal(value, &text) != nil {
				return append(b, value...)
			}
			return strconv.AppendQuote(b, text) // a terminal obeys what is not printable
		}
	}
	return append(b, inside...)
}

// printable quotes a message that would break its line, or do something to a terminal.
func printable(text string) string {
	for _, c := range text {
		if !strconv.IsPrint(c) {
			return strconv.Quote(text)
		}
	}
	return text
}
