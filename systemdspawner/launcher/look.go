package launcher

import (
	"context"
	"fmt"
	"sync"

	"jupyterhubd/hub"
)

// looks is who looks at which unit. At most one goroutine looks at a unit; what happens meanwhile makes it look once more,
// so the picture is drawn from what is, not from what was signalled.
type looks struct {
	mu    sync.Mutex // guards again
	again map[string]bool
	all   sync.WaitGroup
}

func (s *looks) begin(name string, look func()) {
	if !s.claim(name) {
		return
	}
	s.all.Go(func() { s.untilQuiet(name, look) })
}

// do looks in the caller's own goroutine, unless somebody else is at it, who then looks once more.
func (s *looks) do(name string, look func()) {
	if s.claim(name) {
		s.untilQuiet(name, look)
	}
}

func (s *looks) claim(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again == nil {
		s.again = map[string]bool{}
	}
	_, busy := s.again[name]
	s.again[name] = busy
	return !busy
}

func (s *looks) untilQuiet(name string, look func()) {
	for more := true; more; more = s.more(name) {
		look()
	}
}

func (s *looks) more(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.again[name] {
		delete(s.again, name)
		return false
	}
	s.again[name] = false
	return true
}

func (s *looks) wait() { s.all.Wait() }

// kick makes the main loop look at a unit, in case its signal is late or was about something else. Without a connection
// there is no need: the next one begins with a look at everything.
func (l *Launcher) kick(name string) {
	b, err := l.live()
	if err != nil {
		return
	}
	select {
	case b.kicks <- name:
	case <-b.gone:
	}
}

// lookAt looks at a unit beside the caller.
func (l *Launcher) lookAt(ctx context.Context, name string) {
	l.looks.begin(name, func() { l.lookOrReport(ctx, name) })
}

func (l *Launcher) lookOrReport(ctx context.Context, name string) {
	if err := l.look(ctx, name); err != nil && ctx.Err() == nil {
		l.o.Report("look at a unit", name, err)
	}
}

// look asks systemd for a unit and brings the picture up to date. It is the one place where the roster learns what is.
func (l *Launcher) look(ctx context.Context, name string) error {
	b, err := l.live()
	if err != nil {
		return err
	}
	properties, err := b.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return fmt.Errorf("read the properties of %s: %w", name, err)
	}
	s := seen(properties)
	ref, ours := s.ours(name)
	known, isKnown := l.roster.named(name)
	if gone := !ours || ref != known.unit.ServerRef || s.state() == hub.UnitInactive; isKnown && gone && known.alive() && !known.starting {
		l.ended(known.unit, l.shutdown(ctx, b), false) // and if there is one of the name, it is another's
	}
	switch {
	case s.state() == hub.UnitFailed && ours:
		return l.settle(ctx, b, s, s.unit(name, ref))
	case s.state().Alive() && ours:
		l.adopt(ctx, s, s.unit(name, ref))
		l.unmounts.begin(name, func() { l.unmount(ctx, name) })
	}
	return nil
}

// adopt takes a unit that is alive into the picture, and begins to watch it when it is new or runs anew.
func (l *Launcher) adopt(ctx context.Context, s seen, u hub.Unit) {
	l.giveSocketDir(s, u.Name)
	u.Socket = socketPath(l.sockets.base, u.Name)
	u.Frozen = l.cgroups.frozen(s.text("ControlGroup"))
	fresh, twin := l.roster.update(u, s.text("ControlGroup"), s.choice(), s.promise())
	if twin {
		l.endTwin(ctx, u)
	}
	if !fresh {
		return
	}
	blind := l.watchSocket(ctx, u.Name)
	var v *evidence
	if group := s.text("ControlGroup"); group != "" {
		v = observe(l.cgroups, l.eyes, group, l.o.Now, func(string) { l.lookAt(ctx, u.Name) })
	}
	if !l.roster.watching(u.Name, blind, v) {
		blind()
		if v != nil {
			v.close()
		}
		return
	}
	l.roster.listens(u.Name, l.sockets.listening(u.Name))
}

// endTwin asks for the end of a second unit of one server: of a start, say, that systemd heard of when the launcher that had asked for
// it was gone, and the next one had a template of other names. It does not wait.
func (l *Launcher) endTwin(ctx context.Context, u hub.Unit) {
	l.o.Report("find a second unit of one server, ending it", u.Name, hub.Errorf(hub.Conflict, "the server %s runs already", u.ServerRef))
	b, err := l.live()
	if err == nil && u.Frozen {
		err = l.thaw(ctx, b, u.Name)
	}
	if err == nil {
		_, err = b.StopUnitContext(ctx, u.Name, "replace", nil)
	}
	if err != nil && !isBusError(err, noSuchUnit) {
		l.o.Report("end a second unit of one server", u.Name, err)
	}
	if err := l.sockets.remove(u.Name); err != nil {
		l.o.Report("remove a socket directory", u.Name, err)
	}
}
