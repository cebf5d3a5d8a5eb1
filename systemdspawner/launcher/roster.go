package launcher

import (
	"context"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// roster is the picture of what runs. It is drawn from systemd and never stored; whoever watches is told of every change.
type roster struct {
	now    func() time.Time
	synced chan struct{} // closed when the first picture is whole

	mu       sync.Mutex // guards what follows, and the fields of entries
	bootID   string
	entries  map[string]*entry  // by name of unit
	tickets  map[string]*ticket // starts that are not claimed yet, by name of unit
	watchers map[*watcher]struct{}
}

// entry is one unit of ours: alive, or ended with a cause that somebody may still want to know.
type entry struct {
	unit     hub.Unit
	group    string // control group, "" while it is not known
	choice   Choice // that it was started by
	promise  promise
	evidence *evidence
	blind    func()        // stops looking for the socket
	changed  chan struct{} // closed at the next change
	unwait   func()        // ends the wait for its turn; nil before
	starting bool          // a Start is at work on it
	stopping bool          // it was asked to stop: however it ends is well
	failed   bool          // systemd still keeps it as failed, until its cause has been told
	ended    time.Time
	former   string // invocation of the unit that had the name before, if its end was remembered
}

// ticket is a start about which everything is still to be decided: whose, what, whether at all.
type ticket struct {
	void bool // somebody asked for its end
}

func (e *entry) alive() bool { return e.ended.IsZero() }

// Limits of what is remembered of failed units.
const (
	maxRemembered = 1000
	remembered    = time.Hour
)

func newRoster(now func() time.Time) *roster {
	return &roster{now: now, synced: make(chan struct{}), entries: map[string]*entry{}, tickets: map[string]*ticket{}, watchers: map[*watcher]struct{}{}}
}

// begin announces a start, so that a Stop finds it that overtakes it. Whoever begins finishes as well.
func (r *roster) begin(ref hub.ServerRef) (*ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := hub.UnitName(ref)
	if t := r.tickets[name]; r.taken(name) || t != nil && !t.void {
		return nil, runsAlready(ref)
	}
	t := new(ticket)
	r.tickets[name] = t
	return t, nil
}

func (r *roster) finish(ref hub.ServerRef, t *ticket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name := hub.UnitName(ref); r.tickets[name] == t {
		delete(r.tickets, name)
	}
}

func (r *roster) taken(name string) bool {
	e := r.entries[name]
	return e != nil && e.alive()
}

func runsAlready(ref hub.ServerRef) error {
	return hub.Errorf(hub.Conflict, "the server %s runs already", ref)
}

func wasStopped(ref hub.ServerRef) error {
	return hub.Errorf(hub.Conflict, "the server %s was stopped while it started", ref)
}

// claim makes room for a unit that is going to be started. A unit that is alive, or being started, is a Conflict, and so is a
// start that somebody has asked to end. One that is promised more than the machine has left is refused.
func (r *roster) claim(u hub.Unit, t *ticket, m capacity, p promise) (*entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.void:
		return nil, wasStopped(u.ServerRef)
	case r.taken(u.Name):
		return nil, runsAlready(u.ServerRef)
	}
	if err := m.holds(r.sum(hub.TopSlice), p); err != nil {
		return nil, err
	}
	u.State = hub.UnitActivating
	e := &entry{unit: u, promise: p, changed: make(chan struct{}), blind: func() {}, starting: true}
	if before := r.entries[u.Name]; before != nil {
		e.former = before.unit.Invocation
	}
	r.entries[u.Name] = e
	r.tell(e)
	return e, nil
}

// started says that the Start of a unit has done its part.
func (r *roster) started(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.starting = false
}

// ask marks a unit as one that shall end, and a start of it that has only begun as one that shall not go on. It returns nil for
// a unit that is not alive.
func (r *roster) ask(name string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tickets[name]; t != nil {
		t.void = true
	}
	e := r.entries[name]
	if e == nil || !e.alive() {
		return nil
	}
	e.stopping = true
	if e.unwait != nil {
		e.unwait()
	}
	return e
}

// waits gives a unit that is being started what ends the wait for its turn.
func (r *roster) waits(e *entry, unwait func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.unwait = unwait
	if e.stopping {
		unwait()
	}
}

// unit returns what the entry says of its unit.
func (r *roster) unit(e *entry) hub.Unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.unit
}

// asked reports whether the unit shall end.
func (r *roster) asked(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.stopping
}

