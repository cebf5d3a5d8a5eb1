package spawner

import (
	"context"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// rest is what is still to be told of a failure whose cause was partial when it was told.
type rest struct {
	invocation string
	progress   *progress     // of the start that failed, or of this failure; it stays open
	told       chan struct{} // closed when the cause is whole
}

// Times and sizes of what is told of a failure after its cause.
const (
	restPatience = 15 * time.Second // that the Spawner may take to tell a partial cause again
	journalTime  = 10 * time.Second // for its journal to be read
	journalSoon  = time.Second      // for that of a unit which is to be stopped
	journalLines = 20
)

// awaitRest sees to it that a failure's partial cause is completed: by what the Spawner tells of the same run, if it tells it
// again, or with the lines of the unit's journal. The caller holds mu.
func (m *Manager) awaitRest(ref hub.ServerRef, p *progress, partial *hub.Cause, again bool) {
	r := &rest{invocation: partial.Invocation, progress: p, told: make(chan struct{})}
	m.rests[ref] = r
	m.do(func(ctx context.Context) {
		if again {
			pause(ctx, r.told, restPatience)
		}
		m.readRest(ctx, ref, r, partial)
	})
}

// readRest completes a cause with the unit's last lines, unless somebody else has meanwhile.
func (m *Manager) readRest(ctx context.Context, ref hub.ServerRef, r *rest, partial *hub.Cause) {
	select {
	case <-r.told:
		return
	default:
	}
	whole := *partial
	whole.Partial = false
	if m.journal != nil {
		whole.Journal = m.lines(ctx, ref, journalTime)
	}
	if ctx.Err() != nil {
		return // the next hub finds a cause that is partial
	}
	m.amend(ref, &whole)
}

// lines reads the end of what a server's unit wrote.
func (m *Manager) lines(ctx context.Context, ref hub.ServerRef, atMost time.Duration) []string {
	limited, done := context.WithTimeout(ctx, atMost)
	defer done()
	lines, err := m.journal(limited, ref, journalLines)
	if ctx.Err() == nil {
		m.warn(err, "read a unit's journal, ignoring")
	}
	return append([]string{}, lines...)
}

// amend replaces a failure's partial cause by a whole one of the same run, and tells whoever still listens.
func (m *Manager) amend(ref hub.ServerRef, whole *hub.Cause) {
	err := m.store.Update(func(tx *store.Tx) error {
		r, err := tx.Server(ref)
		if err != nil || r.Failure == nil || !r.Failure.Partial || r.Failure.Invocation != whole.Invocation {
			return ignoreAbsent(err)
		}
		r.Failure = whole
		return tx.PutServer(r)
	})
	m.warn(err, "write down why a server failed, ignoring")
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rests[ref]; r != nil && r.invocation == whole.Invocation {
		r.progress.add(failedEvent(whole))
		m.dismiss(ref)
	}
}

// dismiss ends the wait for the rest of a failure; the caller holds mu.
func (m *Manager) dismiss(ref hub.ServerRef) {
	if r := m.rests[ref]; r != nil {
		delete(m.rests, ref)
		r.progress.finish()
		close(r.told)
	}
}

// reread completes what a former hub, or a connection that broke, left partial. The caller holds mu.
func (m *Manager) reread(failed map[hub.ServerRef]*hub.Cause, units map[hub.ServerRef]hub.Unit) {
	for ref, partial := range failed {
		u := units[ref]
		same := u.Cause != nil && u.Invocation == partial.Invocation
		switch {
		case m.servers[ref] != nil:
		case same && !u.Cause.Partial:
			m.do(func(context.Context) { m.amend(ref, u.Cause) })
		case m.rests[ref] == nil:
			m.awaitRest(ref, only(failedEvent(partial)), partial, same)
		}
	}
}
