package proxy

import (
	"hash/maphash"
	"iter"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// table finds the route of a path. Reading takes no lock: a change puts a new map in the place of the one that held the key, so a
// request sees a route before a change or after it, never in between. The keys are spread over many maps, so that a change costs
// the same with a hundred routes and with a hundred thousand.
type table struct {
	change sync.Mutex // one change at a time
	seed   maphash.Seed
	shards [shards]atomic.Pointer[map[string]*route] // the maps are never changed
	depth  atomic.Int64                              // segments of the longest key ever put
	size   atomic.Int64
}

// shards is how many maps there are: a hundred thousand routes make two hundred in each.
const shards = 512

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].Store(&map[string]*route{})
	}
	return t
}

func (t *table) shard(key string) *atomic.Pointer[map[string]*route] {
	return &t.shards[maphash.String(t.seed, key)%shards]
}

// all walks over the routes, in no order.
func (t *table) all() iter.Seq2[string, *route] {
	return func(yield func(string, *route) bool) {
		for i := range t.shards {
			for key, r := range *t.shards[i].Load() {
				if !yield(key, r) {
					return
				}
			}
		}
	}
}

func (t *table) count() int { return int(t.size.Load()) }

func (t *table) get(key string) *route { return (*t.shard(key).Load())[key] }

// find returns the route with the longest key that is p or a whole number of segments in front of it; nil when there is none.
// With host routing the keys begin with the host as their first segment, and "/" serves every host.
func (t *table) find(p place) *route {
	for n := min(int(t.depth.Load()), p.plain); n > 0; n-- {
		if r := t.get(p.decoded[:p.ends[n-1]]); r != nil {
			return r
		}
	}
	return t.get("/")
}

// findAt is find for host routing.
func (t *table) findAt(host string, p place) *route {
	for n := min(int(t.depth.Load()), p.plain+1); n > 0; n-- {
		key := "/" + host
		if n > 1 {
			key += p.decoded[:p.ends[n-2]]
		}
		if r := t.get(key); r != nil {
			return r
		}
	}
	return t.get("/")
}

// put sets a route. complete finishes it, knowing the one that it replaces (nil for none), before anyone can find it.
func (t *table) put(r *route, complete func(old *route)) {
	t.change.Lock()
	defer t.change.Unlock()
	shard := t.shard(r.key)
	now := *shard.Load()
	old := now[r.key]
	complete(old)
	next := maps.Clone(now)
	next[r.key] = r
	t.depth.Store(max(t.depth.Load(), int64(strings.Count(r.key, "/"))))
	shard.Store(&next)
	if old == nil {
		t.size.Add(1)
	}
}

// remove takes a route out and returns it, or nil.
func (t *table) remove(key string) *route {
	t.change.Lock()
	defer t.change.Unlock()
	shard := t.shard(key)
	now := *shard.Load()
	r := now[key]
	if r == nil {
		return nil
	}
	next := maps.Clone(now)
	delete(next, key)
	shard.Store(&next)
	t.size.Add(-1)
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
