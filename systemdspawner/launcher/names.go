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

// isOurSlice reports whether a slice is jupyter.slice or below it.
func isOurSlice(slice string) bool {
	return slice == hub.TopSlice || strings.HasPrefix(slice, "jupyter-") && strings.HasSuffix(slice, ".slice")
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
