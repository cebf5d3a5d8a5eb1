package proxy

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"jupyterhubd/proxy/strict"
)

// redirects reports whether a listener's port stays plain for those who do not know better than to say http.
func (k *keyring) redirects(port int) bool { return port != 0 && port == k.tls.RedirectPort }

// insist tells a browser that has come over our TLS to do so from now on (RFC 6797). What a TLS in front of us says is its own.
func (c *certificates) insist(w http.ResponseWriter, r *http.Request) {
	k := c.ring.Load()
	if at, _ := r.Context().Value(entranceKey).(entrance); k != nil && k.hsts != "" && at.tls {
		w.Header()["Strict-Transport-Security"] = []string{k.hsts}
	}
}

// redirect answers what comes over a plain port while TLS is on: an authority's questions, and for everybody else the way to
// https. 308 keeps the method, so that a script that posts to the wrong port does not silently turn to asking.
func (c *certificates) redirect(w http.ResponseWriter, r *http.Request) {
	k := c.ring.Load()
	if k == nil { // switched off a moment ago
		w.Header().Set("Retry-After", "1")
		http.Error(w, "This port has just changed. Try again.", http.StatusServiceUnavailable)
		return
	}
	send := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isHost(r.Host) || !strings.HasPrefix(r.RequestURI, "/") {
			http.Error(w, "This port speaks https.", http.StatusBadRequest)
			return
		}
		w.Header().Set("Location", "https://"+hostAt(r.Host, k.tls.RedirectTo)+r.RequestURI)
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	if k.issuer != nil {
		k.issuer.manager.HTTPHandler(send).ServeHTTP(w, r)
		return
	}
	send(w, r)
}

// hostAt is a Host with another port; 0 and 443 are not written.
func hostAt(host string, port int) string {
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		host = host[:at]
	}
	if port == 0 || port == 443 {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}

// side is a listener for connections that a gate found on its way and that are not for those behind it.
type side struct {
	addr  net.Addr
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newSide(addr net.Addr) *side {
	return &side{addr: addr, conns: make(chan net.Conn), over: make(chan struct{})}
}

func (s *side) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.over:
		return nil, net.ErrClosed
	}
}

func (s *side) Close() error {
	s.once.Do(func() { close(s.over) })
	return nil
}

func (s *side) Addr() net.Addr { return s.addr }

// hand gives a connection to whoever serves this side, or closes it.
func (s *side) hand(c net.Conn) {
	select {
	case s.conns <- c:
	case <-s.over:
		c.Close()
	}
}

// redirectHead is how many bytes a head has that comes to a plain port: browsers keep their login's cookies for https.
const redirectHead = 16 << 10

// heldConn holds what it costs to wait for a request, as long as it is open.
type heldConn struct {
	net.Conn
	room strict.Room
	once sync.Once
}

// hold has a connection hold what its request costs.
func (g *gate) hold(c net.Conn) net.Conn {
	if g.room == nil {
		return c
	}
	held := &heldConn{Conn: c, room: g.room(c, func() { c.Close() })}
	held.room.Wait(redirectHead)
	return held
}

func (c *heldConn) Close() error {
	c.once.Do(c.room.Leave)
	return c.Conn.Close()
}

// CloseWrite tells the client that no more comes.
func (c *heldConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *heldConn) NetConn() net.Conn { return c.Conn }

// tcpPort returns the port that a listener has; 0 for a Unix socket.
func tcpPort(a net.Addr) int {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// serveRedirects serves the plain side of a gate until ctx ends.
func (p *Proxy) serveRedirects(ctx context.Context, s *side) {
	server := p.server(ctx, http.HandlerFunc(p.certs.redirect))
	server.ReadTimeout, server.WriteTimeout, server.MaxHeaderBytes = readHeadTime, readHeadTime, redirectHead
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	// It ends with its listener, and answers in no time what it has begun.
	_ = server.Serve(s)
}
