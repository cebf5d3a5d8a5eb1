package launcher

import (
	"context"

	"jupyterhubd/hub"
)

// Stop ends the server's unit and returns once it is gone. It ends a start that is under way. A server without a unit is no
// error.
func (l *Launcher) Stop(ctx context.Context, ref hub.ServerRef) error {
	if err := l.roster.ready(ctx); err != nil {
		return err
	}
	e := l.roster.ask(ref)
	if e == nil {
		return nil
	}
	name := l.roster.unit(e).Name
	b, err := l.connection(ctx)
	if err != nil {
		return err
	}
	// The caller may leave; systemd goes on, and so does the wait for it, so that the picture is right.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout+grace)
	defer cancel()
	if l.roster.unit(e).Frozen { // what sleeps does not hear that it shall end
		if err := l.thaw(ctx, b, name); err != nil {
			return err
		}
	}
	if l.another(ctx, b, name, ref) {
		l.kick(name)
	} else if err := l.stopUnit(ctx, b, name); err != nil {
		return err
	}
	if _, err := l.roster.await(ctx, e, func(hub.Unit) bool { return false }); err != nil {
		return &hub.Error{Kind: hub.Unavailable, Text: "the server did not end in time", Err: err}
	}
	return nil
}

// another reports whether the unit of a name is not the server's: that may have ended just now, and an admin's own have taken its
// place. It is left alone.
func (l *Launcher) another(ctx context.Context, b *bus, name string, ref hub.ServerRef) bool {
	properties, err := b.GetAllPropertiesContext(ctx, name)
	s := seen(properties)
	is, ours := s.ours(name)
	return err == nil && s.text("LoadState") != "not-found" && !(ours && is == ref)
}

// stopUnit asks systemd to stop a unit and waits for the job. A unit that is not there is stopped.
func (l *Launcher) stopUnit(ctx context.Context, b *bus, name string) error {
	defer l.kick(name)
	done := make(chan string, 1)
	_, err := b.StopUnitContext(ctx, name, "replace", done)
	switch {
	case isBusError(err, noSuchUnit):
		return nil
	case err != nil:
		return busError(err, "stop "+name)
	}
	_, err = b.await(ctx, done)
	return err
}
