package crypt

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"jupyterhubd/hub"
)

// Sizes of a key, and of the two ways to write it.
const (
	keySize    = 32
	base64Size = 44
	hexSize    = 64
)

// Parse reads keys as JupyterHub reads JUPYTERHUB_CRYPT_KEY: separated by semicolons, each 32 bytes in hexadecimal digits, in
// base64 with either alphabet, or as they are. Line breaks separate as well, so that a file has one key a line. The error never
// holds a part of a key.
func Parse(text string) (Keys, error) {
	var k Keys
	n := 0
	for _, written := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' }) {
		if written = strings.TrimSpace(written); written == "" {
			continue
		}
		n++
		raw, ok := decode(written)
		if !ok {
			return Keys{}, hub.Errorf(hub.Invalid, "key %d is none: a key is 32 bytes, as `openssl rand -hex 32` prints them; several are separated by semicolons", n)
		}
		next, err := newKey(raw)
		if err != nil {
			return Keys{}, err
		}
		k.keys = append(k.keys, next)
	}
	return k, nil
}

// decode goes by the length, as JupyterHub does.
func decode(written string) ([]byte, bool) {
	switch len(written) {
	case keySize:
		return []byte(written), true
	case base64Size:
		raw, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(written))
		return raw, err == nil && len(raw) == keySize
	case hexSize:
		raw, err := hex.DecodeString(written)
		return raw, err == nil
	}
	return nil, false
}
