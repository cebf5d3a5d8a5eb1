package daemon

import (
	"io"
	"sync"

	"github.com/rs/zerolog"
)

// newLogger writes one line an event: the message, then the fields as key=value. For the journal each line begins with its
// priority (sd-daemon(3)), elsewhere with the name of its level. The journal stamps the time itself.
//
// Standard error and not the journal's native socket: its lines keep the unit's name even when they come from a process
// that has ended a moment later, as each PAM conversation does.
func newLogger(w io.Writer, journal bool) zerolog.Logger {
	return zerolog.New(lines{out: w, journal: journal})
}

// lines is a zerolog.LevelWriter.
type lines struct {
	out     io.Writer
	journal bool
}

// Write is for events without a level.
func (l lines) Write(event []byte) (int, error) { return l.WriteLevel(zerolog.InfoLevel, event) }

// WriteLevel writes an event as one line, with one call, so that lines of several goroutines do not mix.
func (l lines) WriteLevel(level zerolog.Level, event []byte) (int, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	*buffer = appendLine(append((*buffer)[:0], l.prefix(level)...), event)
	if _, err := l.out.Write(*buffer); err != nil {
		return 0, err
	}
	return len(event), nil
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (l lines) prefix(level zerolog.Level) string {
	if !l.journal {
		return level.String() + ": "
	}
	switch level {
	case zerolog.TraceLevel, zerolog.DebugLevel:
		return "<7>"
	case zerolog.InfoLevel:
		return "<6>"
	case zerolog.WarnLevel:
		return "<4>"
	case zerolog.ErrorLevel:
		return "<3>"
	}
	return "<2>"
}
