package launcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// Limits of one look into the journal.
const (
	journalctl     = "/usr/bin/journalctl"
	journalTime    = 10 * time.Second
	syncTime       = 500 * time.Millisecond
	journalBytes   = 1 << 20
	journalLine    = 400 // characters of one line that are kept
	tailLines      = 20  // lines that a cause carries
	maxLines       = 500 // lines that may be asked for
	maxLeavings    = 500 // lines about what was killed with a unit, which are left out
	journalSync    = "io.systemd.Journal.Synchronize"
	journalSocket  = "/run/systemd/journal/io.systemd.journal"
	invocationSize = 32 // hexadecimal digits
)

// outOfMemoryMessage is the catalogue's number of "a process of this unit has been killed by the OOM killer".
const outOfMemoryMessage = "fe6faa94e7774663a0da52717891d8ef"

// tail is the end of what one run of a unit left in the journal.
type tail struct {
	lines       []string
	outOfMemory bool // systemd says that the kernel killed a process of it for memory (cgroup v2)
}

// run is one invocation of a unit.
type run struct {
	unit       string
	invocation string
	began      time.Time // zero: not known
}

// readTail asks for the last lines of one invocation: what its processes said, and what systemd said about it. The latter
// only as PID 1: INVOCATION_ID= without an underscore is a field that anybody can send.
//
// What a process says shortly before the end of its unit may come to the journal when the unit is gone, where the machine is
// slow: then it has the unit's name and no invocation, and belongs to this one if it is not older.
func readTail(ctx context.Context, r run, lines int) (tail, error) {
	if !isInvocation(r.invocation) {
		return tail{}, nil // it never ran
	}
	wanted := []string{"_SYSTEMD_INVOCATION_ID=" + r.invocation, "+", "_PID=1", "INVOCATION_ID=" + r.invocation}
	if !r.began.IsZero() {
		wanted = append(wanted, "+", "_TRANSPORT=stdout", "_SYSTEMD_UNIT="+r.unit)
	}
	// Newest first: what the limit cuts off is the oldest.
	b, err := askJournal(ctx, append([]string{"--reverse", "--output-fields=MESSAGE,MESSAGE_ID,_PID,_SYSTEMD_INVOCATION_ID",
		"--lines=" + strconv.Itoa(min(lines, maxLines)+maxLeavings)}, wanted...)...)
	if err != nil {
		return tail{}, err
	}
	return r.tail(b, lines), nil
}

// askJournal returns what the journal has of whatever the arguments select, one JSON object a line.
func askJournal(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	synchronize(ctx)
	cmd := exec.CommandContext(ctx, journalctl, append([]string{"--quiet", "--no-pager", "--output=json", "--all"}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Dir = "/"
	var out bounded
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, errFull) {
		return nil, &hub.Error{Kind: hub.Unavailable, Text: "the journal cannot be read just now", Err: err}
	}
	return out.kept.Bytes(), nil
}

func isInvocation(s string) bool {
	return len(s) == invocationSize && strings.Trim(s, "0123456789abcdef") == ""
}

// synchronize asks the journal to have written what was said to it so far. It does without where that takes too long.
func synchronize(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	c, err := varlink.Dial(ctx, journalSocket)
	if err != nil {
		return // a journal without this door, ignoring
	}
	defer c.Close()
	_ = c.Call(ctx, journalSync, nil, nil) // the lines may be a little short then, ignoring
}

// record is a line as journalctl writes it.
type record struct {
	Message    json.RawMessage `json:"MESSAGE"`
	ID         string          `json:"MESSAGE_ID"`
	PID        string          `json:"_PID"`
	Invocation string          `json:"_SYSTEMD_INVOCATION_ID"`
	Time       string          `json:"__REALTIME_TIMESTAMP"` // microseconds
}

// tail reads journalctl's JSON, one object a line, the newest first, and keeps so many lines of the run.
func (r run) tail(b []byte, lines int) tail {
	var t tail
	for line := range bytes.Lines(b) {
		var e record
		if json.Unmarshal(line, &e) != nil || !r.has(e) {
			continue // cut off by the limit, a field that somebody sent twice, or of another run
		}
		t.outOfMemory = t.outOfMemory || e.ID == outOfMemoryMessage
		text := clean(message(e.Message))
		// Systemd names every process that it kills at the end; a server full of them would say nothing else.
		leaving := e.PID == "1" && strings.Contains(text, ": Killing process ")
		if text != "" && !leaving && len(t.lines) < lines {
			t.lines = append(t.lines, text)
		}
	}
	slices.Reverse(t.lines)
	return t
}

// has reports whether one of the lines that were asked for is of this run.
func (r run) has(e record) bool {
	if e.PID == "1" || e.Invocation == r.invocation {
		return true
	}
	us, err := strconv.ParseInt(e.Time, 10, 64)
	return e.Invocation == "" && err == nil && !time.UnixMicro(us).Before(r.began)
}

// message reads a field: a string, or a list of byte values where it is not UTF-8.
func message(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var values []uint16 // a []byte would want base64
	if json.Unmarshal(raw, &values) != nil {
		return ""
	}
	b := make([]byte, len(values))
	for i, v := range values {
		b[i] = byte(v)
	}
	return string(b)
}

// clean makes one line for a page or a terminal: no control characters, no escape sequences, not too long.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	for n := 0; len(s) > 0 && n < journalLine; n++ {
		if rest := afterEscape(s); rest != s {
			s = rest
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp):
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// afterEscape returns s without the terminal control sequence (ECMA-48) that it begins with.
func afterEscape(s string) string {
	rest, ok := strings.CutPrefix(s, "\x1b[")
	if !ok {
		return s
	}
	rest = strings.TrimLeftFunc(rest, func(r rune) bool { return r >= 0x20 && r < 0x40 })
	if rest != "" && rest[0] >= 0x40 && rest[0] < 0x7f {
		return rest[1:]
	}
	return rest
}

var errFull = errors.New("more than is read")

// bounded keeps the first journalBytes and refuses the rest, which ends the writer. The buffer is not embedded: io.Copy
// would find its ReadFrom, which has no limit.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(piece []byte) (int, error) {
	room := journalBytes - b.kept.Len()
	if len(piece) <= room {
		return b.kept.Write(piece)
	}
	b.kept.Write(piece[:room])
	return room, errFull
}
