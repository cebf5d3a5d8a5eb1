package launcher

import (
	"encoding/hex"
	"strings"
)

// The marks by which a unit is known as ours, in its LogExtraFields=. They are journal fields as well: every line that a
// server writes says whose it is.
const (
	markUnit    = "JUPYTERHUB_UNIT" // its own name
	markUser    = "JUPYTERHUB_USER"
	markServer  = "JUPYTERHUB_SERVER"
	markProfile = "JUPYTERHUB_PROFILE"
	markOptions = "JUPYTERHUB_OPTIONS"
	markAccount = "JUPYTERHUB_ACCOUNT" // where it is not the one that logs in
)

// formerMark stood in the place of the name when there was one for a server alone, hub.UnitName: units that were started then go on.
const formerMark = "1"

// mark writes a mark. Systemd 252 puts its text into the unit's file as it is, and reads it at the next daemon-reload as words with
// quotes, escapes and specifiers. So what has a meaning there is written "~" and two hexadecimal digits, and so is "~".
func mark(name, text string) []byte {
	b := []byte(name + "=")
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`"'\%~`, c) >= 0 {
			b = append(append(b, '~'), hex.EncodeToString([]byte{c})...)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// marked reads the text of a mark.
func marked(text string) string {
	var b strings.Builder
	for {
		before, after, more := strings.Cut(text, "~")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		if c, err := hex.DecodeString(after[:min(2, len(after))]); err == nil && len(c) == 1 {
			b.WriteByte(c[0])
			text = after[2:]
			continue
		}
		b.WriteByte('~')
		text = after
	}
}
