package proxy

import (
	"sync"
	"sync/atomic"
)

// load is what one user's servers are busy with, all of them together, or one service, or one route that is neither's, for their
// bounds.
type load struct {
	requests atomic.Int64 // under way
	sockets  atomic.Int64 // WebSockets that are open
	beside   atomic.Int64 // WebSockets in processes before this one
	before   atomic.Int64 // requests under way there
	pace     pace
	turns    turns
	refusals refusals
	routes   int // that are this owner's; guarded by loads.mu
}

// open counts WebSockets that begin and end. Those to the hub are not counted.
func (l *load) open(n int64) {
	if l != nil {
		l.sockets.Add(n)
	}
}

// elsewhere takes in what is open in processes before this one.
func (l *load) elsewhere(n underWay) {
	l.beside.Store(int64(n.Sockets))
	l.before.Store(int64(n.Requests))
}

// owned is to whom a route belongs: to a user, to a service, or, when nobody says, to those who are at its key alone. The hub's has none of
// them.
type owned struct{ user, service, key string }

func (r *route) owner() owned {
	switch {
	case r.about.User != "" || r.about.Service != "":
		return owned{user: r.about.User, service: r.about.Service}
	case r.isHub():
		return owned{}
	}
	return owned{key: r.key}
}

// loads are those of all who have a route.
type loads struct {
	mu     sync.Mutex // guards the fields below
	of     map[owned]*load
	beside map[owned]underWay // in processes before this one
}

// hold returns what a route's owner is busy with, until drop is called for that route. It is nil for a route that is everybody's.
func (ls *loads) hold(r *route) *load {
	who := r.owner()
	if who == (owned{}) {
		return nil
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	one := ls.of[who]
	if one == nil {
		if ls.of == nil {
			ls.of = map[owned]*load{}
		}
		one = &load{}
		one.elsewhere(ls.beside[who])
		ls.of[who] = one
	}
	one.routes++
	return one
}

// drop forgets the owner with the last of its routes.
func (ls *loads) drop(r *route) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	who := r.owner()
	if one := ls.of[who]; one != nil {
		if one.routes--; one.routes == 0 {
			delete(ls.of, who)
		}
	}
}
