package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Field is a key of a model that is there, or not, according to what its reader may see. Use it with `json:",omitzero"`:
// a zero Field leaves no key behind, a shown one leaves its value, null included.
type Field[T any] struct {
	Value T
	Shown bool
}

// Show returns a field that is there.
func Show[T any](value T) Field[T] { return Field[T]{Value: value, Shown: true} }

// IsZero reports whether the key is absent; encoding/json asks it for omitzero.
func (f Field[T]) IsZero() bool { return !f.Shown }

// MarshalJSON writes the value alone.
func (f Field[T]) MarshalJSON() ([]byte, error) { return json.Marshal(f.Value) }

// UnmarshalJSON reads the value, and remembers that the key was there.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	f.Shown = true
	return json.Unmarshal(b, &f.Value)
}

// Time is a moment as JupyterHub writes it: UTC with Z, microseconds only when there are some. The zero Time is null.
type Time struct{ time.Time }

// At wraps a moment.
func At(t time.Time) Time { return Time{t} }

const (
	wholeSeconds = `"2006-01-02T15:04:05Z"`
	microseconds = `"2006-01-02T15:04:05.000000Z"`
)

// MarshalJSON writes null or the moment, cut to microseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	u := t.UTC().Truncate(time.Microsecond)
	if u.Nanosecond() == 0 {
		return u.AppendFormat(nil, wholeSeconds), nil
	}
	return u.AppendFormat(nil, microseconds), nil
}

// UnmarshalJSON reads RFC 3339, and the same without a zone, which JupyterHub takes as UTC, or without a time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*t = Time{}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a moment is a string such as 2026-11-21T20:10:00Z: %w", err)
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly} {
		if u, err := time.Parse(layout, s); err == nil {
			t.Time = u.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is no moment such as 2026-11-21T20:10:00Z", s)
}

// Text is a string whose absence is null on the wire.
type Text string

// MarshalJSON writes null for the empty string.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}
