package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"jupyterhubd/hub"
)

// mostRemembered is how many records of a kind are remembered: more than are in use at a time, and less than two megabytes.
const mostRemembered = 2048

// memory remembers what records were decoded to, each with the bytes that it was decoded from. The file stays the truth: its
// bytes are read each time, and what they do not equal is decoded anew. Most requests are of who was here a moment ago.
type memory[T any] struct {
	copy func(T) T // so that no two callers have one slice

	mu    sync.RWMutex // guards known
	known map[string]decoded[T]
}

type decoded[T any] struct {
	raw   []byte
	value T
}

// recall is load with a memory.
func recall[T any](tx *Tx, m *memory[T], bucket string, key []byte) (v T, ok bool, err error) {
	raw := tx.bucket(bucket).Get(key)
	if raw == nil {
		return v, false, nil
	}
	m.mu.RLock()
	d, known := m.known[string(key)]
	m.mu.RUnlock()
	if known && bytes.Equal(d.raw, raw) {
		return m.copy(d.value), true, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("read %s %q: %w", bucket, key, err)
	}
	m.learn(string(key), decoded[T]{bytes.Clone(raw), m.copy(v)})
	return v, true, nil
}

func (m *memory[T]) learn(key string, d decoded[T]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= mostRemembered {
		m.known = make(map[string]decoded[T])
	}
	m.known[key] = d
}

func copyUser(u hub.User) hub.User {
	u.Groups, u.Roles = slices.Clone(u.Groups), slices.Clone(u.Roles)
	return u
}

func copyToken(t tokenRecord) tokenRecord {
	t.Scopes, t.Hash = slices.Clone(t.Scopes), slices.Clone(t.Hash)
	return t
}

func copySession(s sessionRecord) sessionRecord {
	s.Hash = slices.Clone(s.Hash)
	return s
}

func copyClient(c clientRecord) clientRecord {
	c.AllowedScopes, c.Hash = slices.Clone(c.AllowedScopes), slices.Clone(c.Hash)
	return c
}

// bucket finds a bucket once a transaction: bbolt looks for it in the file each time.
func (tx *Tx) bucket(name string) *bbolt.Bucket {
	for _, b := range tx.opened {
		if b.name == name {
			return b.bucket
		}
	}
	b := tx.b.Bucket([]byte(name))
	tx.opened = append(tx.opened, opened{name, b})
	return b
}

type opened struct {
	name   string
	bucket *bbolt.Bucket
}
