package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"

	"jupyterhubd/proxy/strict"
)

// What slow clients cost, in bytes. A head that is kept costs twice its length: it is read from one buffer into another one, and sent
// from there.
const (
	waitingCost   = 16 << 10 // a connection whose next head is not here yet: a goroutine and its buffer
	encryptedCost = 32 << 10 // what TLS keeps of a connection that says things in pieces
	streamsCost   = 32 << 10 // what HTTP/2 needs for a connection
	bodyCost      = 64 << 10 // a body that goes: buffers on both sides, a goroutine
	uploadCost    = 48 << 10 // a body that comes
	stuckCost     = 64 << 10 // what one side of a WebSocket does not take
	timesKept     = 2        // for each byte of a head
)

// memories are the two halves of what slow clients may hold together: one is for handshakes and heads under way, the other one for
// requests that are at work. Nobody who only knocks can drive out those who work.
type memories struct{ coming, passing budget }

func (p *Proxy) remember() {
	half := func() int64 { return p.bounds.Load().Memory / 2 }
	dropped := func() { p.metrics.refused.WithLabelValues("memory").Inc() }
	p.memory.coming.most, p.memory.coming.dropped = half, dropped
	p.memory.passing.most, p.memory.passing.dropped = half, dropped
	p.tunnels.memory = &p.memory.passing
}

// shareFor returns whose share of the memory a client's is; the zero address is nobody's.
func (p *Proxy) shareFor(a netip.Addr) netip.Addr {
	if isHere(a) || p.trusted.Load().has(a) {
		return netip.Addr{}
	}
	return neighbourhood(a)
}

// room is what one connection holds of the memory for what comes. One goroutine at a time uses it.
type room struct {
	memory *memories
	who    netip.Addr
	cost   int64 // of the connection itself
	drop   func()
	head   holding
	answer holding
}

// room makes a connection's, which drop ends.
func (p *Proxy) room(c net.Conn, drop func()) strict.Room {
	r := &room{memory: &p.memory, who: p.shareFor(addrOf(c.RemoteAddr())), cost: waitingCost, drop: drop}
	if secure, ok := c.(*tls.Conn); ok {
		r.cost += encryptedCost
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			r.cost += streamsCost
		}
	}
	return r
}

// Wait holds what a connection costs whose head is not here, but so many bytes of it.
func (r *room) Wait(bytes int) {
	cost := r.cost + timesKept*int64(bytes)
	if r.head.of == &r.memory.coming {
		r.head.grow(cost)
		return
	}
	r.head.end()
	r.memory.coming.hold(&r.head, r.who, cost, r.drop)
}

// Keep holds a head that is here, until it was answered.
func (r *room) Keep(bytes int) {
	r.head.end()
	r.memory.passing.hold(&r.head, r.who, timesKept*int64(bytes), r.drop)
}

// Leave gives back what is held for a head.
func (r *room) Leave() { r.head.end() }

// Answer holds what an answer costs while the client is to take some of it, which Answered ends.
func (r *room) Answer() { r.memory.passing.hold(&r.answer, r.who, bodyCost, r.drop) }

// Answered ends Answer.
func (r *room) Answered() { r.answer.end() }

// dropper returns what ends a request whose client is too slow, without waiting for anything.
func dropper(w http.ResponseWriter, r *http.Request) func() {
	if one, ok := w.(strict.Dropper); ok {
		return one.Drop
	}
	control := http.NewResponseController(w)
	return func() { // a stream of HTTP/2, which is reset
		long := time.Unix(1, 0)
		_ = control.SetReadDeadline(long)  // fails for a stream that has ended, ignoring
		_ = control.SetWriteDeadline(long) // likewise
		if at, _ := r.Context().Value(entranceKey).(entrance); at.frames != nil {
			at.frames.Relieve()
		}
	}
}

// keepHead holds the head of a request that came over HTTP/2, when it is large, until leave is called.
func (p *Proxy) keepHead(w http.ResponseWriter, ps *passage) (leave func()) {
	bytes := 0
	for name, values := range ps.in.Header {
		for _, v := range values {
			bytes += len(name) + len(v)
		}
	}
	if bytes < strict.SmallHead {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ps.in.Context())
	ps.in = ps.in.WithContext(ctx)
	drop, head := dropper(w, ps.in), &holding{}
	p.memory.passing.hold(head, ps.share, timesKept*int64(bytes), func() {
		cancel()
		drop()
	})
	return func() {
		head.end()
		cancel()
	}
}

// write gives the client a piece of its answer.
func (ex *exchange) write(piece []byte) error {
	ex.taking()
	defer ex.held.end()
	_, err := ex.w.Write(piece)
	return err
}

// flush gives the client what was written.
func (ex *exchange) flush(control *http.ResponseController) error {
	ex.taking()
	defer ex.held.end()
	return control.Flush()
}

func (ex *exchange) taking() {
	if ex.drop != nil {
		ex.memory.hold(&ex.held, ex.ps.share, bodyCost, ex.drop)
	}
}

// hold holds what a body costs that comes. Over HTTP/2 a whole window of it may be here.
func (u *upload) hold() *holding {
	in, cost := u.ex.ps.in, int64(uploadCost)
	if in.ProtoMajor == 2 {
		if cost += streamWindow; in.ContentLength >= 0 {
			cost = uploadCost + min(streamWindow, in.ContentLength)
		}
	}
	held := &holding{}
	u.ex.memory.hold(held, u.ex.ps.share, cost, dropper(u.ex.w, in))
	return held
}

// weigh holds what is stuck on either side. The caller holds mu, for which a tunnel that is dropped must not wait.
func (t *tunnel) weigh() {
	for _, e := range []*end{t.client, t.server} {
		switch stuck := len(e.sock.stuck) > 0 && !t.gone; {
		case !stuck:
			e.held.end()
		case e.held.of == nil:
			t.all.memory.hold(&e.held, t.share, stuckCost, func() { time.AfterFunc(0, t.drop) })
		}
	}
}
