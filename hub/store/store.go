package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"jupyterhubd/hub"
	"jupyterhubd/hub/crypt"
)

// Options are what a store needs beside its file.
type Options struct {
	Now func() time.Time // nil means time.Now
	// Report is told when Run cannot flush or prune, and with nil when it can again. Nothing is lost meanwhile: Run keeps
	// what it has and tries again. May be nil.
	Report func(error)
	// Keys seal what authenticators keep about users. Without any it can neither be kept nor read.
	Keys crypt.Keys
}

// Store is an open database file. Its methods may be called from any goroutine.
type Store struct {
	db     *bbolt.DB
	path   string
	opts   Options
	wake   chan struct{} // one token: there is activity to flush
	sooner chan struct{} // one token: a token expires before anybody would look

	writes, notes atomic.Uint64 // see Stats
	generation    atomic.Uint64
	narrowed      *narrowed

	users    memory[hub.User]
	tokens   memory[tokenRecord]
	sessions memory[sessionRecord]
	clients  memory[clientRecord]

	mu       sync.Mutex // guards current and flushing, and the moment in which a Tx takes them
	current  *layer     // activity that came since the last flush
	flushing *layer     // activity that is being written; nil between flushes
}

// firstMap is how much of the file's future is mapped from the start, in bytes of addresses, not of memory. Below it a writer
// never has to wait for readers to let go of the map, and a reader may ask a second time while a writer waits.
const firstMap = 1 << 30

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = 2 * time.Second

// Open opens the file at path and brings it to this release's schema; a file that is not there is made. It refuses, and
// leaves untouched, a file that is damaged, that another process has open, or that a newer release wrote.
func Open(path string, o Options) (*Store, error) { return open(path, o, migrations) }

func open(path string, o Options, steps []migration) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	there, err := inspect(path)
	if err == nil && !there {
		err = begin(path, uint64(len(steps)+1))
	}
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, InitialMmapSize: firstMap, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{db: db, path: path, opts: o, wake: make(chan struct{}, 1), sooner: make(chan struct{}, 1), current: newLayer(), narrowed: newNarrowed()}
	s.users.copy, s.tokens.copy, s.sessions.copy, s.clients.copy = copyUser, copyToken, copySession, copyClient
	if err := s.migrate(steps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// inspect looks at the file before bbolt does, which would take an empty one for a new one. A restore onto a full disk
// leaves such a file, and starting afresh over it would lose everybody.
func inspect(path string) (there bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, openError(path, err)
	case !info.Mode().IsRegular():
		return false, hub.Errorf(hub.Unavailable, "%s is not a regular file", path)
	case info.Size() == 0:
		return false, hub.Errorf(hub.Unavailable, "%s is empty: put a backup in its place, or remove it to start without any users", path)
	}
	return true, errors.Join(checkLength(path, info.Size()), os.Chmod(path, 0o600))
}

// checkLength refuses a file that ends before its last page: reading behind the end of a mapped file kills the process, and bbolt
// reads there while it opens a file to write.
func checkLength(path string, length int64) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return openError(path, err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if length < tx.Size() {
			return damaged(path, errors.New("the file is shorter than its contents"))
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

// begin puts a new file into its place whole: of a first start that is killed nothing is left that the next one would refuse. Where
// another process was quicker, its file stays.
func begin(path string, schema uint64) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new.*") // mode 0600
	if err != nil {
		return openError(path, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // one that stays is in nobody's way
	db, err := bbolt.Open(tmp.Name(), 0o600, nil)
	if err != nil {
		return openError(path, errors.Join(err, tmp.Close()))
	}
	err = db.Update(func(tx *bbolt.Tx) error { return create(tx, schema) })
	if err := errors.Join(err, db.Close(), tmp.Close()); err != nil {
		return openError(path, err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return openError(path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return openError(path, err)
	}
	return nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return &hub.Error{Kind: hub.Unavailable, Text: path + " is in use by another process: is another jupyterhubd running?", Err: err}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return damaged(path, err)
	}
	return &hub.Error{Kind: hub.Unavailable, Text: "cannot open " + path, Err: err}
}

func damaged(path string, err error) error {
	return &hub.Error{Kind: hub.Unavailable, Text: path + " is damaged: put a backup in its place (jupyterhub backup makes them)", Err: err}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close waits for transactions to end and closes the file. Activity that Run has not flushed is lost.
func (s *Store) Close() error { return s.db.Close() }

// View runs fn with a consistent picture of the store. The Tx ends with fn.
func (s *Store) View(fn func(*Tx) error) error {
	s.mu.Lock()
	b, err := s.db.Begin(false)
	tx := s.tx(b)
	s.mu.Unlock()
	if err != nil {
		return s.wrap(err)
	}
	defer b.Rollback() //nolint:errcheck // a read has nothing to undo
	return s.wrap(fn(tx))
}

// Update runs fn in the one transaction that may write at this moment. When it returns nil, what fn wrote is on disk; when
// it returns an error, nothing was written.
func (s *Store) Update(fn func(*Tx) error) error {
	var tx *Tx
	err := s.db.Update(func(b *bbolt.Tx) error {
		s.mu.Lock()
		tx = s.tx(b)
		s.mu.Unlock()
		return fn(tx)
	})
	s.generation.Add(1)
	if err == nil {
		s.writes.Add(1)
		s.narrowed.add(tx)
		s.hasten(tx)
	}
	return s.wrap(err)
}

// Generation is a number that is another one as soon as an Update has returned, whether it succeeded or not: what was read from the store
// since the number was asked for is still right while it is the same, but for activity.
func (s *Store) Generation() uint64 { return s.generation.Load() }

// wrap gives bbolt's and the file system's errors a kind and a sentence; errors that have one pass.
func (s *Store) wrap(err error) error {
	switch {
	case err == nil, hub.KindOf(err) != hub.Unknown:
		return err
	case noRoom(err):
		return &hub.Error{Kind: hub.Unavailable, Text: "The hub's disk is full: nothing was changed. Please tell your administrator.",
			Err: fmt.Errorf("there is no room on the disk that holds %s: %w", s.path, err)}
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return &hub.Error{Kind: hub.Unavailable, Text: "the store is closed", Err: err}
	}
	return err
}

// noRoom reports whether err means a full disk, quota or file size limit. bbolt prints some of its causes into new errors, so
// the words count as well.
func noRoom(err error) bool {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) || strings.HasSuffix(err.Error(), full.Error()) {
			return true
		}
	}
	return false
}

// Tx is a transaction. Its verbs return errors of kinds NotFound and Conflict for what callers must expect.
type Tx struct {
	b      *bbolt.Tx
	s      *Store
	layers [2]*layer // newest first; activity that may not be in b yet
	opened []opened  // buckets

	narrowed []string // users who may hold less when this ends well
	ended    []string // tokens that open nothing then, by their values' hashes
	hastens  bool     // a token will expire before it would be pruned

	few [8]opened // where opened begins: as many as most transactions open
}

// tx begins a transaction of ours in one of bbolt's. The caller holds mu.
func (s *Store) tx(b *bbolt.Tx) *Tx {
	tx := &Tx{b: b, s: s, layers: [2]*layer{s.current, s.flushing}}
	tx.opened = tx.few[:0]
	return tx
}

// now is the moment by which the transaction tells what is expired.
func (tx *Tx) now() time.Time { return tx.s.opts.Now() }
