package spawnertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// Script says how starts of a server go. The zero Script starts at once, listens at once and lives on.
type Script struct {
	StartDelay  time.Duration // until the unit is active
	Refuse      error         // what Start answers instead, after StartDelay
	Gone        string        // a profile that Start refuses: there is none of this name
	Death       *hub.Cause    // with DieAfter: how the unit fails; nil: it ends well
	JournalTime time.Duration // from the unit's failure until its cause is told again, with its journal; 0: it is told once
	DieAfter    time.Duration // from active to the end of the unit; 0: never
	ListenDelay time.Duration // from active to the socket
	Silent      bool          // never listens
	StopDelay   time.Duration // until a stopped unit is gone
	FreezeDelay time.Duration // until a unit sleeps, and until it is awake again
	Restless    bool          // it cannot be frozen
}

// Fake is a machine that runs units, in memory.
type Fake struct {
	mu       sync.Mutex // guards the rest
	boot     int
	starts   int
	away     bool
	names    hub.UnitNames
	scripts  map[hub.ServerRef]Script
	units    map[hub.ServerRef]hub.Unit
	stopping map[hub.ServerRef]chan struct{} // closed to end a start under way
	watchers map[*watcher]bool
	calls    []string
	looks    int // calls of Usage
	ended    map[string]hub.Ended
	work     map[hub.ServerRef][2]int64 // nanoseconds of CPU and bytes of memory; a second and 100 MiB where there is nothing
}

// NewFake returns a machine on which nothing runs and every account exists but nobody's.
func NewFake() *Fake {
	return &Fake{
		scripts: map[hub.ServerRef]Script{}, units: map[hub.ServerRef]hub.Unit{},
		stopping: map[hub.ServerRef]chan struct{}{}, watchers: map[*watcher]bool{}, ended: map[string]hub.Ended{}, work: map[hub.ServerRef][2]int64{},
	}
}

// Unknown is an account that no Fake has.
const Unknown = "nobody-of-that-name"

// Rename sets what units are called that are started from now on.
func (f *Fake) Rename(names hub.UnitNames) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = names
}

// Script sets how the next starts of a server go.
func (f *Fake) Script(ref hub.ServerRef, s Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[ref] = s
}

// errAway is what a caller gets from a machine that does not answer.
func errAway() error { return &hub.Error{Kind: hub.Unavailable, Text: "nobody answers"} }

// Start makes a unit.
func (f *Fake) Start(ctx context.Context, ref hub.ServerRef, profile string, _ json.RawMessage) (hub.Unit, error) {
	script, stop, err := f.begin(ref, profile)
	if err != nil {
		return hub.Unit{}, err
	}
	select {
	case <-time.After(script.StartDelay):
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-stop:
		err = &hub.Error{Kind: hub.Conflict, Text: "stopped while it started", Cause: &hub.Cause{Kind: hub.CauseExited, Message: "It was stopped."}}
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return f.finish(ref, script, stop, err)
}

// begin makes the unit activating.
func (f *Fake) begin(ref hub.ServerRef, profile string) (Script, chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "start "+ref.String())
	switch {
	case f.away:
		return Script{}, nil, errAway()
	case ref.User == Unknown:
		return Script{}, nil, &hub.Error{Kind: hub.NotFound, Text: "no such account",
			Cause: &hub.Cause{Kind: hub.CauseAccount, Message: "There is no such account."}}
	case profile != "" && profile == f.scripts[ref].Gone:
		return Script{}, nil, hub.Errorf(hub.Invalid, "there is no profile %q; choose another one", profile)
	case f.units[ref].State.Alive():
		return Script{}, nil, hub.Errorf(hub.Conflict, "the server %s runs already", ref)
	}
	f.starts++
	stop := make(chan struct{})
	f.stopping[ref] = stop
	f.put(hub.Unit{
		ServerRef: ref, Name: f.names.Of(ref), UID: int64(1000 + len(ref.User)), State: hub.UnitActivating,
		Socket: fmt.Sprintf("/run/jupyter/%016x/s", f.starts), Invocation: fmt.Sprintf("%032x", f.starts),
		Memory: -1, CPU: -1, Tasks: -1,
	})
	return f.scripts[ref], stop, nil
}

