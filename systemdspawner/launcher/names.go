package launcher

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// unitPattern matches the names of our units, and of an admin's that look alike.
const unitPattern = "jupyter-*.service"

// topSlice holds all users' servers.
const topSlice = "jupyter.slice"

// userSlice is the slice of one account's servers, groupSlice the one that a group's members share.
func userSlice(user string) string   { return sliceName("jupyter-user_", user) }
func groupSlice(group string) string { return sliceName("jupyter-group_", group) }

// memberSlice is the slice of one account's servers inside a group's.
func memberSlice(group, user string) string {
	return sliceName(strings.TrimSuffix(groupSlice(group), ".slice")+"-user_", user)
}

// sliceName escapes, and shortens, as UnitName does. In a slice's name "-" leads one level down, so a name's own has to be
// written \x2d here as well.
func sliceName(prefix, name string) string {
	unit := hub.UnitName(hub.ServerRef{User: name})
	return prefix + strings.TrimSuffix(strings.TrimPrefix(unit, "jupyter-"), ".service") + ".slice"
}

// isOurSlice reports whether a slice is jupyter.slice or below it.
func isOurSlice(slice string) bool {
	return slice == topSlice || strings.HasPrefix(slice, "jupyter-") && strings.HasSuffix(slice, ".slice")
}

// socketDir returns the name of the unit's directory below the directory of sockets. It is a hash because the address of a
// Unix socket holds 107 bytes.
func socketDir(unit string) string {
	sum := sha256.Sum256([]byte(unit))
	return hex.EncodeToString(sum[:hashBytes])
}

const hashBytes = 8

// socketName is the socket in that directory.
const socketName = "s"

// socketPath returns where the unit's server listens.
func socketPath(base, unit string) string {
	return filepath.Join(base, socketDir(unit), socketName)
}

// maxServerName bounds the name of a server in bytes.
const maxServerName = 255

// checkRef refuses what can name no server. The user's name is judged where it is looked up.
func checkRef(r hub.ServerRef) error {
	switch {
	case len(r.Server) > maxServerName:
		return hub.Errorf(hub.Invalid, "a server's name has at most %d bytes", maxServerName)
	case !utf8.ValidString(r.Server):
		return hub.Errorf(hub.Invalid, "a server's name is valid UTF-8")
	case strings.ContainsFunc(r.Server, func(c rune) bool { return c == '/' || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }):
		return hub.Errorf(hub.Invalid, "a server's name holds no slash and nothing invisible")
	}
	return nil
}
