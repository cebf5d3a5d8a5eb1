package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"jupyterhubd/proxy/strict"
)

// Limits of the public door. There is none on a whole request or answer: uploads, event streams and long calls take what
// they take (D13).
const (
	readHeadTime = 30 * time.Second
	idleClient   = 10 * time.Minute // above that of the usual balancers in front
	parkTime     = 5 * time.Second  // for the next request; then a connection costs next to nothing
	streams      = 128              // of one connection of HTTP/2 at once
	readFrame    = 16 << 10         // bytes of one of its frames, and of the buffer that each connection reads them into
	streamWindow = 256 << 10        // bytes of a body that may come before the upstream has taken them
	maxHead      = 128 << 10        // bytes; tornado's limit is 64 KiB, and login loops collect cookies (D24)
)

// contextKey names what a connection leaves in the contexts of its requests.
type contextKey int

const (
	entranceKey contextKey = iota // entrance
	peerKey                       // int64, the uid at the other end of a Unix socket
	callerKey                     // there if another proxy has asked already who is there
)

// Serve serves the world on a listener until ctx ends. Then it accepts nothing more, closes the WebSockets with 1012, lets
// requests under way finish for a while, and returns nil. It closes the listener.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	server := p.server(ctx, p)
	server.ReadHeaderTimeout, server.IdleTimeout, server.MaxHeaderBytes = readHeadTime, cmp.Or(p.options.KeepAlive, idleClient), maxHead
	server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams, MaxReadFrameSize: readFrame, MaxReceiveBufferPerStream: streamWindow}
	server.Protocols = new(http.Protocols) // HTTP/1 is read by front, and TLS by the gate
	server.Protocols.SetUnencryptedHTTP2(true)
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, entranceKey, entranceOf(c))
	}
	g := newGate(l, &p.certs, p.crowd, p.options.Quiet, p.options.clients, p.meet, p.room)
	go p.serveRedirects(ctx, g.plain)
	front := &strict.Server{Handler: p, Context: context.WithoutCancel(ctx), ConnContext: server.ConnContext, Panicked: p.brokeDown,
		HeadTime: server.ReadHeaderTimeout, IdleTime: server.IdleTimeout, ParkTime: parkTime, Parked: p.thrift.note, MaxHead: server.MaxHeaderBytes,
		Room: p.room}
	return p.until(ctx, server, fork{g, front}, front)
}

// fork is a listener that leaves to net/http only those who speak HTTP/2.
type fork struct {
	*gate
	front *strict.Server
}

// Accept returns the next connection that is net/http's.
func (f fork) Accept() (net.Conn, error) {
	for {
		c, err := f.gate.Accept()
		guarded, ok := c.(*strict.Conn)
		if err != nil || !ok {
			return c, err
		}
		go f.front.Serve(guarded.NetConn())
	}
}

// brokeDown tells the log of a request that made us panic.
func (p *Proxy) brokeDown(value any, stack []byte) {
	p.options.Log.Error().Interface("panic", value).Bytes("stack", stack).Msg("a request broke down")
}

// ServeAPI serves the hub on a listener until ctx ends. It closes the listener.
func (p *Proxy) ServeAPI(ctx context.Context, l net.Listener) error {
	server := p.server(ctx, api{p})
	server.ReadTimeout, server.WriteTimeout, server.IdleTimeout = readHeadTime, time.Minute, idleClient
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if _, ok := c.(caller); ok {
			return context.WithValue(ctx, callerKey, true)
		}
		if uid, ok := apiPeer(c); ok {
			return context.WithValue(ctx, peerKey, uid)
		}
		return ctx
	}
	var certs *certificates
	if p.options.APITLS != nil {
		certs = &certificates{now: p.options.Now}
		certs.ring.Store(&keyring{config: p.options.APITLS})
	}
	go p.serveCallers(ctx, server)
	return p.until(ctx, server, newGate(l, certs, p.hubs, 0, attentive(), func(netip.Addr) *guest { return nil }, nil))
}

// MetricsHandler serves /metrics to whoever asks, for a listener of its own.
func (p *Proxy) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
		} else if allowed(w, r, http.MethodGet) {
			p.metrics.handler().ServeHTTP(w, r)
		}
	})
}

func (p *Proxy) server(ctx context.Context, h http.Handler) *http.Server {
	kept := context.WithoutCancel(ctx) // requests under way outlive the order to stop
	// What net/http would log by itself are broken connections, which strangers make at will.
	return &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), BaseContext: func(net.Listener) context.Context { return kept }}
}

// stoppable is a listener that can be told that nobody new shall come.
type stoppable interface {
	net.Listener
	leave()
}

