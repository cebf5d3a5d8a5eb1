package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// The file of the table is written anew now and then; what changes in between is put behind one another in a journal beside it, so
// that a change costs the same with a hundred routes and with a hundred thousand. Both bear the same mark: a journal of another
// mark is older than the file, and is not read.

// journalSuffix is what the journal's name has more than the file's.
const journalSuffix = ".journal"

// worthRewriting is how many bytes a journal has before the file is written anew, unless the file itself is larger.
const worthRewriting = 4 << 20

// entry is a line of the journal: what a key stands for now. The first one has the mark alone.
type entry struct {
	Mark  string      `json:"mark,omitempty"`
	Key   string      `json:"key,omitempty"`   // of a route, "session:" with the name of one that has ended, or "alias:" as the file names it
	Route *savedRoute `json:"route,omitempty"` // nil: the route is gone
	Until time.Time   `json:"until,omitzero"`  // for sessions
	Alias *alias      `json:"alias,omitempty"` // nil: there is none any more
}

// What begins keys that are no routes: these begin with a slash.
const (
	sessionKey = "session:"
	aliasKey   = "alias:"
)

// journalFile is an open journal.
type journalFile struct {
	file *os.File
	size int64
}

// append puts entries behind the others. After an error it may end in half a line, and nothing can follow.
func (j *journalFile) append(entries []entry) error {
	var lines bytes.Buffer
	for _, e := range entries {
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			return err
		}
	}
	n, err := j.file.Write(lines.Bytes())
	j.size += int64(n)
	if err != nil {
		return err
	}
	return j.file.Sync()
}

// newJournal begins a journal beside the file of that mark. What was there is older than the file.
func newJournal(path, mark string) (*journalFile, error) {
	f, err := os.OpenFile(path+journalSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journalFile{file: f}
	if err := j.append([]entry{{Mark: mark}}); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// replay brings a state to where the journal beside its file ends. A line that is not whole was never answered for: it is the last.
func (s *state) replay(path string) error {
	text, err := os.ReadFile(path + journalSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	last := map[string]entry{}
	for n := 0; ; n++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		var e entry
		if !whole || json.Unmarshal(line, &e) != nil {
			break
		}
		if n == 0 && (e.Mark == "" || e.Mark != s.Mark) {
			return nil
		}
		last[e.Key] = e
		text = rest
	}
	delete(last, "")
	s.Routes = slices.DeleteFunc(s.Routes, func(r savedRoute) bool { _, changed := last[r.Key]; return changed })
	for key, e := range last {
		s.apply(key, e)
	}
	return nil
}

// apply brings a state to what a key stands for now. The key's route is out already.
func (s *state) apply(key string, e entry) {
	if e.Route != nil {
		s.Routes = append(s.Routes, *e.Route)
	}
	if name, ok := strings.CutPrefix(key, sessionKey); ok {
		if s.Ended == nil {
			s.Ended = map[string]time.Time{}
		}
		s.Ended[name] = e.Until
	}
	if name, ok := strings.CutPrefix(key, aliasKey); ok {
		delete(s.Aliases, name)
		if e.Alias != nil {
			if s.Aliases == nil {
				s.Aliases = map[string]alias{}
			}
			s.Aliases[name] = *e.Alias
		}
	}
}
