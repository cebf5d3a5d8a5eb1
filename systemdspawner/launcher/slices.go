package launcher

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// Slice is what the units in one slice may use together. The zero Limits are none.
type Slice struct {
	Name   string
	Limits hub.Limits
}

// slicesFor returns the slice of an order's unit, and those on the way to it that the configuration speaks of:
// jupyter.slice > the one group's that decides > the user's. So a user's servers share what is hers, and groups share the
// machine.
func slicesFor(o Order) (string, []Slice) {
	s := o.Settings
	switch {
	case s.Slice != "":
		return s.Slice, nil
	case s.Group != "":
		own := hub.UserSlice(o.User, s.Group)
		return own, []Slice{{hub.GroupSlice(s.Group), s.GroupLimits}, {own, s.UserLimits}}
	}
	own := hub.UserSlice(o.User, "")
	return own, []Slice{{own, s.UserLimits}}
}

// without leaves out what an admin's drop-in says of a slice: a drop-in wins.
func without(slice string, properties []sd.Property) []sd.Property {
	said := map[string]bool{}
	for _, p := range dropIns(unitDirs, slice) {
		said[p.Name] = true
	}
	return slices.DeleteFunc(properties, func(p sd.Property) bool { return said[spokenOf(p).Name] })
}

// above lists the slices that a slice is in, from the outside in, itself the last: a dash leads one level down.
func above(slice string) []string {
	body := strings.TrimSuffix(slice, ".slice")
	var all []string
	for at, c := range body {
		if c == '-' {
			all = append(all, body[:at]+".slice")
		}
	}
	return append(all, slice)
}

// controlled is where systemd keeps what was set of units that it did not get from us whole, until the next boot.
const controlled = "/run/systemd/system.control"

// applied is what slices were told, so that nothing is said twice.
type applied struct {
	mu   sync.Mutex // guards told
	told map[string]string
}

// limitSlices lets the slices of a unit that is about to start have the limits that root's file gives them now. Most have
// none, and systemd is not asked.
func (l *Launcher) limitSlices(ctx context.Context, b *bus, all []Slice) error {
	for _, s := range all {
		if s.Limits.IsZero() && !l.applied.any(s.Name) {
			continue
		}
		if err := l.setOnce(ctx, b, s.Name, "limits", fmt.Sprintf("%+v", s.Limits), everyLimit(s.Limits)); err != nil {
			return err
		}
	}
	return nil
}

// any reports whether the slice may have been told something, in the time of another process of ours too.
func (a *applied) any(slice string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.told {
		if strings.HasPrefix(key, slice+" ") {
			return true
		}
	}
	_, err := os.Stat(controlled + "/" + slice + ".d")
	return err == nil
}

// setOnce tells systemd properties of a slice, unless it was told the same before. What they say is the text.
func (l *Launcher) setOnce(ctx context.Context, b *bus, slice, what, text string, properties []sd.Property) error {
	key := slice + " " + what
	l.applied.mu.Lock()
	defer l.applied.mu.Unlock()
	if l.applied.told[key] == text {
		return nil
	}
	if properties = without(slice, properties); len(properties) > 0 {
		if err := b.SetUnitPropertiesContext(ctx, slice, true, properties...); err != nil {
			return busError(err, "limit "+slice)
		}
	}
	if l.applied.told == nil {
		l.applied.told = map[string]string{}
	}
	l.applied.told[key] = text
	return nil
}

// keepPromises protects what the units in a unit's slices are guaranteed together: the kernel protects of a unit's memory what
// each group above it may protect. A slice that promises nothing more keeps its protection until the next start in it; nobody
// uses it.
func (l *Launcher) keepPromises(ctx context.Context, b *bus, slice string) error {
	for _, s := range above(slice) {
		sum := l.roster.promised(s)
		if sum.memory == 0 && !l.applied.any(s) {
			continue
		}
		if err := l.setOnce(ctx, b, s, "memory", fmt.Sprint(sum.memory), one("MemoryMin", uint64(sum.memory))); err != nil {
			return err
		}
	}
	return nil
}