// until serves until ctx ends, and then drains. Once there is an heir, nothing new is accepted.
func (p *Proxy) until(ctx context.Context, server *http.Server, l stoppable, fronts ...*strict.Server) error {
	broken := make(chan error, 1)
	p.accepting.RLock()
	leave := sync.OnceFunc(func() {
		l.leave()
		p.accepting.RUnlock()
	})
	defer leave()
	go func() { broken <- server.Serve(l) }()
	select {
	case err := <-broken:
		return err
	case <-p.left:
		p.waning.Store(true)
		leave()
		<-broken
		<-ctx.Done()
	case <-ctx.Done():
		if p.options.Lull > 0 {
			p.waning.Store(true)
			leave()
			<-broken
			p.lull(ctx)
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.options.Drain)
	defer cancel()
	var beside sync.WaitGroup
	if server.Handler == http.Handler(p) {
		beside.Go(func() { p.depart(drain) }) // net/http knows nothing of them
	}
	for _, front := range fronts {
		beside.Go(func() {
			if front.Shutdown(drain) != nil {
				front.Close()
			}
		})
	}
	if err := server.Shutdown(drain); err != nil {
		server.Close() // those who did not finish in time
	}
	beside.Wait()
	return nil
}

// lull waits a moment for clients to use their connections once more, and to be told that these end: one that is closed just when
// a client speaks looks to it like a request that failed.
func (p *Proxy) lull(ctx context.Context) {
	moment, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.options.Lull)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for p.crowd.count() > p.tunnels.count() {
		select {
		case <-moment.Done():
			return
		case <-look.C:
		}
	}
}

// Alive goes the way that every request goes, through the table and each lock on it. A proxy that hangs there does not return.
func (p *Proxy) Alive(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, healthPath, nil)
	if err != nil {
		return err
	}
	r.RequestURI = healthPath
	if _, problem := p.read(r); problem != nil {
		return errors.New(problem.Text)
	}
	p.table.change.Lock()
	defer p.table.change.Unlock()
	p.tunnels.count()
	p.crowd.count()
	p.graves.holds(nil, p.options.Now())
	p.aliases.get("", sessionID{})
	return ctx.Err()
}

// Run keeps house until ctx ends: it gets and renews certificates, forgets old sessions and saves what activity was seen. It
// saves a last time at the end.
func (p *Proxy) Run(ctx context.Context) error {
	look, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		select { // a certificate authority is asked by the heir from then on
		case <-p.left:
		case <-ctx.Done():
		}
	}()
	go p.certs.keep(look)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	var noted time.Time
	for {
		select {
		case <-ctx.Done():
			p.ledger.change()
			return p.ledger.save()
		case <-tick.C:
		}
		p.graves.forget(p.options.Now())
		p.aliases.forget(p.options.Now())
		p.guests.forget(p.options.Now())
		if silence := time.Duration(p.silence.Load()); silence > 0 {
			p.tunnels.hush(p.options.Now().Add(-silence))
		}
		noted = p.noteActive(noted)
		if err := p.ledger.save(); err != nil {
			p.options.Log.Error().Err(err).Msg("the table is not on disk, ignoring")
		}
	}
}

// noteActive lets the ledger have the routes that were active since a moment, and returns the next such moment. A minute in which
// nobody was writes nothing: a disk may sleep.
func (p *Proxy) noteActive(since time.Time) time.Time {
	now := p.options.Now().Add(-time.Second) // who is just being touched is found the next time, too
	if !p.moved.Swap(false) {
		return now
	}
	for key, r := range p.table.all() {
		if !r.unsaved && !r.up.lastActivity().Before(since) {
			p.ledger.touch(key)
		}
	}
	return now
}

// state is what the ledger saves.
func (p *Proxy) state() state {
	s := state{Version: stateVersion, Ended: p.graves.list(), Aliases: p.aliases.list()}
	for _, r := range p.table.all() {
		if !r.unsaved {
			s.Routes = append(s.Routes, r.saved())
		}
	}
	return s
}

func (r *route) saved() savedRoute {
	return savedRoute{Key: r.key, Path: r.posted, Data: r.data, LastActivity: r.up.lastActivity()}
}

// entry is what a key of the journal stands for now.
func (p *Proxy) entry(key string) entry {
	e := entry{Key: key}
	if name, ok := strings.CutPrefix(key, sessionKey); ok {
		e.Until = p.graves.until(name)
	} else if name, ok := strings.CutPrefix(key, aliasKey); ok {
		if route, id, err := readAliasName(name); err == nil {
			if a, ok := p.aliases.get(route, id); ok {
				e.Alias = &a
			}
		}
	} else if r := p.table.get(key); r != nil && !r.unsaved {
		saved := r.saved()
		e.Route = &saved
	}
	return e
}

// restore puts back what the state file holds. A route that is not good any more is left out and logged.
func (p *Proxy) restore() error {
	remembered := p.ledger.load
	if p.options.Heir != nil {
		remembered = p.options.Heir.table
	}
	s, err := remembered()
	if err != nil {
		return err
	}
	for _, saved := range s.Routes {
		r, err := newRoute(saved.Path, saved.Data, p.options.HostRouting)
		if err != nil {
			p.options.Log.Warn().Str("route", saved.Path).Err(err).Msg("a saved route is not good any more, ignoring")
			continue
		}
		p.set(r)
		r.up.touch(saved.LastActivity)
	}
	for name, until := range s.Ended {
		if id, err := readSessionID(name); err == nil {
			p.graves.bury(id, until)
		}
	}
	for name, a := range s.Aliases {
		if key, id, err := readAliasName(name); err == nil {
			p.aliases.put(key, id, a)
		}
	}
	return nil
}
