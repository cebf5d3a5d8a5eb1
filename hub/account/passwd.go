package account

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"jupyterhubd/hub"
)

// parsePasswd reads the one line that getent prints for an account (passwd(5)). Anything but exactly one well-formed line
// is an error: half an answer must never become half an account.
func parsePasswd(text string) (hub.Account, error) {
	line, ok := strings.CutSuffix(text, "\n")
	if !ok || strings.Contains(line, "\n") {
		return hub.Account{}, errors.New("the name service's answer is not one whole line")
	}
	field := strings.Split(line, ":")
	if len(field) != 7 {
		return hub.Account{}, fmt.Errorf("the name service's answer has %d fields, not 7", len(field))
	}
	name, err := Clean(field[0])
	if err != nil {
		return hub.Account{}, fmt.Errorf("the name service's answer: %w", err)
	}
	uid, err := parseID(field[2])
	if err != nil {
		return hub.Account{}, err
	}
	gid, err := parseID(field[3])
	if err != nil {
		return hub.Account{}, err
	}
	if strings.ContainsFunc(field[5]+field[6], unicode.IsControl) {
		return hub.Account{}, errors.New("the account's home or shell holds a control character")
	}
	return hub.Account{Name: name, UID: uid, GID: gid, Gecos: printable(field[4]), Home: field[5], Shell: field[6]}, nil
}

// parseID reads a uid or gid. The largest 32-bit value is -1 to the kernel, "leave as it is", and belongs to nobody.
func parseID(text string) (int64, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 1<<32-1 || (len(text) > 1 && text[0] == '0') {
		return 0, fmt.Errorf("the name service's answer has %q where a number should be", text)
	}
	return int64(id), nil
}

// printable keeps a GECOS field, which its owner may set with chfn, fit for a page and a log.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if forbidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
