package store

import (
	"crypto/rand"
	"slices"

	"jupyterhubd/hub"
)

// Secret returns the hub's own secret of that name, 32 random bytes that are made when it is first asked for; making one
// needs an Update.
func (tx *Tx) Secret(name string) ([]byte, error) {
	b := tx.bucket(bucketSecrets)
	if s := b.Get([]byte(name)); s != nil {
		return slices.Clone(s), nil
	}
	if !tx.b.Writable() {
		return nil, hub.Errorf(hub.NotFound, "no such secret: %s", name)
	}
	s := make([]byte, 32)
	rand.Read(s) //nolint:errcheck // crypto/rand never fails since Go 1.24
	return s, b.Put([]byte(name), s)
}
