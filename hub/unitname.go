package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A unit's name is what systemd, drop-ins and the journal know a server by. Root's side makes it and tells it; whoever has a
// server's name asks there which unit runs it, and the other way round.
const (
	unitPrefix = "jupyter-"
	unitSuffix = ".service"

	// MaxUnitName is the longest name of a user unit in bytes. systemd binds the socket that fetches a credential to the
	// abstract address "<16 hex>/unit/<unit>/environment", and an address holds 107 bytes: a longer unit fails with
	// status 243.
	MaxUnitName = 72

	hashLength = 16 // hexadecimal digits of SHA-256
)

// DefaultUnitTemplate makes jupyter-alice.service of alice's server and jupyter-alice-gpu.service of the one that she calls gpu.
const DefaultUnitTemplate = "jupyter-" + userField + "-" + serverField

// What a template leaves open.
const (
	userField   = "{USERNAME}"
	serverField = "{SERVERNAME}"
)

// UnitNames makes the names of units by a template. The zero value does so by DefaultUnitTemplate.
type UnitNames struct{ template string }

// UnitName is the name by DefaultUnitTemplate.
func UnitName(r ServerRef) string { return UnitNames{}.Of(r) }

// Of returns the name of the systemd unit that runs the server. User and server are each escaped as systemd-escape does it, so
// "-" is written \x2d inside a name, and no two servers share a unit. With a server that has no name, the "-" before it goes too
// where nothing else stands between that and the next one. A name that would be over MaxUnitName is cut and ends in \x7e
// (systemd's way to write "~", which it does not take as it stands) and a hash of the whole.
func (n UnitNames) Of(r ServerRef) string {
	var segments []string
	for _, segment := range strings.Split(n.Template(), "-") {
		if segment != serverField || r.Server != "" {
			segments = append(segments, segment)
		}
	}
	fill := strings.NewReplacer(userField, escapeUnit(r.User), serverField, escapeUnit(r.Server))
	body := fill.Replace(strings.Join(segments, "-"))
	if len(body)+len(unitSuffix) > MaxUnitName || hashed(body) {
		body = shorten(body)
	}
	return body + unitSuffix
}

// Template returns the template with everything that it leaves open.
func (n UnitNames) Template() string {
	if n.template == "" {
		return DefaultUnitTemplate
	}
	return n.template
}

// Named returns the name by which drop-ins reach all of a user's servers that have names, jupyter-alice-.service. There is none
// where a server's name is not the last part of a unit's, nor where the user's is so long that a hash stands in its place.
func (n UnitNames) Named(user string) (string, bool) {
	before, isLast := strings.CutSuffix(n.Template(), "-"+serverField)
	body := strings.TrimSuffix(UnitNames{before}.Of(ServerRef{User: user}), unitSuffix)
	return body + "-" + unitSuffix, isLast && !hashed(body)
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
