package launcher

import (
	"context"

	"jupyterhubd/hub"
)

// settle finds out why a unit failed, and takes it out of the picture. Systemd keeps the unit as failed until somebody has
// been told: a launcher that is killed in between finds it there and settles it again.
func (l *Launcher) settle(ctx context.Context, b *bus, s seen, ref hub.ServerRef) error {
	u := s.unit(ref)
	u.Socket = socketPath(l.sockets.base, u.Name)
	known, isKnown := l.roster.get(u.Name)
	switch {
	case isKnown && !known.alive() && known.unit.Invocation == u.Invocation:
		return nil // settled, and not told yet
	case isKnown && known.alive() && known.former != "" && known.former == u.Invocation:
		return nil // settled, and its successor is being started
	case isKnown && known.stopping:
		l.ended(u, nil, false)
		l.forget(ctx, b, u.Name)
		return nil
	}
	if cause := l.shutdown(ctx, b); cause != nil {
		l.ended(u, cause, false)
		return nil
	}
	l.ended(u, l.why(ctx, s, u, known.evidence), true)
	l.forgive(ctx)
	return nil
}

// why collects everything that is known of a failure.
func (l *Launcher) why(ctx context.Context, s seen, u hub.Unit, v *evidence) *hub.Cause {
	end := s.ending()
	t, err := readTail(ctx, u.Invocation, tailLines)
	if err != nil {
		l.o.Report("read the journal", u.Name, err)
	}
	ooms, forks, err := l.sockets.testimony(u.Name)
	if err != nil {
		l.o.Report("read what the unit's witness wrote", u.Name, err)
	}
	end.OutOfMemory = t.outOfMemory || ooms
	end.OutOfTasks = forks || v != nil && v.outOfTasks()
	end.Full, end.Hints = isFull(end.Home), hintsIn(t.lines)
	c := end.cause()
	if c == nil { // failed, and systemd has nothing to say
		c = &hub.Cause{Kind: hub.CauseSystem, Message: end.message(hub.CauseSystem), Detail: end.detail()}
	}
	c.Unit, c.Invocation, c.Journal, c.At = u.Name, u.Invocation, t.lines, l.o.Now().UTC()
	return c
}

// shutdown returns a cause when the machine is going down: whatever ends then has not failed.
func (l *Launcher) shutdown(ctx context.Context, b *bus) *hub.Cause {
	state, err := b.SystemStateContext(ctx)
	if err != nil || state.Value.Value() != "stopping" {
		return nil
	}
	return &hub.Cause{Kind: hub.CauseShutdown, Message: "The machine was shut down.", At: l.o.Now().UTC()}
}

// ended takes a unit out of the picture and removes its socket directory.
func (l *Launcher) ended(u hub.Unit, cause *hub.Cause, keeps bool) {
	if err := l.sockets.remove(u.Name); err != nil {
		l.o.Report("remove a socket directory", u.Name, err)
	}
	l.roster.end(u, cause, keeps)
}

// forgive lets systemd forget the failed units whose causes have been told, so that nothing accumulates there.
func (l *Launcher) forgive(ctx context.Context) {
	b, err := l.live()
	if err != nil {
		return // the next connection finds them
	}
	for _, name := range l.roster.told() {
		l.forget(ctx, b, name)
	}
}

func (l *Launcher) forget(ctx context.Context, b *bus, name string) {
	if err := b.ResetFailedUnitContext(ctx, name); err != nil && !isBusError(err, noSuchUnit) {
		l.o.Report("forget a failed unit", name, err)
	}
}
