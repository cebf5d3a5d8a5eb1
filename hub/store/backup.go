package store

import (
	"io"

	"go.etcd.io/bbolt"
)

// Backup writes a consistent copy of the whole file to w, activity up to the last flush included, and returns its length in
// bytes. The hub goes on reading and writing meanwhile. The copy is a database file like the one it was made from.
func (s *Store) Backup(w io.Writer) (int64, error) {
	var n int64
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, s.wrap(err)
}
