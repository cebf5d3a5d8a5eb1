package daemon

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rs/zerolog"
)

func TestLinesForPeople(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, true).Level(zerolog.DebugLevel)
	log.Info().Str("req", "a1").Int("status", 200).Dur("took", 1500*time.Microsecond).Str("path", "/hub/api/users").Msg("request")
	log.Error().Err(errors.New(`it said "no"`)).Str("user", "").Strs("changes", []string{"a,b", `c"}`}).Msg("start a server")
	log.Warn().Interface("cause", map[string]any{"x": []int{1, 2}}).Bool("again", true).Msg("a=b")
	log.Debug().Send()
	want := "<6>request req=a1 status=200 took=1.5 path=/hub/api/users\n" +
		`<3>start a server error="it said \"no\"" user="" changes=["a,b","c\"}"]` + "\n" +
		`<4>a=b cause={"x":[1,2]} again=true` + "\n" +
		"<7>\n"
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", &out, want)
	}
	out.Reset()
	other := newLogger(&out, false)
	other.Info().Msg("on a terminal")
	if got := out.String(); got != "info: on a terminal\n" {
		t.Errorf("wrote %q", got)
	}
}

// Whatever a stranger gets into the log is one line, and nothing in it moves a terminal's cursor or begins a line of its own.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "plain", "a b", "a\nb", "\x1b[2J", "\x7f", "\u2028", "\u202e", `"`, `\`, "\xff", "ü", "<3>forged", `","level":"fatal`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		var out bytes.Buffer
		log := newLogger(&out, true)
		log.Info().Str("k", value).Str("err", key).Msg(value)
		line := strings.TrimSuffix(out.String(), "\n")
		for _, c := range line {
			if !unicode.IsPrint(c) {
				t.Fatalf("%q has %q", line, c)
			}
		}
		if !strings.HasPrefix(line, "<6>") || !strings.Contains(line, " k=") || !strings.Contains(line, " err=") {
			t.Fatalf("%q", line)
		}
	})
}

// What is no event of zerolog's is written as it is, and nothing panics.
func FuzzForeignEvent(f *testing.F) {
	for _, s := range []string{"", "{", "{}", `{"a":}`, `{"a":1`, `{"a":[1}`, `{"a":"\`, "text"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		if got := appendLine(nil, event); len(got) == 0 || got[len(got)-1] != '\n' {
			t.Errorf("%q became %q", event, got)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	log := newLogger(io.Discard, true)
	b.ReportAllocs()
	for b.Loop() {
		log.Info().Str("req", "0123456789abcdef").Str("method", "GET").Str("path", "/hub/api/user").Int("status", 200).Dur("took", time.Millisecond).
			Str("user", "user alice").Str("client", "192.0.2.7").Msg("request")
	}
}
