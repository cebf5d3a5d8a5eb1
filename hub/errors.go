package hub

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of refusal an error is. The hall turns kinds into HTTP statuses in one table, the locked doors turn
// them into Varlink errors in another. Unknown is what an error without a kind has: it is our fault, never the caller's.
type Kind uint8

// The kinds of error.
const (
	Unknown         Kind = iota // ours: a bug, a broken disk; its text never leaves the house
	Invalid                     // the request makes no sense as it stands
	Unauthenticated             // nobody we know (JupyterHub answers 403, never 401)
	Forbidden                   // somebody we know, who may not
	NotFound                    // absent, or hidden from who asks
	Conflict                    // there already, or in a state that does not allow it
	TooLarge                    // over a size limit
	TooMany                     // over a rate or a count; see Error.RetryAfter
	NotRunning                  // a server that is stopped (JupyterHub's 424)
	Unavailable                 // a part of ours or of the system is away just now
	Expired                     // a password that must be changed before it is good again
)

var kindNames = [...]string{"unknown", "invalid", "unauthenticated", "forbidden", "not-found", "conflict", "too-large", "too-many",
	"not-running", "unavailable", "expired"}

// String returns the kind's name on the wire of the locked doors.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// ParseKind is the inverse of String; a name that it does not know is Unknown.
func ParseKind(name string) Kind {
	for k, n := range kindNames {
		if n == name {
			return Kind(k)
		}
	}
	return Unknown
}

// Error is an error with a kind and a text that may be shown to whoever caused it. Internal detail belongs in Err, which
// is logged and never rendered.
type Error struct {
	Kind       Kind
	Text       string        // a sentence for people; empty means the kind's own
	RetryAfter time.Duration // for TooMany and Unavailable; zero means unsaid
	Cause      *Cause        // why a server failed, when that is what went wrong
	Err        error         // what happened inside, for the log
}

// Error returns the text followed by the inner error.
func (e *Error) Error() string {
	switch {
	case e.Text != "" && e.Err != nil && e.Err.Error() != "":
		return e.Text + ": " + e.Err.Error()
	case e.Text != "":
		return e.Text
	case e.Err != nil:
		return e.Err.Error()
	}
	return e.Kind.String()
}

// Unwrap returns the inner error.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of the given kind whose text is for people. An error operand of %w becomes the chain's next
// link, and its text part of the sentence: wrap only what may be shown.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Text: err.Error(), Err: hidden{errors.Unwrap(err)}.orNil()}
}

// hidden keeps an inner error reachable by errors.Is and As without printing it a second time.
type hidden struct{ error }

func (h hidden) orNil() error {
	if h.error == nil {
		return nil
	}
	return h
}
func (h hidden) Error() string { return "" }
func (h hidden) Unwrap() error { return h.error }

// KindOf returns the kind of the first Error in err's chain, or Unknown.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unknown
}

// TextOf returns the sentence of the first Error in err's chain that has one, or "".
func TextOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Text != "" {
			return e.Text
		}
		err = e.Err
	}
	return ""
}
