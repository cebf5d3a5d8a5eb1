package spawner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"jupyterhubd/hub"
)

// causeIn returns the cause that an error carries, or nil.
func causeIn(err error) *hub.Cause {
	var e *hub.Error
	for errors.As(err, &e) {
		if e.Cause != nil {
			return e.Cause
		}
		err = e.Err
	}
	return nil
}

// causeOf turns whatever ended a start into a cause; a start that was cancelled has none.
func causeOf(err error) *hub.Cause {
	switch cause := causeIn(err); {
	case err == nil || errors.Is(err, errCancelled):
		return nil
	case cause != nil:
		return cause
	}
	message := hub.TextOf(err)
	if message == "" {
		message = "The server could not be started. The hub's journal says why."
	}
	return &hub.Cause{Kind: hub.CauseSystem, Message: message}
}

// refused reports whether a start failed because of what the user asked for, a profile that is not for them, say.
func refused(err error) bool {
	kind := hub.KindOf(err)
	return causeIn(err) == nil && (kind == hub.Invalid || kind == hub.Forbidden)
}

// withCause makes an error of a cause.
func withCause(c *hub.Cause) error {
	return &hub.Error{Kind: hub.Unavailable, Text: c.Message, Cause: c}
}

func timeout(limit time.Duration, option, stage string) error {
	return withCause(&hub.Cause{
		Kind:    hub.CauseTimeout,
		Message: fmt.Sprintf("The server was not ready within %s. %s", spoken(limit), stage),
		Detail:  fmt.Sprintf("%s = %s", option, limit),
	})
}

func stuck(limit time.Duration) error {
	return withCause(&hub.Cause{
		Kind:    hub.CauseTimeout,
		Message: fmt.Sprintf("The server did not end within %s. Please tell your administrator.", spoken(limit)),
		Detail:  fmt.Sprintf("stop_timeout = %s", limit),
	})
}

// spoken says a span of time to a person: "60 seconds", "5 minutes".
func spoken(d time.Duration) string {
	n, unit := d.Seconds(), "second"
	if d >= 2*time.Minute && d%time.Minute == 0 {
		n, unit = d.Minutes(), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%g %s", n, unit)
}

// failure is the end of a unit as an error of the start that it ends.
func failure(u hub.Unit) error {
	if u.Cause != nil {
		return withCause(u.Cause)
	}
	return withCause(&hub.Cause{
		Kind: hub.CauseExited, Message: "The server ended before it was ready.", Unit: u.Name, Invocation: u.Invocation,
	})
}

// endOf is why a unit that was ready ended; nil if it meant to.
func endOf(u hub.Unit) *hub.Cause {
	switch {
	case u.Cause != nil:
		return u.Cause
	case u.State == hub.UnitFailed:
		return &hub.Cause{Kind: hub.CauseExited, Message: "The server ended unexpectedly.", Unit: u.Name, Invocation: u.Invocation}
	}
	return nil
}

// vanished is the cause when a server is gone and nobody saw it go.
func vanished(unit string) *hub.Cause {
	return &hub.Cause{
		Kind: hub.CauseVanished, Unit: unit,
		Message: "The server was gone when the hub looked for it. Start it again.",
	}
}

// described adds to a cause what the Spawner left out: of which unit it is, and the moment. Where it has no lines of the unit's
// journal they are still to be read, and the cause is partial.
func (m *Manager) described(c *hub.Cause, u hub.Unit) *hub.Cause {
	if c == nil {
		return nil
	}
	full := *c
	if full.At.IsZero() {
		full.At = m.now()
	}
	if full.Unit == "" {
		full.Unit, full.Invocation = u.Name, u.Invocation
	}
	if full.Journal == nil && full.Invocation != "" && m.journal != nil {
		full.Partial = true
	}
	return &full
}

// withLines adds to a cause what the unit wrote, before it is stopped: afterwards nobody may know of it.
func (m *Manager) withLines(ctx context.Context, s *server, c *hub.Cause) *hub.Cause {
	if c == nil || c.Journal != nil || m.journal == nil {
		return c
	}
	full := *c
	full.Journal = m.lines(ctx, s.ref, journalSoon)
	return &full
}

// printable shortens what a server says of itself to something that can be shown.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 40)]
}
