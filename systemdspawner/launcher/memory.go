package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"jupyterhubd/hub"
)

// lasting are the limits that were set for good, by server. They are root's side's own: the hub says once that it wants some,
// and never what holds at a start. Root's file bounds them at each start anew.
type lasting struct {
	file string // "" keeps nothing over a restart

	mu  sync.Mutex // guards all
	all map[string]lastingLimits
}

// lastingLimits are those of one server. UID is whose it was: a name can come to somebody else.
type lastingLimits struct {
	UID    int64      `json:"uid"`
	Limits hub.Limits `json:"limits"`
}

// Bounds of what is remembered: who asks may be a hub that was taken over.
const (
	maxLasting        = 20000
	maxLastingPerUser = 100
	maxLastingFile    = 16 << 20
)

// openLasting reads the file. What cannot be read is an error, and nothing is remembered.
func openLasting(file string) (*lasting, error) {
	s := &lasting{file: file, all: map[string]lastingLimits{}}
	if file == "" {
		return s, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && len(b) > maxLastingFile {
		err = errors.New("it is too large")
	}
	if err == nil {
		err = json.Unmarshal(b, &s.all)
	}
	if err != nil || s.all == nil {
		s.all = map[string]lastingLimits{}
		return s, fmt.Errorf("read the limits that were set for good, going on without: %s: %w", file, err)
	}
	return s, nil
}

// of returns what is remembered of a server of the account.
func (s *lasting) of(ref hub.ServerRef, uid int64) hub.Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, known := s.all[ref.String()]
	if !known || l.UID != uid {
		return hub.Limits{}
	}
	return l.Limits
}

// set remembers limits of a server of the account; none forgets it.
func (s *lasting) set(ref hub.ServerRef, uid int64, limits hub.Limits) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := ref.String()
	before, known := s.all[key]
	switch {
	case limits.IsZero() && !known:
		return nil
	case limits.IsZero():
		delete(s.all, key)
	case !known && (len(s.all) >= maxLasting || s.count(ref.User) >= maxLastingPerUser):
		return hub.Errorf(hub.TooMany, "limits of %d servers are remembered at most, %d of one user: forget some first", maxLasting, maxLastingPerUser)
	default:
		s.all[key] = lastingLimits{uid, limits}
	}
	err := s.write()
	if err != nil { // what is not on the disk does not hold
		if delete(s.all, key); known {
			s.all[key] = before
		}
	}
	return err
}

func (s *lasting) count(user string) int {
	n := 0
	for key := range s.all {
		if strings.HasPrefix(key, user+"/") {
			n++
		}
	}
	return n
}

// write replaces the file whole, so that a machine which loses power has the old one or the new one.
func (s *lasting) write() error {
	if s.file == "" {
		return nil
	}
	b, err := json.MarshalIndent(s.all, "", "\t")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.file), ".limits-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename, ignoring
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.file)
}