// update takes over what systemd says of a unit that is alive. It returns whether the unit is new to the roster, or runs
// anew, or has its control group only now: then somebody has to look for its socket and watch its limits.
func (r *roster) update(u hub.Unit, group string, c Choice, p promise) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.Name]
	if e == nil || !e.alive() {
		e = &entry{unit: hub.Unit{Name: u.Name}, changed: make(chan struct{}), blind: func() {}}
		r.entries[u.Name] = e
	}
	anew := u.Invocation != e.unit.Invocation
	fresh = u.Invocation != "" && anew || group != "" && group != e.group
	u.Listening = e.unit.Listening && !anew
	if group == "" {
		group = e.group
	}
	e.group, e.choice, e.promise = group, c, p
	if u != e.unit {
		e.unit = u
		r.tell(e)
	}
	return fresh
}

// watching gives a unit what looks after it: the function that stops looking for its socket, and the evidence of its
// limits. What it had before is closed. It reports false when the unit has ended meanwhile.
func (r *roster) watching(name string, blind func(), v *evidence) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[name]
	if e == nil || !e.alive() {
		return false
	}
	e.unwatch()
	e.blind, e.evidence = blind, v
	return true
}

func (e *entry) unwatch() {
	e.blind()
	if e.evidence != nil {
		e.evidence.close()
	}
	e.blind, e.evidence = func() {}, nil
}

// listens says that a unit's socket is there, or not.
func (r *roster) listens(name string, listening bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[name]; e != nil && e.alive() && e.unit.Listening != listening {
		e.unit.Listening = listening
		r.tell(e)
	}
}

// end takes a unit out of the picture. With a cause it is remembered as failed; keeps says that systemd has it as failed
// too, until somebody was told. It reports whether the unit was in the picture.
func (r *roster) end(u hub.Unit, cause *hub.Cause, keeps bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.Name]
	if e == nil {
		e = &entry{changed: make(chan struct{}), blind: func() {}}
		r.entries[u.Name] = e
	}
	if !e.alive() {
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
		delete(r.entries, u.Name)
	}
	r.forgetOld()
	return true
}

// amend tells the cause of a failure once more, now that it is whole. A run that was followed by another is over.
func (r *roster) amend(u hub.Unit, whole *hub.Cause) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.Name]
	if e == nil || e.alive() || e.unit.Invocation != u.Invocation {
		return
	}
	e.unit.Cause, e.failed = whole, true
	r.tell(e)
}

// awaitWhole waits, not for long, until the cause of a unit that failed is whole, and returns the unit as it is then.
func (r *roster) awaitWhole(ctx context.Context, e *entry, patience time.Duration) hub.Unit {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		r.mu.Lock()
		unit, changed := e.unit, e.changed
		r.mu.Unlock()
		if unit.Cause == nil || !unit.Cause.Partial {
			return unit
		}
		select {
		case <-changed:
		case <-late.C:
			return unit
		case <-ctx.Done():
			return unit
		}
	}
}

// forgetOld drops failed units that nobody is going to ask for. Systemd forgets them as well, through told.
func (r *roster) forgetOld() {
	var oldest string
	count := 0
	for name, e := range r.entries {
		if e.alive() {
			continue
		}
		if r.now().Sub(e.ended) > remembered && !e.failed {
			delete(r.entries, name)
			continue
		}
		count++
		if oldest == "" || e.ended.Before(r.entries[oldest].ended) {
			oldest = name
		}
	}
	if count > maxRemembered {
		delete(r.entries, oldest)
	}
}

// told returns the units that systemd still keeps as failed although their cause has been told, once each.
func (r *roster) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.watchers) == 0 {
		return nil
	}
	var names []string
	for name, e := range r.entries {
		if e.failed {
			e.failed = false
			names = append(names, name)
		}
	}
	return names
}

// get returns a copy of a unit's entry.
func (r *roster) get(name string) (entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[name]
	if e == nil {
		return entry{}, false
	}
	return *e, true
}

// alive returns copies of the entries of all units that are alive.
func (r *roster) alive() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]entry, 0, len(r.entries))
	for _, e := range r.entries {
		if e.alive() {
			all = append(all, *e)
		}
	}
	return all
}

// await returns a unit once ready says so or it has ended. The error is the context's.
func (r *roster) await(ctx context.Context, e *entry, ready func(hub.Unit) bool) (hub.Unit, error) {
	for {
		r.mu.Lock()
		unit, done, changed := e.unit, !e.alive(), e.changed
		r.mu.Unlock()
		if done || ready(unit) {
			return unit, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unit, context.Cause(ctx)
		}
	}
}

// redrawn says that the picture is whole, after a connection was made. Whoever watches gets all of it.
func (r *roster) redrawn(bootID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bootID = bootID
	select {
	case <-r.synced:
	default:
		close(r.synced)
	}
	for w := range r.watchers {
		w.whole = true
		w.poke()
	}
}