// finish makes it active, or gone.
func (f *Fake) finish(ref hub.ServerRef, s Script, stop chan struct{}, err error) (hub.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping[ref] == stop {
		delete(f.stopping, ref)
	}
	u := f.units[ref]
	if err == nil {
		err = s.Refuse
	}
	if err != nil {
		f.remove(u, hub.UnitFailed, nil)
		return hub.Unit{}, err
	}
	u.State, u.Since, u.Listening = hub.UnitActive, time.Now(), !s.Silent && s.ListenDelay == 0
	f.put(u)
	if s.ListenDelay > 0 && !s.Silent {
		f.later(u, s.ListenDelay, func(u hub.Unit) { u.Listening = true; f.put(u) })
	}
	if s.DieAfter > 0 {
		f.later(u, s.DieAfter, func(u hub.Unit) { f.die(u, s.Death) })
	}
	if f.away {
		return hub.Unit{}, errAway() // the job is done, the answer is lost
	}
	return u, nil
}

// later does something to a unit, if it is still the same then. f.mu is held both times.
func (f *Fake) later(u hub.Unit, d time.Duration, do func(hub.Unit)) {
	time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if now := f.units[u.ServerRef]; now.Invocation == u.Invocation && now.State.Alive() {
			do(now)
		}
	})
}

// Stop removes a unit.
func (f *Fake) Stop(ctx context.Context, ref hub.ServerRef) error {
	f.mu.Lock()
	f.calls = append(f.calls, "stop "+ref.String())
	u := f.units[ref]
	if f.away {
		f.mu.Unlock()
		return errAway()
	}
	if stop := f.stopping[ref]; stop != nil {
		close(stop)
		delete(f.stopping, ref)
	}
	delay := f.scripts[ref].StopDelay
	if u.State == hub.UnitActive {
		u.State = hub.UnitDeactivating
		f.put(u)
	}
	f.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.units[ref]; now.Invocation == u.Invocation && now.State.Alive() {
		f.remove(now, hub.UnitInactive, nil)
	}
	return nil
}

// Usage reports made-up figures of what is active.
func (f *Fake) Usage(context.Context) ([]hub.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	if f.away {
		return nil, errAway()
	}
	var used []hub.Unit
	for _, u := range f.units {
		if u.State == hub.UnitActive {
			w := f.worked(u.ServerRef)
			u.Memory, u.CPU, u.Tasks = w.Memory, w.CPU, 10
			used = append(used, u)
		}
	}
	return used, nil
}

// worked is what a server has used; f.mu is held.
func (f *Fake) worked(ref hub.ServerRef) hub.Counted {
	if set, ok := f.work[ref]; ok {
		return hub.Counted{CPU: set[0], Memory: set[1]}
	}
	return hub.Counted{CPU: int64(time.Second), Memory: 100 << 20}
}

// Forget lets nobody know any more what ended units used.
func (f *Fake) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.ended)
}

// Ended reports what was used by units that are gone.
func (f *Fake) Ended(_ context.Context, invocations []string) ([]hub.Ended, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errAway()
	}
	var runs []hub.Ended
	for _, id := range invocations {
		if e, known := f.ended[id]; known {
			runs = append(runs, e)
		}
	}
	return runs, nil
}

// put changes a unit and tells it; f.mu is held.
func (f *Fake) put(u hub.Unit) {
	f.units[u.ServerRef] = u
	f.tell(u)
}

// remove ends a unit; a failed one stays in the inventory with its cause, as systemd keeps it.
func (f *Fake) remove(u hub.Unit, end hub.UnitState, cause *hub.Cause) {
	u.State, u.Listening, u.Cause = end, false, cause
	w := f.worked(u.ServerRef)
	f.ended[u.Invocation] = hub.Ended{Invocation: u.Invocation, CPU: w.CPU, Memory: w.Memory, At: time.Now()}
	f.tell(u)
	if delete(f.units, u.ServerRef); cause != nil {
		f.units[u.ServerRef] = u
	}
}

func (f *Fake) die(u hub.Unit, cause *hub.Cause) {
	if cause == nil {
		f.remove(u, hub.UnitInactive, nil)
		return
	}
	delay := f.scripts[u.ServerRef].JournalTime
	whole := *cause
	whole.Unit, whole.Invocation = u.Name, u.Invocation
	if delay == 0 {
		f.remove(u, hub.UnitFailed, &whole)
		return
	}
	partial := whole
	partial.Journal, partial.Partial = nil, true
	f.remove(u, hub.UnitFailed, &partial)
	time.AfterFunc(delay, func() { f.amend(u, &whole) })
}

// amend tells a failure again, unless another run came meanwhile.
func (f *Fake) amend(u hub.Unit, whole *hub.Cause) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.units[u.ServerRef]; now.Invocation == u.Invocation && now.State == hub.UnitFailed {
		now.Cause = whole
		f.put(now)
	}
}

// Looks returns how often Usage was called.
func (f *Fake) Looks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

// Calls returns what was asked so far: "start alice/", "stop alice/lab".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}
