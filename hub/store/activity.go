package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// layer is activity that is newer than the file, by what was active.
type layer struct {
	mu       sync.RWMutex // guards the maps
	users    map[string]time.Time
	servers  map[hub.ServerRef]time.Time
	tokens   map[uint64]time.Time
	sessions map[string]time.Time
}

func newLayer() *layer {
	return &layer{users: map[string]time.Time{}, servers: map[hub.ServerRef]time.Time{}, tokens: map[uint64]time.Time{}, sessions: map[string]time.Time{}}
}

// Touch notes that a server was active. It costs no transaction: every read sees it at once, Run writes it within a second.
// Activity only moves forward, and that of something which does not exist is dropped.
func (s *Store) Touch(ref hub.ServerRef, at time.Time) {
	s.touch(func(l *layer) { forward(l.servers, ref, at) })
}

// TouchUser notes that a user was active, as Touch does.
func (s *Store) TouchUser(name string, at time.Time) {
	s.touch(func(l *layer) { forward(l.users, name, at) })
}

// TouchToken notes that a token was used, as Touch does.
func (s *Store) TouchToken(id uint64, at time.Time) {
	s.touch(func(l *layer) { forward(l.tokens, id, at) })
}

// TouchSession notes that a browser was seen, as Touch does.
func (s *Store) TouchSession(id string, at time.Time) {
	s.touch(func(l *layer) { forward(l.sessions, id, at) })
}

func (s *Store) touch(note func(*layer)) {
	s.notes.Add(1)
	s.mu.Lock()
	s.current.mu.Lock()
	note(s.current)
	s.current.mu.Unlock()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func forward[K comparable](m map[K]time.Time, k K, at time.Time) { m[k] = later(m[k], at.UTC()) }

func (l *layer) empty() bool { return len(l.users)+len(l.servers)+len(l.tokens)+len(l.sessions) == 0 }

const (
	flushEvery = 500 * time.Millisecond // half of the second that a kill may cost
	pruneEvery = 10 * time.Minute
)

// Run writes activity and removes what is expired until ctx ends, then writes what is left. Its error is that last write's.
func (s *Store) Run(ctx context.Context) error {
	s.report(s.prune())
	prune := time.NewTimer(s.untilPrune())
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.flush()
		case <-prune.C:
			s.report(s.prune())
			prune.Reset(s.untilPrune())
		case <-s.sooner:
			prune.Reset(s.untilPrune())
		case <-s.wake:
			select {
			case <-ctx.Done():
			case <-time.After(flushEvery):
			}
			s.report(s.flush())
		}
	}
}

func (s *Store) report(err error) {
	if s.opts.Report != nil {
		s.opts.Report(err)
	}
}

func (s *Store) prune() error {
	for more := true; more; {
		err := s.Update(func(tx *Tx) (err error) {
			more, err = tx.Prune()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// flush writes the activity of the current layer in one transaction. Meanwhile and until the layer is dropped, reads look
// at both: a View takes its layers and its picture of the file in one moment, so it never sees a moment in which activity is
// in neither. What could not be written goes back and is tried again.
func (s *Store) flush() error {
	s.mu.Lock()
	if s.current.empty() {
		s.mu.Unlock()
		return nil
	}
	full := s.current
	s.current, s.flushing = newLayer(), full
	s.mu.Unlock()

	err := s.Update(func(tx *Tx) error { return tx.apply(full) })

	s.mu.Lock()
	s.flushing = nil
	s.mu.Unlock()
	if err != nil {
		s.touch(func(l *layer) { l.absorb(full) })
	}
	return err
}

func (l *layer) absorb(o *layer) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	absorb(l.users, o.users)
	absorb(l.servers, o.servers)
	absorb(l.tokens, o.tokens)
	absorb(l.sessions, o.sessions)
}

func absorb[K comparable](into, from map[K]time.Time) {
	for k, at := range from {
		forward(into, k, at)
	}
}

// apply writes a layer, in key order, which is the order of pages.
func (tx *Tx) apply(l *layer) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(l.users)) {
		if err := tx.applyUser(name, l.users[name]); err != nil {
			return err
		}
	}
	for ref, at := range l.servers {
		s, ok, err := load[hub.Server](tx, bucketServers, serverKey(ref))
		if err == nil && ok && at.After(s.LastActivity) {
			s.LastActivity = at
			err = save(tx, bucketServers, serverKey(ref), s, nil, nil)
		}
		if err != nil {
			return err
		}
	}
	for id, at := range l.tokens {
		err := tx.changeToken(id, func(t *tokenRecord) { t.LastActivity = later(t.LastActivity, at) })
		if err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
	}
	for id, at := range l.sessions {
		err := tx.changeSession(id, func(s *sessionRecord) { s.LastSeen = later(s.LastSeen, at) })
		if err != nil && hub.KindOf(err) != hub.NotFound {
			return err
		}
	}
	return nil
}

func (tx *Tx) applyUser(name string, at time.Time) error {
	u, ok, err := tx.storedUser(name)
	if err != nil || !ok || !at.After(u.LastActivity) {
		return err
	}
	old := userRows(u)
	u.LastActivity = at
	return save(tx, bucketUsers, []byte(name), u, old, userRows(u))
}

func (tx *Tx) touchedUser(name string) time.Time {
	return newest(tx.layers, func(l *layer) time.Time { return l.users[name] })
}

func (tx *Tx) touchedServer(ref hub.ServerRef) time.Time {
	return newest(tx.layers, func(l *layer) time.Time { return l.servers[ref] })
}

func (tx *Tx) touchedToken(id uint64) time.Time {
	return newest(tx.layers, func(l *layer) time.Time { return l.tokens[id] })
}

func (tx *Tx) touchedSession(id string) time.Time {
	return newest(tx.layers, func(l *layer) time.Time { return l.sessions[id] })
}

// Freshen brings a user, who may be nil, and a token that were read before to the activity that was noted since.
func (s *Store) Freshen(u *hub.User, t *hub.Token) {
	s.mu.Lock()
	now := [2]*layer{s.current, s.flushing}
	s.mu.Unlock()
	t.LastActivity = later(t.LastActivity, newest(now, func(l *layer) time.Time { return l.tokens[t.ID] }))
	if u != nil {
		u.LastActivity = later(u.LastActivity, newest(now, func(l *layer) time.Time { return l.users[u.Name] }))
	}
}

func newest(layers [2]*layer, look func(*layer) time.Time) (at time.Time) {
	for _, l := range layers {
		if l != nil {
			l.mu.RLock()
			at = later(at, look(l))
			l.mu.RUnlock()
		}
	}
	return at
}

// userNames lists whose activity a layer holds.
func (l *layer) userNames() []string {
	if l == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Collect(maps.Keys(l.users))
}

// forget drops a user's activity once the transaction that removes them is on disk: who gets the name later starts anew.
func (tx *Tx) forget(name string) {
	tx.b.OnCommit(func() { tx.s.drop(func(l *layer) { delete(l.users, name) }) })
}

func (tx *Tx) forgetServer(ref hub.ServerRef) {
	tx.b.OnCommit(func() { tx.s.drop(func(l *layer) { delete(l.servers, ref) }) })
}

func (s *Store) drop(from func(*layer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range []*layer{s.current, s.flushing} {
		if l != nil {
			l.mu.Lock()
			from(l)
			l.mu.Unlock()
		}
	}
}
