package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// MaxName is the longest account name in bytes that is looked up. Linux's own tools stop at 32, SSSD's qualified names at
// 256.
const MaxName = 256

// Clean returns name if it may be handed to the name service, and an Invalid error otherwise. It changes nothing: what is
// not an account name as it stands is refused, so that no two rooms can clean a name differently.
func Clean(name string) (string, error) {
	switch {
	case name == "":
		return "", hub.Errorf(hub.Invalid, "the account name is empty")
	case len(name) > MaxName:
		return "", hub.Errorf(hub.Invalid, "the account name is longer than %d bytes", MaxName)
	case !utf8.ValidString(name):
		return "", hub.Errorf(hub.Invalid, "the account name is not valid UTF-8")
	case strings.ContainsFunc(name, forbidden):
		return "", hub.Errorf(hub.Invalid, "the account name holds a character that account names cannot hold")
	case strings.TrimSpace(name) != name:
		return "", hub.Errorf(hub.Invalid, "the account name begins or ends with a space")
	case strings.HasPrefix(name, "-"), strings.HasPrefix(name, "+"):
		return "", hub.Errorf(hub.Invalid, "the account name begins with a sign") // an option, a NIS entry, or a number
	case name == "." || name == "..":
		return "", hub.Errorf(hub.Invalid, "the account name is a directory's")
	case strings.Trim(name, "0123456789") == "":
		return "", hub.Errorf(hub.Invalid, "the account name is a number")
	}
	return name, nil
}

// forbidden reports the characters that would end a field or a line of the name service's text, name a directory, or
// confuse a terminal and whoever reads the log (control and format characters, such as the ones that turn text around).
func forbidden(r rune) bool {
	return r == ':' || r == '/' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}
