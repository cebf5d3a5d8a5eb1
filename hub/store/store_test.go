package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jupyterhubd/hub"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

// noon is when every test begins.
func noon() *clock { return &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

// cellar opens a fresh store; when the test is over the store must be sound, whatever the test did.
func cellar(t *testing.T) (*Store, *clock) {
	t.Helper()
	c := noon()
	s, err := Open(filepath.Join(t.TempDir(), "jupyterhub.db"), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Check(); err != nil {
			t.Errorf("the store is not sound: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

// must runs an Update that is expected to go well.
func must(t *testing.T, s *Store, fn func(tx *Tx) error) {
	t.Helper()
	if err := s.Update(fn); err != nil {
		t.Fatal(err)
	}
}

// view runs a View that is expected to go well.
func view(t *testing.T, s *Store, fn func(tx *Tx) error) {
	t.Helper()
	if err := s.View(fn); err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err is of a kind and its text has all the words.
func wantKind(t *testing.T, err error, kind hub.Kind, words ...string) {
	t.Helper()
	if err == nil || hub.KindOf(err) != kind {
		t.Fatalf("got error %v of kind %v, want kind %v", err, hub.KindOf(err), kind)
	}
	for _, w := range words {
		if !strings.Contains(hub.TextOf(err), w) {
			t.Errorf("the sentence %q does not say %q", hub.TextOf(err), w)
		}
	}
}

// cast makes users.
func cast(t *testing.T, s *Store, names ...string) {
	t.Helper()
	must(t, s, func(tx *Tx) error {
		for i, name := range names {
			if _, err := tx.PutUser(hub.User{Name: name, UID: int64(1001 + i), Admin: name == "admin"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	for range 2 { // made, and opened after somebody was careless
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
		if err := errors.Join(s.Close(), os.Chmod(path, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// afterKill opens what a process that is killed now would leave: a copy of the file, taken while that process still has it.
func afterKill(t *testing.T, s *Store) *Store {
	t.Helper()
	raw, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "after-kill.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	return again
}

// What was acknowledged is there after a kill.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice")
	again := afterKill(t, s)
	view(t, again, func(tx *Tx) error { _, err := tx.User("alice"); return err })
}

// An error in the middle of a transaction leaves nothing of it, in the file or in memory.
func TestFailedUpdateChangesNothing(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	s.TouchUser("alice", c.now())
	boom := hub.Errorf(hub.Conflict, "boom")
	err := s.Update(func(tx *Tx) error {
		if err := tx.DeleteUser("alice"); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		u, err := tx.User("alice")
		if !u.LastActivity.Equal(c.now()) || tx.CountUsers() != 1 {
			t.Errorf("alice is %+v of %d users", u, tx.CountUsers())
		}
		return err
	})
}

func TestSecondProcessIsRefused(t *testing.T) {
	s, _ := cellar(t)
	_, err := Open(s.path, Options{})
	wantKind(t, err, hub.Unavailable, s.path, "another jupyterhubd")
}

func TestBackupOfARunningStore(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice", "bob")
	var buf bytes.Buffer
	if n, err := s.Backup(&buf); err != nil || n != int64(buf.Len()) {
		t.Fatalf("%d bytes of %d, %v", buf.Len(), n, err)
	}
	must(t, s, func(tx *Tx) error { return tx.DeleteUser("bob") })

	path := filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	restored, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if err := restored.Check(); err != nil {
		t.Error(err)
	}
	view(t, restored, func(tx *Tx) error { _, err := tx.User("bob"); return err })
}

// A newer release's file is refused in a sentence that names both sides and the way out, and is not changed by a bit.
func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		return errors.Join(meta.Put(keySchema, number(7)), meta.Put(keyRelease, []byte("9.1.0")))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	_, err = Open(path, Options{})
	wantKind(t, err, hub.Unavailable, path, "jupyterhubd 9.1.0", "schema 7", hub.Version, fmt.Sprintf("up to %d", len(migrations)+1), "newer release again", "backup")
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

// Before a migration the file is copied; a migration that fails leaves the file as it was.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cast(t, s, "alice")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	released := len(migrations) + 1
	step := func(err error) []migration {
		return append(slices.Clone(migrations), func(tx *bbolt.Tx) error {
			return errors.Join(tx.Bucket([]byte(bucketUsers)).Delete([]byte("alice")), err)
		})
	}
	_, err = open(path, Options{}, step(errors.New("the machine went away")))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("from schema %d to %d", released, released+1)) {
		t.Fatalf("a failed migration said %v", err)
	}
	s, err = Open(path, Options{}) // the old release still can
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error { _, err := tx.User("alice"); return err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s, err = open(path, Options{}, step(nil))
	if err != nil {
		t.Fatal(err)
	}
	if have, _, _ := s.schema(); have != uint64(released)+1 {
		t.Errorf("schema %d after the migration", have)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := Open(fmt.Sprintf("%s.schema-%d", path, released), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	view(t, kept, func(tx *Tx) error { _, err := tx.User("alice"); return err })
}

func TestDamagedFiles(t *testing.T) {
	whole := func(t *testing.T) []byte {
		s, _ := cellar(t)
		cast(t, s, "alice")
		raw, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	tests := map[string]struct {
		content func(t *testing.T) []byte
		says    string
	}{
		"empty":           {func(*testing.T) []byte { return nil }, "is empty"},
		"not a database":  {func(*testing.T) []byte { return bytes.Repeat([]byte("jupyter "), 4096) }, "damaged"},
		"a few bytes":     {func(*testing.T) []byte { return []byte("x") }, "damaged"},
		"its second half": {func(t *testing.T) []byte { b := whole(t); return b[len(b)/2:] }, "damaged"},
		"cut short":       {func(t *testing.T) []byte { return whole(t)[:4*os.Getpagesize()] }, "damaged"},
		"its meta pages":  {func(t *testing.T) []byte { return whole(t)[:2*os.Getpagesize()] }, "damaged"},
		"both meta pages overwritten": {func(t *testing.T) []byte {
			b := whole(t)
			clear(b[:2*os.Getpagesize()])
			return b
		}, "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jupyterhub.db")
			content := tt.content(t)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, Options{})
			wantKind(t, err, hub.Unavailable, path, tt.says, "backup")
			if after, _ := os.ReadFile(path); !bytes.Equal(content, after) {
				t.Error("what was left of the file was changed")
			}
		})
	}
}

func TestSomebodyElsesDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("k3s")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	wantKind(t, err, hub.Unavailable, "not one of jupyterhubd's")
}

// Check is only worth something if it finds faults.
func TestCheckFindsFaults(t *testing.T) {
	faults := map[string]func(tx *Tx) error{
		"a stray index entry":   func(tx *Tx) error { return tx.b.Bucket([]byte(indexUserUID)).Put(number(4711), []byte("bob")) },
		"a missing index entry": func(tx *Tx) error { return tx.b.Bucket([]byte(indexUserID)).Delete(number(1)) },
		"a wrong count":         func(tx *Tx) error { return tx.countUsers(+1) },
		"a record under another's key": func(tx *Tx) error {
			users := tx.b.Bucket([]byte(bucketUsers))
			return users.Put([]byte("mallory"), users.Get([]byte("alice")))
		},
		"a server without its user": func(tx *Tx) error {
			return save(tx, bucketServers, key("bob", ""), hub.Server{ServerRef: hub.ServerRef{User: "bob"}}, nil, nil)
		},
		"a record that is no JSON": func(tx *Tx) error { return tx.b.Bucket([]byte(bucketGroups)).Put([]byte("class"), []byte("{")) },
	}
	for name, harm := range faults {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(t.TempDir(), "jupyterhub.db"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			cast(t, s, "alice")
			must(t, s, harm)
			if err := s.Check(); err == nil {
				t.Error("not found")
			}
		})
	}
}
