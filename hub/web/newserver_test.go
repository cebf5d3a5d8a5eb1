package web

import (
	"regexp"
	"strings"
	"testing"
)

// What people type becomes a name that JupyterHub 6 takes for a server's.
func FuzzServerName(f *testing.F) {
	for _, typed := range []string{"gpu", "My GPU server", "", "  ", "42", "-x-", "Größe", "日本", strings.Repeat("long ", 30), "a\x00b\u202ec", "x" + strings.Repeat("-", 40) + "y", "\xff"} {
		f.Add(typed)
	}
	rule := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	f.Fuzz(func(t *testing.T, typed string) {
		display := displayName(typed)
		if name := serverName(display); !rule.MatchString(name) || len(name) > longestServerName {
			t.Errorf("%q becomes %q", typed, name)
		}
		if strings.TrimSpace(display) != display || strings.Contains(display, "  ") || displayName(display) != display {
			t.Errorf("%q is shown as %q", typed, display)
		}
	})
}

func TestServerNames(t *testing.T) {
	for typed, want := range map[string]string{"gpu": "gpu", "Big one": "big-one", "2nd": "x-2nd", "№": "x", "a--b": "a-b", strings.Repeat("ab ", 15): "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab"} {
		if got := serverName(displayName(typed)); got != want {
			t.Errorf("%q becomes %q, want %q", typed, got, want)
		}
	}
}
