package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"jupyterhubd/hub"
)

// load reads the record at key; ok is false where there is none.
func load[T any](tx *Tx, bucket string, key []byte) (v T, ok bool, err error) {
	raw := tx.bucket(bucket).Get(key)
	if raw == nil {
		return v, false, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("read %s %q: %w", bucket, key, err)
	}
	return v, true, nil
}

// save writes the record at key and exchanges its index rows.
func save[T any](tx *Tx, bucket string, key []byte, v T, old, now []row) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s %q: %w", bucket, key, err)
	}
	if err := tx.bucket(bucket).Put(key, raw); err != nil {
		return err
	}
	return tx.reindex(old, now)
}

// erase removes the record at key and its index rows.
func (tx *Tx) erase(bucket string, key []byte, rows []row) error {
	if err := tx.bucket(bucket).Delete(key); err != nil {
		return err
	}
	return tx.reindex(rows, nil)
}

// row is one entry of an index.
type row struct {
	bucket     string
	key, value []byte
}

func (r row) equal(o row) bool {
	return r.bucket == o.bucket && bytes.Equal(r.key, o.key) && bytes.Equal(r.value, o.value)
}

// reindex exchanges index rows, leaving alone those that stay.
func (tx *Tx) reindex(old, now []row) error {
	for _, r := range old {
		if !contains(now, r) {
			if err := tx.bucket(r.bucket).Delete(r.key); err != nil {
				return err
			}
		}
	}
	for _, r := range now {
		if !contains(old, r) {
			if err := tx.bucket(r.bucket).Put(r.key, r.value); err != nil {
				return err
			}
		}
	}
	return nil
}

func contains(rows []row, r row) bool {
	for _, other := range rows {
		if other.equal(r) {
			return true
		}
	}
	return false
}

// scan calls fn for every entry whose key begins with prefix, in order. fn must not write to the bucket.
func (tx *Tx) scan(bucket string, prefix []byte, fn func(k, v []byte) error) error {
	c := tx.bucket(bucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

// keys returns copies of what follows prefix in the keys that begin with it; what is about to be deleted is listed first.
func (tx *Tx) keys(bucket string, prefix []byte) (tails []string) {
	_ = tx.scan(bucket, prefix, func(k, _ []byte) error {
		tails = append(tails, string(k[len(prefix):]))
		return nil
	})
	return tails
}

// values returns copies of the values of the entries whose keys begin with prefix.
func (tx *Tx) values(bucket string, prefix []byte) (values []string) {
	_ = tx.scan(bucket, prefix, func(_, v []byte) error {
		values = append(values, string(v))
		return nil
	})
	return values
}

// get returns an index entry's value as a string, "" if there is none.
func (tx *Tx) get(bucket string, key []byte) string {
	return string(tx.bucket(bucket).Get(key))
}

// key joins parts into a compound key.
func key(parts ...string) []byte {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, p...)
	}
	return b
}

// number encodes n so that the order of keys is the order of numbers.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// unnumber is the inverse of number on strings that keys returned.
func unnumber(s string) uint64 {
	if len(s) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64([]byte(s))
}

// moment encodes a time so that the order of keys is the order of times; the zero time is the first.
func moment(t time.Time) []byte {
	if t.IsZero() || t.UnixNano() < 0 {
		return number(0)
	}
	return number(uint64(t.UnixNano()))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hash is how secrets are kept. They are random and long, so one round of SHA-256 cannot be searched back.
func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// random returns n characters of alphabet, whose length must divide 256 or the last ones would be likelier: letters is cut
// by rejection instead.
func random(n int, alphabet string) string {
	limit := byte(256 - 256%len(alphabet) - 1)
	out, buf := make([]byte, 0, n), make([]byte, 2*n)
	for len(out) < n {
		rand.Read(buf) //nolint:errcheck // crypto/rand never fails since Go 1.24
		for _, b := range buf {
			if b <= limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

const (
	hexDigits = "0123456789abcdef"
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base64URL = letters + "-_"
)

// maxName is the length limit of names, in bytes.
const maxName = 255

// checkName refuses names that would make compound keys or a ServerRef's string ambiguous.
func checkName(what, name string) error {
	switch {
	case name == "":
		return hub.Errorf(hub.Invalid, "a %s needs a name", what)
	case len(name) > maxName:
		return hub.Errorf(hub.Invalid, "the name of a %s has at most %d bytes", what, maxName)
	case !utf8.ValidString(name) || bytes.ContainsAny([]byte(name), "\x00/"):
		return hub.Errorf(hub.Invalid, "the name of a %s is UTF-8 without slashes", what)
	}
	return nil
}
