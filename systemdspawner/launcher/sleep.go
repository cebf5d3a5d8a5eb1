package launcher

import (
	"context"
	"errors"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// drowsy is how long a unit may take to fall asleep: a process in a call that cannot be interrupted, of a network file system
// that is away, say, holds it up.
const drowsy = 10 * time.Second

// Freeze lays the server's unit to sleep, and returns it once no process of it runs. From then on its memory is asked back. A
// unit that sleeps is no error.
func (l *Launcher) Freeze(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	e, b, err := l.running(ctx, ref)
	if err != nil {
		return hub.Unit{}, err
	}
	name := e.unit.Name
	if err := l.cgroups.freezes(); err != nil {
		return hub.Unit{}, err
	}
	if !e.unit.Frozen {
		if err := l.freeze(ctx, b, name); err != nil {
			return hub.Unit{}, err
		}
	}
	unit, err := l.seenNow(ctx, name)
	if err == nil && unit.Frozen {
		l.reclaims.begin(ctx, name, func(ctx context.Context) { l.reclaim(ctx, name, e.group) })
	}
	return unit, err
}

// Thaw wakes the server's unit and returns it once it runs. A unit that is awake is no error.
func (l *Launcher) Thaw(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	e, b, err := l.running(ctx, ref)
	if err != nil {
		return hub.Unit{}, err
	}
	if err := l.thaw(ctx, b, e.unit.Name); err != nil {
		return hub.Unit{}, err
	}
	return l.seenNow(ctx, e.unit.Name)
}

// running returns what is known of a server's unit that is active and is not about to end.
func (l *Launcher) running(ctx context.Context, ref hub.ServerRef) (entry, *bus, error) {
	if err := checkRef(ref); err != nil {
		return entry{}, nil, err
	}
	if err := l.roster.ready(ctx); err != nil {
		return entry{}, nil, err
	}
	e, known := l.roster.get(ref)
	if !known || e.unit.State != hub.UnitActive || e.stopping {
		return entry{}, nil, notRunning(ref)
	}
	b, err := l.connection(ctx)
	return e, b, err
}

func notRunning(ref hub.ServerRef) error {
	return hub.Errorf(hub.NotRunning, "the server %s does not run", ref)
}

// freeze asks systemd. A unit that does not fall asleep in time is woken again: half asleep it would be of no use.
func (l *Launcher) freeze(ctx context.Context, b *bus, name string) error {
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), drowsy)
	defer cancel()
	err := b.FreezeUnit(asked, name)
	switch {
	case err == nil:
		return nil
	case isBusError(err, notSupported):
		return cannotFreeze("systemd says that " + name + " cannot be frozen")
	case isBusError(err, noSuchUnit), isBusError(err, unitInactive):
		return hub.Errorf(hub.NotRunning, "the server does not run any more")
	case asked.Err() != nil:
		return errors.Join(hub.Errorf(hub.Unavailable, "the server did not fall asleep within %s", drowsy), l.thaw(ctx, b, name))
	}
	return busError(err, "freeze "+name)
}

// thaw ends the work on the unit's memory, and its sleep.
func (l *Launcher) thaw(ctx context.Context, b *bus, name string) error {
	l.reclaims.end(name)
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), drowsy)
	defer cancel()
	err := b.ThawUnit(asked, name)
	if err == nil || isBusError(err, notSupported) || isBusError(err, noSuchUnit) || isBusError(err, unitInactive) {
		return nil
	}
	return busError(err, "thaw "+name)
}

// seenNow looks at a unit and returns it as it is then.
func (l *Launcher) seenNow(ctx context.Context, name string) (hub.Unit, error) {
	if err := l.look(context.WithoutCancel(ctx), name); err != nil { // what it begins to watch outlives the call
		return hub.Unit{}, busError(err, "look at "+name)
	}
	e, known := l.roster.named(name)
	if !known || e.unit.State != hub.UnitActive {
		return hub.Unit{}, hub.Errorf(hub.NotRunning, "the server does not run any more")
	}
	return e.unit, nil
}

// cannotFreeze is the refusal of a machine that cannot.
func cannotFreeze(why string) error {
	const message = "Servers cannot sleep on this machine."
	return &hub.Error{
		Kind: hub.Conflict, Text: message, Err: errors.New(why),
		Cause: &hub.Cause{Kind: hub.CauseCannotFreeze, Message: message, Detail: why},
	}
}

// reclaims is the work of giving units' memory back, one goroutine a unit that sleeps.
type reclaims struct {
	mu    sync.Mutex // guards under
	under map[string]context.CancelFunc
	all   sync.WaitGroup
}

// begin starts work for a unit, unless some is under way. It goes on when whoever asked has left.
func (r *reclaims) begin(ctx context.Context, name string, work func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.under[name] != nil {
		return
	}
	if r.under == nil {
		r.under = map[string]context.CancelFunc{}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.under[name] = cancel
	r.all.Go(func() {
		work(ctx)
		r.end(name)
	})
}

// end cancels the work for a unit.
func (r *reclaims) end(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.under[name]; cancel != nil {
		cancel()
		delete(r.under, name)
	}
}

// wait ends all of it.
func (r *reclaims) wait() {
	r.mu.Lock()
	for _, cancel := range r.under {
		cancel()
	}
	r.mu.Unlock()
	r.all.Wait()
}
