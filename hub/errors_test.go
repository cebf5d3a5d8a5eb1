package hub

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAnErrorSaysItsSentenceOnce(t *testing.T) {
	err := Errorf(Conflict, "open the store: %w", io.ErrUnexpectedEOF)
	if got, want := err.Error(), "open the store: unexpected EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the chain is broken")
	}
}

func TestKindAndTextComeFromTheOutermostError(t *testing.T) {
	inner := &Error{Kind: NotFound, Text: "no such user", Err: io.EOF}
	for _, test := range []struct {
		err  error
		kind Kind
		text string
	}{
		{nil, Unknown, ""},
		{io.EOF, Unknown, ""},
		{inner, NotFound, "no such user"},
		{fmt.Errorf("start: %w", inner), NotFound, "no such user"},
		{&Error{Kind: Unavailable, Err: inner}, Unavailable, "no such user"},
		{&Error{Kind: Unavailable, Text: "try again", Err: inner}, Unavailable, "try again"},
	} {
		if KindOf(test.err) != test.kind || TextOf(test.err) != test.text {
			t.Errorf("%v: got %v %q, want %v %q", test.err, KindOf(test.err), TextOf(test.err), test.kind, test.text)
		}
	}
}

func TestEveryKindHasANameThatReadsBack(t *testing.T) {
	for k := Unknown; k <= Expired; k++ {
		if got := ParseKind(k.String()); got != k {
			t.Errorf("%v reads back as %v", k, got)
		}
	}
	if ParseKind("no such kind") != Unknown || Kind(200).String() != "unknown" {
		t.Error("what is not known is Unknown")
	}
}

func TestPendingActiveAndReadyAgree(t *testing.T) {
	for _, s := range []State{Stopped, Queued, Starting, Running, Freezing, Frozen, Thawing, Stopping, Failed} {
		if s.Active() != (s.Ready() || s.Pending() != "") || s.Ready() && s.Pending() != "" {
			t.Errorf("%s: ready %v, pending %q, active %v", s, s.Ready(), s.Pending(), s.Active())
		}
	}
}
