package account

import (
	"regexp"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func TestCleanAdmitsNamesOfEverySource(t *testing.T) {
	for _, name := range []string{"alice", "Alice.Smith", "alice@example.org", `EXAMPLE\alice`, "bob_1", "we ird", "ünal",
		"1alice", "a", "robot$", strings.Repeat("a", MaxName)} {
		if got, err := Clean(name); err != nil || got != name {
			t.Errorf("Clean(%q) = %q, %v", name, got, err)
		}
	}
}

// Vulnerability: getent reads a key as an option ("-i"), as a uid ("0", " 0", "+0"), or as several fields. Attack: mallory
// types such a string as her user name. Verified: none of them reaches getent.
func TestCleanRefusesWhatGetentWouldMisread(t *testing.T) {
	for _, name := range []string{"", "-i", "--service=files", "0", "1000", " 0", "+0", "+alice", "alice ", "a:b", "a/b", "..", ".",
		"a\nb", "a\x00b", "a\tb", "a\x7fb", "a\u0085b", "a\u202eb", "\xff", strings.Repeat("a", MaxName+1)} {
		if got, err := Clean(name); hub.KindOf(err) != hub.Invalid || got != "" {
			t.Errorf("Clean(%q) = %q, %v; want an Invalid error", name, got, err)
		}
	}
}

// uidToGetent is what strtoul accepts whole, which getent then takes for a uid.
var uidToGetent = regexp.MustCompile(`^\s*[+-]?[0-9]+$`)

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"alice", "-i", " 0", "a\u202eb", `EXAMPLE\alice`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := Clean(name)
		if err != nil {
			if hub.KindOf(err) != hub.Invalid || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: odd error %q", name, err)
			}
			return
		}
		if got != name || len(got) > MaxName || strings.ContainsAny(got, ":/\n\x00") || uidToGetent.MatchString(got) {
			t.Fatalf("%q passed as %q", name, got)
		}
	})
}
