package launcher

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestATailIsReadFromJournalctlsJSON(t *testing.T) {
	const said = `{"MESSAGE":"ended"}
{"MESSAGE":"jupyter-bob.service: Killing process 7 (sleep) with signal SIGKILL.","_PID":"1"}
{"MESSAGE":"A process of this unit has been killed by the OOM killer.","MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef"}
{"MESSAGE":[72,105,255,33]}
{"MESSAGE":null}
{"MESSAGE":["one","two"]}
{"MESSAGE":"\u001b[1;31mTraceback\u001b[0m\tin cell\u202e"}
{"MESSAGE":"long ago"}
{"MESSAGE":"cut of`
	want := tail{outOfMemory: true, lines: []string{
		"Traceback in cell", "Hi\uFFFD!", "A process of this unit has been killed by the OOM killer.", "ended"}}
	if got := parseTail([]byte(said), 4); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnInvocationThatNeverWasHasNoTail(t *testing.T) {
	for _, invocation := range []string{"", "0123", strings.Repeat("x", 32), "+", "_PID=1"} {
		if got, err := readTail(t.Context(), invocation, 5); err != nil || got.lines != nil {
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
		parseTail([]byte(s), 5)
		parseTail([]byte(`{"MESSAGE":`+s+"}\n"), 5)
	})
}
