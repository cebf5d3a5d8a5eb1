package proxy

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Bounds keep the visitors of one user's servers, or one address, from taking what is everybody's. They are far above what people need, so
// whoever meets one is a program. 0 is no bound. This machine itself and trusted proxies are no clients here.
type Bounds struct {
	ClientConnections int   // of one client's address
	ClientRate        int   // requests a second of one client's address
	UserRequests      int   // to all of one user's servers, or to one service, under way at once
	UserWebSockets    int   // to these, open at once
	UserRate          int   // requests a second to these
	Memory            int64 // bytes that slow clients may hold together, a quarter of them one address
}

// Limits of the bounds on rates: so much may come at once, what comes faster is held back, and what would be held back for longer than
// patience is refused. An address may be a whole class that opens its notebooks; what one person's page asks for is a hundred requests.
const (
	clientBurst = 2 * time.Second // as many requests as the rate allows in that time
	userBurst   = 200 * time.Millisecond
	patience    = 1 * time.Second
)

// arrivals is how many connections of one address are let in a second, and arrivalBurst is for so many at once. The others wait unread,
// as long as clients wait.
const (
	arrivals        = 1000
	arrivalBurst    = 200 * time.Millisecond
	arrivalPatience = 5 * time.Second
)

// pace spaces out events (the generic cell rate algorithm).
type pace struct {
	mu  sync.Mutex // guards due
	due time.Time  // when the next event is due, had all come evenly
}

// take counts an event in and returns how long it has to wait. It is not counted when that is longer
// than patience.
func (p *pace) take(now time.Time, rate int, burst, patience time.Duration) (wait time.Duration, ok bool) {
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

// maxGuests is how many addresses are watched. There is room for more than a class; beyond it nobody new is held back.
const maxGuests = 1 << 16

// guest is what is known of a client's address.
type guest struct {
	pace     pace
	arrivals pace  // of connections
	turns    turns // of handshakes, and of requests to what is everybody's
	refusals refusals
}

// guests are all those who came lately.
type guests struct {
	mu sync.Mutex // guards of
	of map[netip.Addr]*guest
}

// get returns nil for this machine itself, and for those of whom there are too many.
func (gs *guests) get(a netip.Addr) *guest {
	if isHere(a) {
		return nil
	}
	who := neighbourhood(a)
	gs.mu.Lock()
	defer gs.mu.Unlock()
	one := gs.of[who]
	if one == nil && len(gs.of) < maxGuests {
		if gs.of == nil {
			gs.of = map[netip.Addr]*guest{}
		}
		one = &guest{}
		gs.of[who] = one
	}
	return one
}

// forget drops those who have been away.
func (gs *guests) forget(now time.Time) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for who, one := range gs.of {
		if one.pace.idle(now) && one.arrivals.idle(now) {
			delete(gs.of, who)
		}
	}
}

// meet is get for connections. Proxies in front bring many people.
func (p *Proxy) meet(a netip.Addr) *guest {
	if p.trusted.Load().has(a) {
		return nil
	}
	return p.guests.get(a)
}

// clientInTime holds a request back as its client's rate wants it, and reports whether it may go on.
func (p *Proxy) clientInTime(ps *passage, b *Bounds) bool {
	ps.guest = p.guests.get(ps.client.addr)
	return b.ClientRate == 0 || ps.guest == nil || p.inTime(ps.in.Context(), &ps.guest.pace, b.ClientRate, clientBurst)
}

func (p *Proxy) inTime(ctx context.Context, one *pace, rate int, burst time.Duration) bool {
	wait, ok := one.take(p.options.Now(), rate, burst, patience)
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

// enter counts a request among those to its user's servers, waits for its turn among them, and reports whether there is room for it. leave
// has to be called once it is over. The hub is everybody's: there its visitors' own bounds have to do, and their turns.
func (p *Proxy) enter(ps *passage, b *Bounds) (leave func(), ok bool) {
	load := ps.route.load
	if load == nil {
		if ps.guest == nil {
			return func() {}, true
		}
		ps.turns = &ps.guest.turns
		return ps.turn().end, true
	}
	under := load.requests.Add(1)
	switch {
	case b.UserRequests > 0 && under+load.before.Load() > int64(b.UserRequests),
		b.UserWebSockets > 0 && wantsWebSocket(ps.in) && load.sockets.Load()+load.beside.Load() >= int64(b.UserWebSockets),
		b.UserRate > 0 && !p.inTime(ps.in.Context(), &load.pace, b.UserRate, userBurst):
		load.requests.Add(-1)
		return nil, false
	}
	var turn turn
	if b.UserRate > 0 { // who has none may have the processor
		ps.turns = &load.turns
		turn = ps.turn()
	}
	return func() {
		turn.end()
		load.requests.Add(-1)
		if p.waning.Load() {
			p.tunnels.move() // the heir counts it
		}
	}, true
}

// turn waits for a turn for the request, or for the next piece of a body.
func (ps *passage) turn() turn {
	if ps.turns == nil {
		return turn{}
	}
	return ps.turns.take(ps.in.Context().Done())
}
