package launcher

import (
	"time"

	"jupyterhubd/hub"
)

// Limits of what is remembered of failed units.
const (
	maxRemembered = 1000
	remembered    = time.Hour
)

// end takes a unit out of the picture. With a cause it is remembered as failed; keeps says that systemd has it as failed
// too, until somebody was told. It reports whether the unit was in the picture.
func (r *roster) end(u hub.Unit, cause *hub.Cause, keeps bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.ServerRef]
	if e == nil {
		e = &entry{unit: u, changed: make(chan struct{}), blind: func() {}}
		r.put(e)
	}
	if !e.alive() || e.unit.Name != u.Name {
		return false
	}
	e.unwatch()
	e.ended, e.failed, e.unit = r.now(), keeps, u
	e.unit.State, e.unit.Listening, e.unit.Cause = hub.UnitInactive, false, cause
	if cause != nil && cause.Kind != hub.CauseShutdown {
		e.unit.State = hub.UnitFailed
	}
	r.tell(e)
	if cause == nil {
		r.drop(e)
	}
	r.forgetOld()
	return true
}

// amend tells the cause of a failure once more, now that it is whole. A run that was followed by another is over.
func (r *roster) amend(u hub.Unit, whole *hub.Cause) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.ServerRef]
	if e == nil || e.alive() || e.unit.Invocation != u.Invocation {
		return
	}
	e.unit.Cause, e.failed = whole, true
	r.tell(e)
}

// forgetOld drops failed units that nobody is going to ask for. Systemd forgets them as well, through told.
func (r *roster) forgetOld() {
	var oldest *entry
	count := 0
	for _, e := range r.entries {
		if e.alive() {
			continue
		}
		if r.now().Sub(e.ended) > remembered && !e.failed {
			r.drop(e)
			continue
		}
		count++
		if oldest == nil || e.ended.Before(oldest.ended) {
			oldest = e
		}
	}
	if count > maxRemembered {
		r.drop(oldest)
	}
}

// told returns the units that systemd still keeps as failed although their cause has been told, once each.
func (r *roster) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.watchers) == 0 {
		return nil
	}
	names := r.left
	r.left = nil
	for _, e := range r.entries {
		if e.failed {
			e.failed = false
			names = append(names, e.unit.Name)
		}
	}
	return names
}
