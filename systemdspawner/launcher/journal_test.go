package launcher

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestATailIsReadFromJournalctlsJSON(t *testing.T) {
	r := run{unit: "jupyter-bob.service", invocation: strings.Repeat("a", 32), began: time.UnixMicro(2000)}
	const said = `{"MESSAGE":"ended","_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":"too late for its invocation","__REALTIME_TIMESTAMP":"2000"}
{"MESSAGE":"of a run before","__REALTIME_TIMESTAMP":"1999"}
{"MESSAGE":"of another run","_SYSTEMD_INVOCATION_ID":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","__REALTIME_TIMESTAMP":"3000"}
{"MESSAGE":"jupyter-bob.service: Killing process 7 (sleep) with signal SIGKILL.","_PID":"1"}
{"MESSAGE":"A process of this unit has been killed by the OOM killer.","MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef","_PID":"1"}
{"MESSAGE":[72,105,255,33],"_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":null,"_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":["one","two"],"_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":"\u001b[1;31mTraceback\u001b[0m\tin cell\u202e","_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":"long ago","_SYSTEMD_INVOCATION_ID":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"MESSAGE":"cut of`
	want := tail{outOfMemory: true, lines: []string{
		"Traceback in cell", "Hi\uFFFD!", "A process of this unit has been killed by the OOM killer.",
		"too late for its invocation", "ended"}}
	if got := r.tail([]byte(said), 5); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnInvocationThatNeverWasHasNoTail(t *testing.T) {
	for _, invocation := range []string{"", "0123", strings.Repeat("x", 32), "+", "_PID=1"} {
		if got, err := readTail(t.Context(), run{invocation: invocation}, 5); err != nil || got.lines != nil {
			t.Errorf("%q: %v, %v", invocation, got, err)
		}
	}
}

func TestTheJournalIsReadUpToALimit(t *testing.T) {
	var b bounded
	n, err := b.Write(make([]byte, journalBytes-1))
	if n != journalBytes-1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err = b.Write([]byte("ab")); n != 1 || !errors.Is(err, errFull) || b.kept.Len() != journalBytes {
		t.Errorf("took %d more, %v", n, err)
	}
}

// Vulnerability: a server writes what a page or an admin's terminal shows.
// Attack: any bytes.
// Verified: one valid line of limited length, with nothing that moves a cursor or turns text around.
func FuzzTail(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\x1b]0;title\a", "\x1b[", "\r\n", "a\u202eb", "\xff\xfe", strings.Repeat("x", 500), "\x1b[31\x1b[32m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > journalLine || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q became %q", s, got)
		}
		run{}.tail([]byte(s), 5)
		run{}.tail([]byte(`{"MESSAGE":`+s+"}\n"), 5)
	})
}
