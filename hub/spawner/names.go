package spawner

import (
	"context"
	"sync"

	"jupyterhubd/hub"
)

// names is which server a unit runs. The hub makes no names of units: it takes them from the Spawner, who composes units, and tells
// of each before it asks for its credential.
type names struct {
	mu      sync.Mutex // guards the rest
	servers map[string]hub.ServerRef
	changed map[string]chan struct{} // closed when somebody is told of that unit
}

// whole takes in an inventory, which replaces what was told before.
func (n *names) whole(units []hub.Unit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers = make(map[string]hub.ServerRef, len(units))
	for _, u := range units {
		n.put(u)
	}
}

// told takes in one unit.
func (n *names) told(u hub.Unit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.put(u)
}

func (n *names) put(u hub.Unit) {
	if !u.State.Alive() {
		if n.servers[u.Name] == u.ServerRef {
			delete(n.servers, u.Name)
		}
		return
	}
	if n.servers == nil {
		n.servers = map[string]hub.ServerRef{}
	}
	n.servers[u.Name] = u.ServerRef
	if waiting := n.changed[u.Name]; waiting != nil {
		close(waiting)
		delete(n.changed, u.Name)
	}
}

// server returns the server that a unit runs. It waits until that is told, or ctx ends: PID 1 may be quicker than the Spawner, and
// than a hub that has just started.
func (n *names) server(ctx context.Context, unit string) (hub.ServerRef, error) {
	for {
		ref, known, changed := n.look(unit)
		if known {
			return ref, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.leave(unit)
			return hub.ServerRef{}, hub.Errorf(hub.NotFound, "nobody tells of a server that runs as %s", unit)
		}
	}
}

func (n *names) look(unit string) (hub.ServerRef, bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ref, known := n.servers[unit]; known {
		return ref, true, nil
	}
	if n.changed == nil {
		n.changed = map[string]chan struct{}{}
	}
	if n.changed[unit] == nil {
		n.changed[unit] = make(chan struct{})
	}
	return hub.ServerRef{}, false, n.changed[unit]
}

// leave forgets that somebody waited. Whoever else does looks again.
func (n *names) leave(unit string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if waiting := n.changed[unit]; waiting != nil {
		close(waiting)
		delete(n.changed, unit)
	}
}
