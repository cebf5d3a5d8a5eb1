package door

import (
	"context"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// Grains of time. An answer comes a whole number of them after what it answers, so that some milliseconds more or less,
// for a directory server or a password hash, are not seen from outside.
const (
	questionGrain = 100 * time.Millisecond
	refusalGrain  = time.Second
)

// Longest origins that are handed to PAM.
const (
	maxHost = 255
	maxTTY  = 64
)

type question struct {
	messages []string
	prompt   hub.Prompt
}

// talk is a conversation between two goroutines: PAM's, which blocks in its callback, and the connection's.
type talk struct {
	typed, remoteHost string
	asWho             string // who is put to PAM
	refused           error  // set when that is the stand-in, and why
	guest             bool   // who has no account, and is asked by another PAM service

	questions chan question
	answers   chan string
	asking    bool // a question was told and not answered; of the connection's goroutine

	over chan struct{} // closed at the end; what follows is set before
	end  End
	err  error
}

func newTalk(user, remoteHost string) *talk {
	return &talk{typed: user, asWho: user, remoteHost: remoteHost,
		questions: make(chan question), answers: make(chan string), over: make(chan struct{})}
}

// hold runs the conversation until PAM has said its last word or ctx ends.
func (t *talk) hold(ctx context.Context, converse Converse, tty string) {
	defer close(t.over)
	t.end, t.err = converse(t.asWho, t.remoteHost, tty, func(messages []string, prompt hub.Prompt) (string, error) {
		select {
		case t.questions <- question{messages, prompt}:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		select {
		case answer := <-t.answers:
			return answer, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
}

// pace waits until a whole number of grains has passed since started.
func pace(ctx context.Context, started time.Time, grain time.Duration) error {
	late := time.NewTimer(grain - time.Since(started)%grain)
	defer late.Stop()
	select {
	case <-late.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// origin returns a host or terminal name as it is, or nothing if it holds what such names do not hold: PAM modules write
// it to logs and match it against patterns.
func origin(text string, longest int) string {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".:_%/-", r))
	}
	if len(text) > longest || strings.HasPrefix(text, "-") || strings.ContainsFunc(text, odd) {
		return ""
	}
	return text
}
