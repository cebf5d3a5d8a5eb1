package launcher

import (
	"context"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// watcher is somebody who is told of every change. A slow one never holds anybody up: what is not yet told waits as the
// newest state of each unit, and beyond maxPending it is told the whole inventory instead.
type watcher struct {
	awake   chan struct{}
	whole   bool // the whole inventory comes next
	pending []hub.Unit
}

func (w *watcher) poke() {
	select {
	case w.awake <- struct{}{}:
	default:
	}
}

// watch makes a watcher, whose first news is the whole inventory. It is a watcher until leave is called.
func (r *roster) watch() (w *watcher, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w = &watcher{awake: make(chan struct{}, 1), whole: true}
	w.poke()
	r.watchers[w] = struct{}{}
	return w, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, w)
	}
}

// tell lets everybody know of a change of a unit. The caller holds the lock.
func (r *roster) tell(e *entry) {
	close(e.changed)
	e.changed = make(chan struct{})
	for w := range r.watchers {
		w.put(e.unit)
		w.poke()
	}
}

// put replaces what waits to be told of the unit, except the news that it ended: a start right after it is news of its own.
func (w *watcher) put(u hub.Unit) {
	at := slices.IndexFunc(w.pending, func(p hub.Unit) bool { return p.ServerRef == u.ServerRef && p.State.Alive() })
	if at >= 0 {
		w.pending[at] = u
		return
	}
	if len(w.pending) == maxPending {
		w.whole, w.pending = true, nil
	}
	w.pending = append(w.pending, u)
}

// maxPending is how many changes wait for a watcher.
const maxPending = 4096

// next waits for news: the whole inventory, or the units that changed.
func (r *roster) next(ctx context.Context, w *watcher) (*hub.Inventory, []hub.Unit, error) {
	select {
	case <-w.awake:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	units := w.pending
	w.pending = nil
	if w.whole {
		w.whole = false
		whole := r.inventory()
		return &whole, nil, nil
	}
	return nil, units, nil
}

// list returns the inventory once the first picture is whole.
func (r *roster) list(ctx context.Context) (hub.Inventory, error) {
	if err := r.ready(ctx); err != nil {
		return hub.Inventory{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inventory(), nil
}

// ready waits until the first picture is whole: an inventory that is empty because nobody has looked yet would make the
// hub believe that every server is gone.
func (r *roster) ready(ctx context.Context) error {
	select {
	case <-r.synced:
		return nil
	case <-ctx.Done():
		return &hub.Error{Kind: hub.Unavailable, Text: notConnected, Err: context.Cause(ctx)}
	}
}

// inventory copies the picture, sorted by name. The caller holds the lock.
func (r *roster) inventory() hub.Inventory {
	whole := hub.Inventory{BootID: r.bootID, Units: make([]hub.Unit, 0, len(r.entries))}
	for _, e := range r.entries {
		whole.Units = append(whole.Units, e.unit)
	}
	slices.SortFunc(whole.Units, func(a, b hub.Unit) int { return strings.Compare(a.Name, b.Name) })
	return whole
}
