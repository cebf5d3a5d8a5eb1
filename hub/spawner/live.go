package spawner

import (
	"context"
	"maps"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Server returns a server with what is true of it now. The default server of a user is there even if it never ran.
func (m *Manager) Server(ref hub.ServerRef) (hub.Live, error) {
	live, _, err := m.look(ref)
	return live, err
}

// look is Server, with the progress of the start under way if the server is active.
func (m *Manager) look(ref hub.ServerRef) (live hub.Live, p *progress, err error) {
	m.mu.Lock()
	if s := m.servers[ref]; s != nil {
		live.State, live.Unit, p = s.state, s.unit, s.progress
	}
	m.mu.Unlock()
	err = m.store.View(func(tx *store.Tx) error {
		live.Server, err = record(tx, ref)
		return err
	})
	return m.complete(live), p, err
}

// Servers returns the servers of a user that have a record: all that ever ran or were named.
func (m *Manager) Servers(user string) []hub.Live {
	var lives []hub.Live
	err := m.store.View(func(tx *store.Tx) error {
		for _, r := range tx.Servers(user) {
			lives = append(lives, hub.Live{Server: r})
		}
		return nil
	})
	m.warn(err, "read servers from the store, ignoring")
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range lives {
		if s := m.servers[lives[i].ServerRef]; s != nil {
			lives[i].State, lives[i].Unit = s.state, s.unit
		}
		lives[i] = m.complete(lives[i])
	}
	return lives
}

// Active returns the servers that are ready or pending, ordered by user and name.
func (m *Manager) Active() []hub.Live {
	m.mu.Lock()
	lives := make([]hub.Live, 0, len(m.servers))
	for ref, s := range m.servers {
		lives = append(lives, hub.Live{Server: hub.Server{ServerRef: ref}, State: s.state, Unit: s.unit})
	}
	m.mu.Unlock()
	err := m.store.View(func(tx *store.Tx) error {
		for i := range lives {
			if r, err := tx.Server(lives[i].ServerRef); err == nil {
				lives[i].Server = r
			}
			lives[i] = m.complete(lives[i])
		}
		return nil
	})
	m.warn(err, "read servers from the store, ignoring")
	slices.SortFunc(lives, func(a, b hub.Live) int { return strings.Compare(a.ServerRef.String(), b.ServerRef.String()) })
	return lives
}

// complete fills in what follows from the rest.
func (m *Manager) complete(l hub.Live) hub.Live {
	if l.State == "" {
		l.State = hub.Stopped
		if l.Failure != nil {
			l.State = hub.Failed
		}
	}
	l.URL = m.urls.Server(l.ServerRef)
	return l
}

// Wait returns when nothing is pending any more. After a start that failed the error says why: with a Cause, or of kind
// Invalid or Forbidden if it was refused because of what was asked for.
func (m *Manager) Wait(ctx context.Context, ref hub.ServerRef) (hub.Live, error) {
	var seen *server
	for {
		m.mu.Lock()
		s := m.servers[ref]
		if s == nil || s.state.Pending() == "" {
			m.mu.Unlock()
			return m.settled(ref, seen)
		}
		seen = s
		changed := s.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			live, err := m.Server(ref)
			if err == nil {
				err = ctx.Err()
			}
			return live, err
		}
	}
}

// settled is what Wait returns of a server that it may have seen pending.
func (m *Manager) settled(ref hub.ServerRef, seen *server) (hub.Live, error) {
	live, err := m.Server(ref)
	if err == nil && live.State == hub.Failed {
		err = withCause(live.Failure)
	}
	if err != nil && seen != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if seen.refusal != nil {
			err = seen.refusal
		}
	}
	return live, err
}

// Usage returns what the units of servers consume now.
func (m *Manager) Usage(ctx context.Context) (map[hub.ServerRef]hub.Unit, error) {
	units, err := m.spawner.Usage(ctx)
	if err != nil {
		return nil, err
	}
	used := make(map[hub.ServerRef]hub.Unit, len(units))
	for _, u := range units {
		used[u.ServerRef] = u
	}
	return used, nil
}

// warn logs an error of the Manager's own that nobody can be told.
func (m *Manager) warn(err error, message string) {
	if err != nil {
		m.log.Warn().Err(err).Msg(message)
	}
}

// active returns the references of all active servers; the caller does not hold mu.
func (m *Manager) active() []hub.ServerRef {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.servers))
}
