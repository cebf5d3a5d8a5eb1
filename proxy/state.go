package proxy

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// ledger keeps the table in a file and its journal, over the proxy's own death. Every change is there before it is answered;
// changes that come together are written together. What is written is what the table holds at that time, and never what a change
// remembers of it, so that the order of two changes is the table's.
type ledger struct {
	path    string // "" keeps nothing
	collect func() state
	look    func(key string) entry // what a key stands for

	changed atomic.Uint64 // counts changes
	marks   sync.Mutex    // guards the two fields below
	touched map[string]bool
	whole   bool // more has changed than keys can tell

	mu      sync.Mutex   // guards the fields below, and lets one write at a time
	written uint64       // the last change that is in the file
	retired bool         // another process writes the file now
	journal *journalFile // behind the file; nil: the file has to be written first
	size    int64        // of the file
}

// state is what the file holds.
type state struct {
	Version int                  `json:"version"`
	Mark    string               `json:"mark,omitempty"` // of the journal that goes on where this ends
	Routes  []savedRoute         `json:"routes"`
	Ended   map[string]time.Time `json:"ended_sessions,omitempty"` // by SHA-256, until when
	Aliases map[string]alias     `json:"aliases,omitempty"`        // by SHA-256 of the session, a space, and the route's key
}

type savedRoute struct {
	Key          string                     `json:"key,omitempty"`
	Path         string                     `json:"path"` // as it was posted, escaped; with its host under host routing
	Data         map[string]json.RawMessage `json:"data"`
	LastActivity time.Time                  `json:"last_activity"`
}

const stateVersion = 1

// change says that there is something new to save that no key tells.
func (l *ledger) change() {
	l.marks.Lock()
	l.whole = true
	l.marks.Unlock()
	l.changed.Add(1)
}

// touch says that a key stands for something new.
func (l *ledger) touch(key string) {
	if l.path == "" {
		return
	}
	l.marks.Lock()
	if l.touched == nil {
		l.touched = map[string]bool{}
	}
	l.touched[key] = true
	l.marks.Unlock()
	l.changed.Add(1)
}

// save returns when everything that had changed before the call is on disk. Whoever waits for another's write to end finds
// its own change written as well.
func (l *ledger) save() error {
	if l.path == "" {
		return nil
	}
	mine := l.changed.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written >= mine || l.retired {
		return nil
	}
	upTo := l.changed.Load()
	l.marks.Lock()
	touched, whole := l.touched, l.whole
	l.touched, l.whole = nil, false
	l.marks.Unlock()
	if err := l.write(touched, whole); err != nil {
		l.change() // the file has to be written, and may be then
		l.drop()
		return fmt.Errorf("save the routes: %w", err)
	}
	l.written = upTo
	return nil
}

// write puts what was touched behind the journal, or writes the file anew. The caller holds mu.
func (l *ledger) write(touched map[string]bool, whole bool) error {
	if whole || l.journal == nil || l.journal.size > max(worthRewriting, l.size) {
		return l.rewrite()
	}
	var entries []entry
	for key := range touched {
		entries = append(entries, l.look(key))
	}
	return l.journal.append(entries)
}

// rewrite writes the file anew, and begins a journal. A death in between leaves the older journal, which bears another mark.
func (l *ledger) rewrite() error {
	l.drop()
	s := l.collect()
	s.Mark = rand.Text()
	size, err := replaceFile(l.path, s)
	if err != nil {
		return err
	}
	l.size = size
	l.journal, err = newJournal(l.path, s.Mark)
	return err
}

// drop closes the journal. The caller holds mu.
func (l *ledger) drop() {
	if l.journal != nil {
		l.journal.file.Close()
		l.journal = nil
	}
}

// replaceFile writes v beside the file and puts it in its place, so that there is a whole one at any moment.
func replaceFile(path string, v any) (size int64, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	_, err = f.Write(body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return int64(len(body)), os.Rename(f.Name(), path)
}

// retire lets nothing be written any more, and returns when nothing is.
func (l *ledger) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = true
}

// load reads the file and its journal. A file that is not there is an empty table. One that is damaged is put aside under its name with
// ".damaged", and the error says so.
func (l *ledger) load() (state, error) {
	if l.path == "" {
		return state{}, nil
	}
	body, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read the routes: %w", err)
	}
	var s state
	if err := json.Unmarshal(body, &s); err == nil && s.Version == stateVersion {
		if err := s.replay(l.path); err != nil {
			return state{}, fmt.Errorf("read the journal of the routes: %w", err)
		}
		return s, nil
	}
	aside := l.path + ".damaged"
	if err := os.Rename(l.path, aside); err != nil {
		return state{}, fmt.Errorf("%s is damaged: %w", l.path, err)
	}
	return state{}, fmt.Errorf("%s is damaged, and is kept as %s", l.path, aside)
}
