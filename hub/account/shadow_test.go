package account

import (
	"strings"
	"testing"
)

func TestWhichPasswordsAreLocked(t *testing.T) {
	for field, want := range map[string]bool{
		"$y$j9T$salt$hash": false, "": false, "*": false, "!": false, "!!": false, "!*": false,
		"!$y$j9T$salt$hash": true, "!!$6$salt$hash": true, "!abJnggxhB/yWI": true,
	} {
		got, err := parseShadow("alice:" + field + ":19000:0:99999:7:::\n")
		if err != nil || got != want {
			t.Errorf("%q: %t, %v", field, got, err)
		}
	}
	for _, text := range []string{"", "alice:!$y$x:1:0:9:7:::", "alice:x:1\n", "alice:!$y$x:1:0:9:7:::\nbob:x:1:0:9:7:::\n", strings.Repeat(":", 9) + "\n"} {
		if locked, err := parseShadow(text); err == nil {
			t.Errorf("%q: %t", text, locked)
		}
	}
}

func FuzzShadow(f *testing.F) {
	f.Add("alice:!$y$j9T$salt$hash:19000:0:99999:7:::\n")
	f.Add("alice:*:19000::::::\n")
	f.Fuzz(func(t *testing.T, text string) {
		locked, err := parseShadow(text)
		if locked && (err != nil || !strings.Contains(text, ":!")) {
			t.Errorf("%q: %t, %v", text, locked, err)
		}
	})
}
