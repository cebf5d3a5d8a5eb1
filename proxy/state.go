package proxy

import (
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

// ledger keeps the table in a file, over the proxy's own death. Every change is in the file before it is answered; changes
// that come together are written together.
type ledger struct {
	path    string // "" keeps nothing
	collect func() state

	changed atomic.Uint64 // counts changes
	mu      sync.Mutex    // guards the fields below, and lets one write at a time
	written uint64        // the last change that is in the file
	retired bool          // another process writes the file now
}

// state is what the file holds.
type state struct {
	Version int                  `json:"version"`
	Routes  []savedRoute         `json:"routes"`
	Ended   map[string]time.Time `json:"ended_sessions,omitempty"` // by SHA-256, until when
}

type savedRoute struct {
	Path         string                     `json:"path"` // as it was posted, escaped; with its host under host routing
	Data         map[string]json.RawMessage `json:"data"`
	LastActivity time.Time                  `json:"last_activity"`
}

const stateVersion = 1

// change says that there is something new to save.
func (l *ledger) change() { l.changed.Add(1) }

// save returns when everything that had changed before the call is in the file. Whoever waits for another's write to end
// finds its own change written as well.
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
	if err := replaceFile(l.path, l.collect()); err != nil {
		return fmt.Errorf("save the routes: %w", err)
	}
	l.written = upTo
	return nil
}

// replaceFile writes v beside the file and puts it in its place, so that there is a whole one at any moment.
func replaceFile(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	_, err = f.Write(body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// retire lets nothing be written any more, and returns when nothing is.
func (l *ledger) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = true
}

// load reads the file. A file that is not there is an empty table. One that is damaged is put aside under its name with
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
		return s, nil
	}
	aside := l.path + ".damaged"
	if err := os.Rename(l.path, aside); err != nil {
		return state{}, fmt.Errorf("%s is damaged: %w", l.path, err)
	}
	return state{}, fmt.Errorf("%s is damaged, and is kept as %s", l.path, aside)
}
