package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

//go:embed assets/*
var assetFiles embed.FS

// assets are the embedded files by name. An address holds the file's checksum, so that a browser may keep the file for ever
// and sees a new one at once.
type assets map[string]file

type file struct {
	content []byte
	sum     string // 16 hex digits
	kind    string // Content-Type
}

func readAssets() (assets, error) {
	all := assets{}
	entries, err := fs.ReadDir(assetFiles, "assets")
	for _, e := range entries {
		b, readErr := assetFiles.ReadFile("assets/" + e.Name())
		if readErr != nil {
			return nil, readErr
		}
		sum := sha256.Sum256(b)
		all[e.Name()] = file{b, hex.EncodeToString(sum[:8]), mime.TypeByExtension(path.Ext(e.Name()))}
	}
	return all, err
}

// address is the file's path below static/: "style.css" is "3f2a…/style.css".
func (a assets) address(name string) string { return a[name].sum + "/" + name }

// asset answers GET /hub/static/…, by checksum or by the bare name.
func (room *Room) asset(w http.ResponseWriter, r *http.Request) error {
	sum, name, found := strings.Cut(r.PathValue("name"), "/")
	if !found {
		sum, name = "", sum
	}
	f, ok := room.files[name]
	if !ok || found && sum != f.sum {
		return hub.Errorf(hub.NotFound, "Not Found")
	}
	return f.send(w, r, found || r.URL.Query().Has("v"))
}

// favicon answers GET /favicon.ico.
func (room *Room) favicon(w http.ResponseWriter, r *http.Request) error {
	return room.files["favicon.svg"].send(w, r, false)
}

func (f file) send(w http.ResponseWriter, r *http.Request, forever bool) error {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+f.sum+`"`)
	h.Set("Cache-Control", "no-cache")
	if forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(f.content)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.content) // the browser left, ignoring
	}
	return nil
}
