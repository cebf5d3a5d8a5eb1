package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/acme"

	"jupyterhubd/proxy/strict"
)

// handshakeTime is for a client to do its part of the TLS handshake.
const handshakeTime = 10 * time.Second

// gate is a listener that hands net/http only connections that it may read: counted, decrypted, and strict where HTTP/1 is
// spoken. The handshake of one client does not hold up the next.
type gate struct {
	net.Listener
	certs   *certificates // nil: never TLS
	crowd   *crowd
	quiet   time.Duration // for a connection to say nothing; 0: as long as it likes
	peers   keepalive
	plain   *side                              // gets what comes to a port that redirects
	meet    func(netip.Addr) *guest            // nil for those who have no bounds
	room    func(net.Conn, func()) strict.Room // nil: nobody counts what slow clients hold
	ready   chan admitted
	closing chan struct{}
	once    sync.Once
	pending sync.WaitGroup // handshakes
}

type admitted struct {
	conn net.Conn
	err  error
}

func newGate(l net.Listener, certs *certificates, crowd *crowd, quiet time.Duration, peers keepalive, meet func(netip.Addr) *guest,
	room func(net.Conn, func()) strict.Room) *gate {
	g := &gate{Listener: l, certs: certs, crowd: crowd, quiet: quiet, peers: peers, meet: meet, room: room, plain: newSide(l.Addr()), ready: make(chan admitted), closing: make(chan struct{})}
	go g.listen()
	return g
}

// listen accepts until the listener is closed, and ends when the handshakes that have begun by then are over. An error waits
// for net/http to take it, which then makes a pause.
func (g *gate) listen() {
	for {
		c, err := g.Listener.Accept()
		switch {
		case err == nil:
			g.pending.Go(func() { g.admit(c) })
			runtime.Gosched() // a crowd at the door is not let in before everybody who is inside
		case errors.Is(err, net.ErrClosed):
			g.pending.Wait()
			g.end()
			return
		default:
			g.hand(admitted{err: err})
		}
	}
}

// leave accepts nothing more. Who is here already is let in.
func (g *gate) leave() { g.Listener.Close() }

func (g *gate) end() { g.once.Do(func() { close(g.closing) }) }

func (g *gate) hand(a admitted) bool {
	select {
	case g.ready <- a:
		return true
	case <-g.closing:
		return false
	}
}

// Accept returns the next connection that is ready to be read.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case a := <-g.ready:
		return a.conn, a.err
	case <-g.closing:
		return nil, net.ErrClosed
	}
}

// Close closes the listener. Handshakes under way are dropped.
func (g *gate) Close() error {
	g.end()
	return g.Listener.Close()
}

func (g *gate) admit(c net.Conn) {
	counted, ok := g.crowd.enter(c)
	if !ok {
		g.turnAway(c)
		return
	}
	turn, ok := g.arrive(c)
	if !ok {
		g.crowd.refused()
		g.turnAway(counted)
		return
	}
	defer turn.end()
	g.peers.watch(c)
	var ring *keyring
	if g.certs != nil {
		ring = g.certs.serve()
	}
	if ring != nil && ring.redirects(tcpPort(g.Addr())) {
		g.plain.hand(strict.Wrap(g.hold(counted)))
		return
	}
	ready, err := g.secure(timed(counted, g.quiet), ring)
	if err != nil {
		counted.Close()
	} else if !g.hand(admitted{conn: ready}) {
		ready.Close()
	}
}

// arrive holds a connection back when many of its address come at once, and gives it its turn: handshakes are what costs most. It is not
// ok when there are too many to wait.
func (g *gate) arrive(c net.Conn) (turn, bool) {
	who := g.meet(addrOf(c.RemoteAddr()))
	if who == nil {
		return turn{}, true
	}
	wait, ok := who.arrivals.take(time.Now(), arrivals, arrivalBurst, arrivalPatience)
	if !ok {
		return turn{}, false
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-g.closing:
		}
	}
	return who.turns.take(g.closing), true
}

// turnAway refuses a connection for which there is no room, in words where it is plain HTTP.
func (g *gate) turnAway(c net.Conn) {
	defer c.Close()
	if g.certs == nil || g.certs.serve() != nil {
		return
	}
	select {
	case g.crowd.words <- struct{}{}:
		defer func() { <-g.crowd.words }()
	default:
		return // so many are told already that it would be work
	}
	c.SetDeadline(time.Now().Add(lastWord))
	if _, err := io.WriteString(c, noRoom); err != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.CopyN(io.Discard, c, 4<<10) // what is not read makes of the close a reset, which the client would see first
	}
}

// secure does the TLS handshake, when there is one, and sets the HTTP/1 guard.
func (g *gate) secure(c net.Conn, ring *keyring) (net.Conn, error) {
	if ring == nil {
		return strict.Wrap(c), nil
	}
	c.SetDeadline(time.Now().Add(handshakeTime))
	secure := tls.Server(c, ring.config)
	if g.room != nil {
		held := g.room(secure, func() { c.SetDeadline(time.Unix(1, 0)) })
		held.Wait(0)
		defer held.Leave()
	}
	if err := secure.Handshake(); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && speaksHTTP(plain.RecordHeader) {
			io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks https.\n")
		}
		return nil, err
	}
	c.SetDeadline(time.Time{})
	switch secure.ConnectionState().NegotiatedProtocol {
	case "h2":
		return strict.NewFrames(secure, readHeadTime, g.room), nil
	case acme.ALPNProto:
		return nil, errChallenge // by the certificate that was shown
	}
	return strict.Wrap(secure), nil
}

// speaksHTTP reports whether the first bytes of a connection are those of a plain request.
func speaksHTTP(first [5]byte) bool {
	switch string(first[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// entranceOf returns what a connection tells of its client.
func entranceOf(c net.Conn) entrance {
	e := entrance{remote: addrOf(c.RemoteAddr()), local: addrOf(c.LocalAddr())}
	switch guarded := c.(type) {
	case *strict.Conn:
		c = guarded.NetConn()
	case *strict.Frames:
		e.frames, c = guarded, guarded.NetConn()
	}
	_, e.tls = c.(*tls.Conn)
	return e
}
