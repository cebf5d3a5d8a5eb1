package launcher

import (
	"context"
	"time"

	"jupyterhubd/hub"
)

// settle finds out why a unit failed, and takes it out of the picture. Systemd keeps the unit as failed until somebody has
// been told: a launcher that is killed in between finds it there and settles it again.
func (l *Launcher) settle(ctx context.Context, b *bus, s seen, u hub.Unit) error {
	u.Socket = socketPath(l.sockets.base, u.Name)
	l.ends.note(hub.Ended{Invocation: u.Invocation, CPU: int64(s.number("CPUUsageNSec")), Memory: -1, At: l.o.Now().UTC()})
	known, isKnown := l.roster.get(u.ServerRef)
	switch {
	case isKnown && known.unit.Name != u.Name: // of an earlier unit of this server, and nobody asks for that any more
		l.forget(ctx, b, u.Name)
		return nil
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
	if end := s.ending(); end.asked() { // by an admin, and it was killed
		l.ended(u, nil, false)
		l.forget(ctx, b, u.Name)
		return nil
	}
	l.failed(ctx, u, l.endingOf(ctx, s, u, known.evidence))
	l.forgive(ctx)
	return nil
}

// endingOf collects what is known of a failure without looking into the journal.
func (l *Launcher) endingOf(ctx context.Context, s seen, u hub.Unit, v *evidence) ending {
	end := s.ending()
	t, err := l.sockets.testimony(u.Name, u.Invocation)
	if err != nil {
		l.o.Report("read what the unit's witness wrote", u.Name, err)
	}
	end.OutOfMemory = t.outOfMemory || v != nil && v.outOfMemory()
	end.OutOfTasks = t.outOfTasks || v != nil && v.outOfTasks()
	end.Full = end.Result == "exit-code" && soon(ctx, func() bool { return isFull(end.Home) })
	return end
}

// failed tells a failure at once, and once more when the journal has been read: nobody who waits for the cause waits for that.
func (l *Launcher) failed(ctx context.Context, u hub.Unit, end ending) {
	c := end.failure(u, l.o.Now().UTC())
	c.Partial = isInvocation(u.Invocation) // others never ran
	if !l.ended(u, c, !c.Partial) || !c.Partial {
		return
	}
	l.readings.Go(func() { l.tellRest(ctx, u, end, c.At) })
}

// tellRest reads the journal and tells the failure with what it says. Where it says nothing in time the cause stays as it is. Systemd
// may forget the unit only then: until then a launcher that takes our place finds it and begins anew.
func (l *Launcher) tellRest(ctx context.Context, u hub.Unit, end ending, at time.Time) {
	if l.readers.Acquire(ctx, 1) != nil {
		return // we are leaving
	}
	defer l.readers.Release(1)
	t, err := l.journal(ctx, run{u.Name, u.Invocation, end.Began}, tailLines)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		l.o.Report("read the journal", u.Name, err)
	}
	end.OutOfMemory = end.OutOfMemory || t.outOfMemory
	end.Hints = hintsIn(t.lines)
	c := end.failure(u, at)
	c.Journal = t.lines
	l.roster.amend(u, c)
	l.forgive(ctx)
}

// atMost bounds what is asked of a file system that may not answer.
const atMost = 100 * time.Millisecond

// soon returns what ask says, or false where it does not say it soon: a file server that is away answers nothing for minutes.
func soon(ctx context.Context, ask func() bool) bool {
	said, late := make(chan bool, 1), time.NewTimer(atMost)
	defer late.Stop()
	go func() { said <- ask() }()
	select {
	case yes := <-said:
		return yes
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// shutdown returns a cause when the machine is going down: whatever ends then has not failed.
func (l *Launcher) shutdown(ctx context.Context, b *bus) *hub.Cause {
	state, err := b.SystemStateContext(ctx)
	if err != nil || state.Value.Value() != "stopping" {
		return nil
	}
	return &hub.Cause{Kind: hub.CauseShutdown, Message: "The machine was shut down.", At: l.o.Now().UTC()}
}

// ended takes a unit out of the picture and removes its socket directory. It reports whether the unit was in it.
func (l *Launcher) ended(u hub.Unit, cause *hub.Cause, keeps bool) bool {
	if t, err := l.sockets.testimony(u.Name, u.Invocation); err == nil { // told already when a failure was settled, ignoring
		l.ends.note(hub.Ended{Invocation: u.Invocation, CPU: t.cpu, Memory: t.memoryPeak, At: l.o.Now().UTC()})
	}
	if err := l.sockets.remove(u.Name); err != nil {
		l.o.Report("remove a socket directory", u.Name, err)
	}
	return l.roster.end(u, cause, keeps)
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
