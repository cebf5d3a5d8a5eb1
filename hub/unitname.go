package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A unit's name is the identity of a server on the machine: the launcher starts it, the hub recognises by it who asks for a
// credential, the admin's drop-ins carry it. A change of these rules would orphan every server that runs.
const (
	unitPrefix = "jupyter-"
	unitSuffix = ".service"

	// MaxUnitName is the longest name of a user unit in bytes. systemd binds the socket that fetches a credential to the
	// abstract address "<16 hex>/unit/<unit>/environment", and an address holds 107 bytes: a longer unit fails with
	// status 243.
	MaxUnitName = 72

	hashLength = 16 // hexadecimal digits of SHA-256
)

// UnitName returns the name of the systemd unit that runs the server: jupyter-<user>[-<server>].service, user and server
// each escaped as systemd-escape does it. So "-" is written \x2d inside a name, and no two servers share a unit. A name
// that would be over MaxUnitName is cut and ends in \x7e (systemd's way to write "~", which it does not take as it
// stands) and a hash of the whole.
func UnitName(r ServerRef) string {
	body := unitPrefix + escapeUnit(r.User)
	if r.Server != "" {
		body += "-" + escapeUnit(r.Server)
	}
	if len(body)+len(unitSuffix) > MaxUnitName || hashed(body) {
		body = shorten(body)
	}
	return body + unitSuffix
}

// ParseUnitName is the inverse of UnitName. It reports false for a name that UnitName does not make and for one that ends
// in a hash, whose server only its log fields tell.
func ParseUnitName(unit string) (ServerRef, bool) {
	body, isService := strings.CutSuffix(unit, unitSuffix)
	names, isOurs := strings.CutPrefix(body, unitPrefix)
	if !isService || !isOurs || hashed(body) {
		return ServerRef{}, false
	}
	user, server, _ := strings.Cut(names, "-")
	r := ServerRef{User: unescapeUnit(user), Server: unescapeUnit(server)}
	return r, UnitName(r) == unit
}

// hashed reports whether the body of a name ends as a shortened one does. Names that do so by themselves are shortened too,
// which keeps the two kinds apart.
func hashed(body string) bool {
	if len(body) < hashLength+len(tilde) {
		return false
	}
	head, hash := body[:len(body)-hashLength], body[len(body)-hashLength:]
	return strings.HasSuffix(head, tilde) && strings.Trim(hash, lowerHex) == ""
}

const (
	tilde    = `\x7e`
	lowerHex = "0123456789abcdef"
)

// shorten cuts a body between two characters and appends the hash of all of it.
func shorten(body string) string {
	sum := sha256.Sum256([]byte(body))
	room := MaxUnitName - len(unitSuffix) - len(tilde) - hashLength
	head := body[:min(room, len(body))]
	if at := strings.LastIndexByte(head, '\\'); at > len(head)-len(tilde) && at >= 0 {
		head = head[:at]
	}
	return head + tilde + hex.EncodeToString(sum[:])[:hashLength]
}

// escapeUnit writes everything but letters, digits, ":", "_" and "." as \xNN, and a leading "." too. systemd-escape would
// write "/" as "-"; here that is \x2f, so that "-" stays the mark between user and server.
func escapeUnit(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) && (i > 0 || c != '.') {
			b.WriteByte(c)
		} else {
			b.WriteString(`\x` + hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ':' || c == '_' || c == '.'
}

// unescapeUnit reads what it can; ParseUnitName finds out whether that was right.
func unescapeUnit(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if c, err := hex.DecodeString(digits(s)); err == nil && len(c) == 1 {
			b.WriteByte(c[0])
			s = s[len(tilde):]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// digits returns the two digits of an escape that s begins with, or nothing.
func digits(s string) string {
	if len(s) < len(tilde) || s[:2] != `\x` {
		return ""
	}
	return s[2:len(tilde)]
}
