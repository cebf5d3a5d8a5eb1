package door

import (
	"strings"
	"testing"
)

func FuzzOrigin(f *testing.F) {
	f.Add("192.0.2.7")
	f.Add("2001:db8::1%eth0")
	f.Add("a b\n-")
	f.Fuzz(func(t *testing.T, text string) {
		got := origin(text, maxHost)
		if got != "" && got != text || strings.ContainsAny(got, " \n\x00*=") || strings.HasPrefix(got, "-") {
			t.Errorf("%q became %q", text, got)
		}
	})
}
