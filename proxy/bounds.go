package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds keep the visitors of one user's servers, or one address, from taking what is everybody's. They are far above what people need, so
// whoever meets one is a program. 0 is no bound. This machine itself and trusted proxies are no clients here.
type Bounds struct {
	ClientConnections int // of one client's address
	ClientRate        int // requests a second of one client's address
	UserRequests      int // to all of one user's servers, or to one service, under way at once
	UserWebSockets    int // to these, open at once
	UserRate          int // requests a second to these
}

// Limits of the bounds on rates: two seconds' worth may come at once, what comes faster is held back, and what would be held
// back for longer than a second is refused.
const (
	burst    = 2 * time.Second
	patience = 1 * time.Second
)

// tooBusy is the answer to what a bound keeps out.
var tooBusy = problem{Status: http.StatusServiceUnavailable, Title: "Too many requests at once",
	Text:  "There are more requests than are served at once. Load this page again in a few seconds.",
	after: patience, plain: true}

// pace spaces out events (the generic cell rate algorithm).
type pace struct {
	mu  sync.Mutex // guards due
	due time.Time  // when the next event is due, had all come evenly
}

// take counts an event in and returns how long it has to wait. It is not counted when that is longer than anybody waits.
func (p *pace) take(now time.Time, rate int) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due.Before(now) {
		p.due = now
	}
	if wait = max(0, p.due.Sub(now)-burst); wait > patience {
		return 0, false
	}
	p.due = p.due.Add(time.Second / time.Duration(rate))
	return wait, true
}

func (p *pace) idle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.due.Before(now)
}

// maxPaces is how many addresses are watched. There is room for more than a class; beyond it nobody new is held back.
const maxPaces = 1 << 16

// paces are those of clients' addresses.
type paces struct {
	mu sync.Mutex // guards of
	of map[netip.Addr]*pace
}

func (ps *paces) get(who netip.Addr) *pace {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	one := ps.of[who]
	if one == nil && len(ps.of) < maxPaces {
		if ps.of == nil {
			ps.of = map[netip.Addr]*pace{}
		}
		one = &pace{}
		ps.of[who] = one
	}
	return one
}

// forget drops those who have been away.
func (ps *paces) forget(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for who, one := range ps.of {
		if one.idle(now) {
			delete(ps.of, who)
		}
	}
}

// clientInTime holds a request back as its client's rate wants it, and reports whether it may go on.
func (p *Proxy) clientInTime(ps *passage, b *Bounds) bool {
	if b.ClientRate == 0 || isHere(ps.client.addr) {
		return true
	}
	one := p.paces.get(neighbourhood(ps.client.addr))
	return one == nil || p.inTime(ps.in.Context(), one, b.ClientRate)
}

func (p *Proxy) inTime(ctx context.Context, one *pace, rate int) bool {
	wait, ok := one.take(p.options.Now(), rate)
	if !ok || wait == 0 {
		return ok
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done(): // what follows sees it
	}
	return true
}

// enter counts a request among those to its user's servers and reports whether there is room for it. leave has to be called once it is
// over. The hub, and routes of which nobody says whose they are, are everybody's: their visitors' own bounds have to do.
func (p *Proxy) enter(ps *passage, b *Bounds) (leave func(), ok bool) {
	load := ps.route.load
	if load == nil {
		return func() {}, true
	}
	under := load.requests.Add(1)
	leave = func() { load.requests.Add(-1) }
	switch {
	case b.UserRequests > 0 && under > int64(b.UserRequests),
		b.UserWebSockets > 0 && wantsWebSocket(ps.in) && load.sockets.Load() >= int64(b.UserWebSockets),
		b.UserRate > 0 && !p.inTime(ps.in.Context(), &load.pace, b.UserRate):
		leave()
		return nil, false
	}
	return leave, true
}
