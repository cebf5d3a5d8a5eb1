package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path"
	"strings"

	"jupyterhubd/hub"
)

// maxLogo bounds the admin's picture: every page has it.
const maxLogo = 1 << 20

// pictures are the types of picture that a browser shows, by the end of the file's name. The admin's file is sent as what it is
// called, and as nothing else.
var pictures = map[string]string{
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
}

// readLogo returns the admin's picture, or ours.
func (room *Room) readLogo() (file, error) {
	if room.LogoFile == "" {
		return room.files["logo.svg"], nil
	}
	kind := pictures[strings.ToLower(path.Ext(room.LogoFile))]
	if kind == "" {
		return file{}, hub.Errorf(hub.Invalid, "hub.logo_file: is %q; it wants a picture that ends in .svg, .png, .jpg, .gif or .webp", room.LogoFile)
	}
	f, err := os.Open(room.LogoFile)
	if err != nil {
		return file{}, hub.Errorf(hub.Invalid, "hub.logo_file: cannot be read by user jupyterhub: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxLogo+1))
	if err != nil || len(b) > maxLogo {
		return file{}, hub.Errorf(hub.Invalid, "hub.logo_file: is no picture of at most 1 MiB: %v", err)
	}
	sum := sha256.Sum256(b)
	return file{b, hex.EncodeToString(sum[:8]), kind}, nil
}

// logo answers GET /hub/logo, which single-user servers put on their pages.
func (room *Room) logo(w http.ResponseWriter, r *http.Request) error {
	return room.picture.send(w, r, false)
}
