package spawnertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// watcher is one call of Watch. Its changes are guarded by Fake.mu.
type watcher struct {
	changes []hub.Unit
	wake    chan struct{} // one token: there are changes
	broken  chan struct{} // closed when the connection breaks
}

// Watch reports all units and then every change.
func (f *Fake) Watch(ctx context.Context, inventory func(hub.Inventory), unit func(hub.Unit)) error {
	w := &watcher{wake: make(chan struct{}, 1), broken: make(chan struct{})}
	f.mu.Lock()
	if f.away {
		f.mu.Unlock()
		return errAway()
	}
	f.watchers[w] = true
	whole := f.inventory()
	f.mu.Unlock()
	inventory(whole)
	for {
		select {
		case <-ctx.Done():
			f.leave(w)
			return ctx.Err()
		case <-w.broken:
			return errAway()
		case <-w.wake:
			for _, u := range f.take(w) {
				unit(u)
			}
		}
	}
}

func (f *Fake) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

func (f *Fake) take(w *watcher) []hub.Unit {
	f.mu.Lock()
	defer f.mu.Unlock()
	changes := w.changes
	w.changes = nil
	return changes
}

// tell lets every watcher know of a change; f.mu is held.
func (f *Fake) tell(u hub.Unit) {
	for w := range f.watchers {
		w.changes = append(w.changes, u)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (f *Fake) inventory() hub.Inventory {
	units := slices.SortedFunc(maps.Values(f.units), func(a, b hub.Unit) int { return strings.Compare(a.Name, b.Name) })
	return hub.Inventory{BootID: fmt.Sprintf("boot-%d", f.boot), Units: units}
}

// Die ends a unit that runs: with a cause it failed, without it ended by itself.
func (f *Fake) Die(ref hub.ServerRef, cause *hub.Cause) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.die(f.units[ref], cause)
}

// Restart is what systemd does to a unit with Restart=: a new invocation, which listens after the script's delay.
func (f *Fake) Restart(ref hub.ServerRef) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[ref]
	f.starts++
	u.Invocation, u.State, u.Listening = fmt.Sprintf("%032x", f.starts), hub.UnitActive, false
	f.put(u)
	f.later(u, f.scripts[ref].ListenDelay, func(u hub.Unit) { u.Listening = true; f.put(u) })
}

// Plant puts a unit there that nobody asked for.
func (f *Fake) Plant(u hub.Unit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(u)
}

// Say tells whoever watches of a unit as it was once: news that is late.
func (f *Fake) Say(u hub.Unit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(u)
}

// Crash breaks every connection; until Return, nobody answers. Units go on.
func (f *Fake) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = true
	for w := range f.watchers {
		close(w.broken)
	}
	clear(f.watchers)
}

// Return ends a Crash.
func (f *Fake) Return() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = false
}

// Reboot crashes the machine: nothing runs any more, and it is another boot.
func (f *Fake) Reboot() {
	f.Crash()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boot++
	clear(f.units)
	f.away = false
}

// Unit returns a unit as it is, or an error if there is none.
func (f *Fake) Unit(ref hub.ServerRef) (hub.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, ok := f.units[ref]
	if !ok {
		return u, errors.New("there is no unit of " + ref.String())
	}
	return u, nil
}
