package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
)

// atOnce bounds how many units are looked at together when the picture is drawn.
const atOnce = 8

// redraw looks at every unit that could be ours, ends those in the picture that systemd does not know any more, and says
// that the picture is whole.
func (l *Launcher) redraw(ctx context.Context, b *bus) error {
	units, err := b.ListUnitsByPatternsContext(ctx, nil, []string{unitPattern})
	if err != nil {
		return fmt.Errorf("list units: %w", err)
	}
	there := map[string]bool{}
	first := l.firstPicture(ctx, b)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, u := range units {
		there[u.Name] = true
		group.Go(func() error {
			if first.draw(ctx, u) {
				return nil
			}
			return l.look(ctx, u.Name)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range l.roster.alive() {
		if !there[e.unit.Name] && !e.starting {
			l.ended(e.unit, nil, false)
		}
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("read the boot's id: %w", err)
	}
	l.sweep()
	l.roster.redrawn(strings.TrimSpace(string(bootID)))
	first.confirm(ctx, b)
	return nil
}

// firstPicture is one that somebody may be waiting for. What systemd has written down of units is enough for it; systemd is
// asked about each of them once it has been told.
type firstPicture struct {
	l       *Launcher
	records *records // nil where they are not to be used

	mu    sync.Mutex // guards what follows
	drawn []string   // units that systemd has still to be asked about
	odd   error      // the first record that was not as it ought to be
	whose string     // its unit
}

// firstPicture opens systemd's records, unless there is a picture already: then nobody waits, and what is known is newer.
func (l *Launcher) firstPicture(ctx context.Context, b *bus) *firstPicture {
	p := &firstPicture{l: l}
	select {
	case <-l.roster.synced:
		return p
	default:
	}
	var top string
	group, err := b.GetUnitTypePropertyContext(ctx, hub.TopSlice, "Slice", "ControlGroup")
	if err == nil {
		top, _ = group.Value.Value().(string)
	}
	if top == "" {
		return p // the slice is not there, and so is no unit in it
	}
	if p.records, err = openRecords(machineRoot, top, l.cgroups); err != nil {
		p.records, p.odd = nil, err
	}
	return p
}

// draw takes a unit into the picture by what is written down of it, and reports whether that was enough.
func (p *firstPicture) draw(ctx context.Context, u sd.UnitStatus) bool {
	if p.records == nil {
		return false
	}
	s, err := p.records.about(u)
	ref, ours := s.ours(u.Name)
	if err == nil && ours {
		p.l.adopt(ctx, s, s.unit(u.Name, ref))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && ours:
		p.drawn = append(p.drawn, u.Name)
		return true
	case err != nil && !errors.Is(err, errAsk) && p.odd == nil:
		p.odd, p.whose = err, u.Name
	}
	return false
}

// confirm asks systemd about the units that were drawn without it, one after the other and beside everything else.
func (p *firstPicture) confirm(ctx context.Context, b *bus) {
	concerned := p.odd != nil && slices.ContainsFunc(p.l.roster.alive(), func(e entry) bool { return p.whose == "" || p.whose == e.unit.Name })
	if concerned {
		p.l.o.Report("read what systemd has written down, asking it instead", p.whose, p.odd)
	}
	p.l.looks.all.Go(func() {
		for _, name := range p.drawn {
			if ctx.Err() != nil || !b.works() {
				return // the next connection begins with a look at everything
			}
			p.l.looks.do(name, func() { p.l.lookOrReport(ctx, name) })
		}
	})
}
