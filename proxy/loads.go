package proxy

import (
	"sync"
	"sync/atomic"
)

// load is what one user's servers are busy with, all of them together, or one service, for their bounds.
type load struct {
	requests atomic.Int64 // under way
	sockets  atomic.Int64 // WebSockets that are open
	pace     pace
	routes   int // that are this owner's; guarded by loads.mu
}

// open counts WebSockets that begin and end. Those to routes of nobody's are not counted.
func (l *load) open(n int64) {
	if l != nil {
		l.sockets.Add(n)
	}
}

// owned is to whom a route belongs.
type owned struct{ user, service string }

// loads are those of all who have a route.
type loads struct {
	mu sync.Mutex // guards of
	of map[owned]*load
}

// hold returns what a route's owner is busy with, until drop is called for that route. It is nil for a route that is everybody's.
func (ls *loads) hold(a about) *load {
	who := owned{a.User, a.Service}
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
		ls.of[who] = one
	}
	one.routes++
	return one
}

// drop forgets the owner with the last of its routes.
func (ls *loads) drop(a about) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	who := owned{a.User, a.Service}
	if one := ls.of[who]; one != nil {
		if one.routes--; one.routes == 0 {
			delete(ls.of, who)
		}
	}
}
