package hosts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// longest is how much a label of a host's name holds (RFC 1035 2.3.4).
const longest = 63

// serviceSuffix tells a service from a user of the same name: no label of a user's ends so.
const serviceSuffix = "--service"

// label spells any name as one label, as JupyterHub's hook idna does: as it is, where that is a label; else by IDNA, where that
// is one; else by its hash. Different from it: a name with capitals gets its hash, because hosts know no case and "Alice" must not
// share one with "alice".
func label(name string, most int) string {
	if strings.Contains(name, "--") { // only what was made here has that
		return hashed(name)
	}
	if isLabel(name, most) {
		return name
	}
	if strings.ContainsFunc(name, unfit) {
		return hashed(name)
	}
	if ascii, err := idna.Registration.ToASCII(name); err == nil && ascii != name && isLabel(ascii, most) {
		return ascii
	}
	return hashed(name)
}

// unfit reports what RFC 5892 has in no label though package idna lets it through: symbols. It is refused with the few
// characters that are allowed only beside certain others, which gives a name that needs them its hash.
func unfit(c rune) bool {
	return c != '-' && !unicode.In(c, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

// isLabel reports whether a name can stand in a host's as it is: letters, digits and hyphens, these not at its ends, and not digits
// alone, which would look like an address.
func isLabel(name string, most int) bool {
	letters := false
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', c == '-':
			letters = true
		case c < '0' || c > '9':
			return false
		}
	}
	return letters && len(name) <= most && name[0] != '-' && name[len(name)-1] != '-'
}

// hashed is a label for every name: what of it can be read, and the beginning of its hash.
func hashed(name string) string {
	var stub strings.Builder
	for _, c := range strings.ToLower(name) {
		if stub.Len() < 8 && ('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			stub.WriteRune(c)
		}
	}
	if stub.Len() == 0 {
		stub.WriteByte('x') // "--" as third and fourth character would mean IDNA (RFC 5891 4.2.3.1)
	}
	sum := sha256.Sum256([]byte(name))
	return "u-" + stub.String() + "--" + hex.EncodeToString(sum[:])[:7]
}

// quoted is JupyterHub's hook legacy: percent-encoding with underscores in the place of percent signs. Dots stay, so that it may be
// several labels.
func quoted(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.':
			b.WriteByte(c)
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
