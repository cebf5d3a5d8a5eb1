package launcher

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever a name holds, it is read as it was written, and nothing of it has a meaning in a unit's file.
func TestMarks(t *testing.T) {
	for text, want := range map[string]string{
		"alice": "alice", "ünal": "ünal", "alice@example.org": "alice@example.org", "a=b": "a=b",
		`EXAMPLE\alice`: "EXAMPLE~5calice", "we ird": "we~20ird", `{"gpu":"a b"}`: "{~22gpu~22:~22a~20b~22}", "50%": "50~25", "~7e": "~7e7e",
	} {
		if got := string(mark(markUser, text)); got != markUser+"="+want {
			t.Errorf("%s is marked %s, want %s", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		written, _ := strings.CutPrefix(string(mark(markUser, text)), markUser+"=")
		if got := marked(written); got != text {
			t.Fatalf("%q is written %q and read %q", text, written, got)
		}
		if strings.ContainsAny(written, "\"'\\% \t\r\n") {
			t.Fatalf("%q is written %q", text, written)
		}
	})
	for _, text := range []string{"~", "a~", "a~z", "~~", "~4"} { // by whom else; it is what it is
		if got := marked(text); got != text {
			t.Errorf("%q is read %q", text, got)
		}
	}
}
