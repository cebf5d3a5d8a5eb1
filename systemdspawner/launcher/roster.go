package launcher

import (
	"context"
	"fmt"
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
	entries  map[hub.ServerRef]*entry
	names    map[string]*entry         // by name of unit
	tickets  map[hub.ServerRef]*ticket // starts that are not claimed yet
	left     []string                  // units of which systemd keeps a failure that nobody will be told any more
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
	former   string // invocation of the server's unit before, if its end was remembered
}

// ticket is a start about which everything is still to be decided: whose, what, whether at all.
type ticket struct {
	void bool // somebody asked for its end
}

func (e *entry) alive() bool { return e.ended.IsZero() }

func newRoster(now func() time.Time) *roster {
	return &roster{
		now: now, synced: make(chan struct{}), entries: map[hub.ServerRef]*entry{}, names: map[string]*entry{},
		tickets: map[hub.ServerRef]*ticket{}, watchers: map[*watcher]struct{}{},
	}
}

// put makes an entry that of its unit's server and name. The caller holds the lock.
func (r *roster) put(e *entry) {
	if before := r.entries[e.unit.ServerRef]; before != nil {
		r.drop(before)
	}
	r.entries[e.unit.ServerRef], r.names[e.unit.Name] = e, e
}

// drop takes an entry out. The caller holds the lock.
func (r *roster) drop(e *entry) {
	delete(r.entries, e.unit.ServerRef)
	if r.names[e.unit.Name] == e {
		delete(r.names, e.unit.Name)
	}
}

// begin announces a start, so that a Stop finds it that overtakes it. Whoever begins finishes as well.
func (r *roster) begin(ref hub.ServerRef) (*ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tickets[ref]; r.taken(ref) || t != nil && !t.void {
		return nil, runsAlready(ref)
	}
	t := new(ticket)
	r.tickets[ref] = t
	return t, nil
}

// leaving returns a unit that is ending just now, nil where there is none.
func (r *roster) leaving(ref hub.ServerRef) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[ref]; e != nil && e.alive() && e.unit.State == hub.UnitDeactivating {
		return e
	}
	return nil
}

func (r *roster) finish(ref hub.ServerRef, t *ticket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tickets[ref] == t {
		delete(r.tickets, ref)
	}
}

func (r *roster) taken(ref hub.ServerRef) bool {
	e := r.entries[ref]
	return e != nil && e.alive()
}

func runsAlready(ref hub.ServerRef) error {
	return hub.Errorf(hub.Conflict, "the server %s runs already", ref)
}

func wasStopped(ref hub.ServerRef) error {
	return hub.Errorf(hub.Conflict, "the server %s was stopped while it started", ref)
}

// claim makes room for a unit that is going to be started. A server whose unit is alive, or being started, whatever that is
// called, is a Conflict, and so is a start that somebody has asked to end. A name that another server's unit has is refused, and
// so is what is promised more than the machine has left.
func (r *roster) claim(u hub.Unit, t *ticket, m capacity, p promise) (*entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.void:
		return nil, wasStopped(u.ServerRef)
	case r.taken(u.ServerRef):
		return nil, runsAlready(u.ServerRef)
	}
	holder := r.names[u.Name]
	if holder != nil && holder.alive() {
		return nil, nameTaken(u.Name, holder.unit.ServerRef)
	}
	if err := m.holds(r.sum(hub.TopSlice), p); err != nil {
		return nil, err
	}
	u.State = hub.UnitActivating
	e := &entry{unit: u, promise: p, changed: make(chan struct{}), blind: func() {}, starting: true}
	if before := r.entries[u.ServerRef]; before != nil {
		e.former = before.unit.Invocation
		if before.failed && before != holder {
			r.left = append(r.left, before.unit.Name)
		}
	}
	if holder != nil {
		holder.failed = false // the start makes systemd forget it
	}
	r.put(e)
	r.tell(e)
	return e, nil
}

// nameTaken is the refusal of a name that another server's unit has since before the template of names was changed.
func nameTaken(unit string, by hub.ServerRef) error {
	return refused(hub.Conflict, hub.CauseNameClash, "The name of your server's unit is taken on this machine.",
		fmt.Errorf("%s runs the server %s, and was started when unit_name_template was another: jupyterhub servers stop %[2]s", unit, by))
}

// started says that the Start of a unit has done its part.
func (r *roster) started(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.starting = false
}

// ask marks a unit as one that shall end, and a start of it that has only begun as one that shall not go on. It returns nil for
// a unit that is not alive.
func (r *roster) ask(ref hub.ServerRef) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tickets[ref]; t != nil {
		t.void = true
	}
	e := r.entries[ref]
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
// anew, or has its control group only now: then somebody has to look for its socket and watch its limits. Twin is a unit of a
// server that has another one, which stays: the roster takes no notice of it.
func (r *roster) update(u hub.Unit, group string, c Choice, p promise) (fresh, twin bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[u.ServerRef]
	switch {
	case e == nil || !e.alive():
		e = &entry{unit: hub.Unit{ServerRef: u.ServerRef, Name: u.Name}, changed: make(chan struct{}), blind: func() {}}
		r.put(e)
	case e.unit.Name != u.Name:
		return false, true
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
	return fresh, false
}

// watching gives a unit what looks after it: the function that stops looking for its socket, and the evidence of its
// limits. What it had before is closed. It reports false when the unit has ended meanwhile.
func (r *roster) watching(name string, blind func(), v *evidence) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.names[name]
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
	if e := r.names[name]; e != nil && e.alive() && e.unit.Listening != listening {
		e.unit.Listening = listening
		r.tell(e)
	}
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

// get returns a copy of the entry of a server's unit.
func (r *roster) get(ref hub.ServerRef) (entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return copied(r.entries[ref])
}

// named returns a copy of the entry of the unit of a name.
func (r *roster) named(name string) (entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return copied(r.names[name])
}

func copied(e *entry) (entry, bool) {
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
