package proxy

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// table finds the route of a path. Reading takes no lock: every change makes a new table and puts it in place at once, so a
// request sees the table before a change or after it, never in between.
type table struct {
	change sync.Mutex // one change at a time
	now    atomic.Pointer[routes]
}

// routes is one state of the table; it is never changed.
type routes struct {
	byKey map[string]*route
	depth int // segments of the longest key ever put
}

func newTable() *table {
	t := &table{}
	t.now.Store(&routes{byKey: map[string]*route{}})
	return t
}

// all returns the routes as they stand. The map is not to be changed.
func (t *table) all() map[string]*route { return t.now.Load().byKey }

func (t *table) get(key string) *route { return t.now.Load().byKey[key] }

// find returns the route with the longest key that is p or a whole number of segments in front of it; nil when there is none.
// With host routing the keys begin with the host as their first segment, and "/" serves every host.
func (t *table) find(p place) *route {
	now := t.now.Load()
	for n := min(now.depth, p.plain); n > 0; n-- {
		if r := now.byKey[p.decoded[:p.ends[n-1]]]; r != nil {
			return r
		}
	}
	return now.byKey["/"]
}

// findAt is find for host routing.
func (t *table) findAt(host string, p place) *route {
	now := t.now.Load()
	for n := min(now.depth, p.plain+1); n > 0; n-- {
		key := "/" + host
		if n > 1 {
			key += p.decoded[:p.ends[n-2]]
		}
		if r := now.byKey[key]; r != nil {
			return r
		}
	}
	return now.byKey["/"]
}

// put sets a route. complete finishes it, knowing the one that it replaces (nil for none), before anyone can find it.
func (t *table) put(r *route, complete func(old *route)) {
	t.change.Lock()
	defer t.change.Unlock()
	now := t.now.Load()
	complete(now.byKey[r.key])
	byKey := maps.Clone(now.byKey)
	byKey[r.key] = r
	t.now.Store(&routes{byKey: byKey, depth: max(now.depth, strings.Count(r.key, "/"))})
}

// remove takes a route out and returns it, or nil.
func (t *table) remove(key string) *route {
	t.change.Lock()
	defer t.change.Unlock()
	now := t.now.Load()
	r := now.byKey[key]
	if r == nil {
		return nil
	}
	byKey := maps.Clone(now.byKey)
	delete(byKey, key)
	t.now.Store(&routes{byKey: byKey, depth: now.depth})
	return r
}

// hostKey spells a Host as the first segment of a key under host routing: lower-case, without port and trailing dot.
func hostKey(host string) string {
	if strings.HasPrefix(host, "[") { // an IPv6 address
		if end := strings.IndexByte(host, ']'); end > 0 {
			host = host[1:end]
		}
	} else {
		host, _, _ = strings.Cut(host, ":")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
