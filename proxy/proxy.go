package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"math"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
)

// Options says how a Proxy works. The zero value of every field has a meaning.
type Options struct {
	Log zerolog.Logger   // zero: silent
	Now func() time.Time // nil: time.Now

	StateFile     string // keeps the table over a restart; "": forget it
	DefaultTarget string // where the root leads as long as the API sets nothing else; "": nowhere
	DefaultUID    int64  // who has to listen there, when it is a Unix socket; hub.NoUID: anybody
	ErrorTarget   string // renders the pages for 404 and 503: GET <target>/<status>?url=<path>; "": our own plain ones
	HubBase       string // base URL of our hub, for which stopped servers are answered: "/" or "/jh/"; "": they go where the table leads
	HostRouting   bool   // the first segment of a route's path is a host
	HubOrigin     string // of our hub, when it is one of several hosts: "https://hub.example.org"
	// CountControlFrames makes pings and pongs of a WebSocket activity, as configurable-http-proxy does. Then an open tab
	// keeps its server busy for good.
	CountControlFrames bool
	// CountPolls makes what open pages ask for by themselves activity, as configurable-http-proxy does, with the same consequence.
	CountPolls bool

	APIToken string                                                  // opens the API for those who send it; "": nobody's does
	APIOpen  bool                                                    // without a token the API is for everybody who can connect
	APIPeers []int64                                                 // uids that may use the API over a Unix socket
	APITLS   *tls.Config                                             // of the API's door; nil: plain HTTP
	Reload   func(ctx context.Context, check bool) ([]string, error) // what POST /api/reload does; nil: nothing

	Manners   Manners       // how requests are passed on
	KeepAlive time.Duration // for a client between two requests; 0: 10 minutes
	BodyPause time.Duration // for the next byte of a request's body; 0: 2 minutes
	Quiet     time.Duration // for a client to say and take nothing, WebSockets left out; 0: as long as it likes

	Heir *Heir                  // the succession that this proxy begins with; nil: none
	Keep func([]*os.File) error // stores what Resume gets after a restart; nil: WebSockets end with the proxy
	Lull time.Duration          // for clients to hear that their connection ends before it does, when Serve's context ends; 0: none

	Grace          time.Duration // for the connections of a removed route; 0: 3 s
	Drain          time.Duration // for requests under way when Serve's context ends; 0: 10 s
	MaxConnections int           // of all clients; 0: as many as the system gives

	clients keepalive // zero: attentive
}

// Settings are what may change while a Proxy runs.
type Settings struct {
	Bounds Bounds
	// Silence is after how long without a word from its client, not even the pong to a server's ping, a WebSocket is closed. It
	// finds clients that have gone where the kernel cannot, behind another proxy; servers that never ping need 0: never.
	Silence time.Duration
	Trusted []netip.Prefix // proxies in front of this one, whose X-Forwarded-* are believed
	TLS     TLS
}

// Proxy routes requests to upstreams by its table. Its methods may be called from any goroutine.
type Proxy struct {
	options Options
	table   *table
	tunnels tunnels
	thrift  thrift
	graves  *graveyard
	aliases *aliases
	ledger  *ledger
	moved   atomic.Bool // somebody was active whom the ledger does not know to be
	crowd   *crowd
	bounds  atomic.Pointer[Bounds]
	silence atomic.Int64 // a time.Duration
	guests  guests
	loads   loads
	memory  memories
	certs   certificates
	trusted atomic.Pointer[trust]
	forward forwarder
	pages   *upstream // renders errors; nil: nobody
	metrics *metrics

	// Of the processes before this one and after it; see Bequeath.
	elders      elders
	callers     *side // of the API, from elders
	calls       calls
	hubs        *crowd        // who has a connection to the API
	left        chan struct{} // closed once this proxy has an heir
	accepting   sync.RWMutex  // read-locked by each listener that still lets somebody in
	heir        atomic.Pointer[wire]
	waning      atomic.Bool // answers end their connections
	bequeathing sync.Mutex  // one at a time
	departing   sync.Once
	parting     sync.WaitGroup
}

// New makes a Proxy with the table that the state file holds. A damaged file is reported to the log, and the table is empty.
func New(o Options) (*Proxy, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Grace = cmp.Or(o.Grace, 3*time.Second)
	o.BodyPause = cmp.Or(o.BodyPause, 2*time.Minute)
	o.Drain = cmp.Or(o.Drain, 10*time.Second)
	o.clients = cmp.Or(o.clients, attentive())
	p := &Proxy{options: o, table: newTable(), graves: newGraveyard(), aliases: newAliases(), callers: newCallers(), left: make(chan struct{})}
	p.elders.proxy, p.tunnels.thrift, p.tunnels.moved = p, &p.thrift, make(chan struct{}, 1)
	p.hubs = newCrowd(func() trust { return nil }, func() int { return 0 }, math.MaxInt, func() {})
	p.certs = certificates{log: o.Log, now: o.Now, changed: make(chan struct{}, 1)}
	p.trusted.Store(&trust{})
	p.ledger = &ledger{path: o.StateFile, collect: p.state, look: p.entry}
	p.bounds.Store(&Bounds{})
	p.crowd = newCrowd(func() trust { return *p.trusted.Load() }, func() int { return p.bounds.Load().ClientConnections },
		cmp.Or(o.MaxConnections, math.MaxInt), func() { p.metrics.refused.WithLabelValues("connection").Inc() })
	p.metrics = newMetrics(p)
	p.remember()
	p.forward = forwarder{fail: p.fail, done: p.metrics.proxied, touch: p.touch, rouse: p.rouse, memory: &p.memory.passing}
	if o.ErrorTarget != "" {
		to, err := readTarget(o.ErrorTarget)
		if err != nil {
			return nil, err
		}
		p.pages = newUpstream(to, hub.NoUID, &p.options.Manners)
	}
	if err := p.restore(); err != nil && o.Heir != nil {
		return nil, err
	} else if err != nil {
		p.options.Log.Error().Err(err).Msg("starting with an empty table")
	}
	return p, p.setDefault()
}

// Apply takes settings over, whole or not at all.
func (p *Proxy) Apply(s Settings) error {
	if err := p.certs.apply(s.TLS); err != nil {
		return err
	}
	trusted := trust(s.Trusted)
	p.trusted.Store(&trusted)
	p.bounds.Store(&s.Bounds)
	p.silence.Store(int64(s.Silence))
	return nil
}

// Check says what would keep Apply from taking settings over.
func (p *Proxy) Check(s Settings) error {
	return p.certs.check(s.TLS)
}

// setDefault puts the default target at the root, unless the state file has something there.
func (p *Proxy) setDefault() error {
	if p.options.DefaultTarget == "" || p.table.get("/") != nil {
		return nil
	}
	data := map[string]json.RawMessage{"target": quoted(p.options.DefaultTarget)}
	r, err := newRoute("/", data, false)
	if err != nil {
		return err
	}
	r.unsaved = true
	if r.target.unix {
		r.uid = p.options.DefaultUID
	}
	p.set(r)
	p.tellAdded(r)
	return nil
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}

// Add sets the route of an escaped path. A route that leads to the same upstream as before keeps its connections.
func (p *Proxy) Add(path string, data map[string]json.RawMessage) error {
	r, err := newRoute(path, data, p.options.HostRouting)
	if err != nil {
		return err
	}
	p.set(r)
	p.ledger.touch(r.key)
	p.told(path, data)
	p.tellAdded(r)
	return nil
}

func (p *Proxy) tellAdded(r *route) {
	p.options.Log.Info().Str("route", r.key).Str("target", r.spec).Msg("Route added")
}

func (p *Proxy) set(r *route) {
	var gone *upstream
	p.table.put(r, func(old *route) {
		if old != nil && old.isHub() == r.isHub() && old.up.same(r.target, r.uid) {
			r.up = old.up
		} else {
			r.up = newUpstream(r.target, r.uid, &p.options.Manners)
			if old != nil {
				gone = old.up
			}
		}
		if old == nil || old.up != r.up || old.about.Wake == r.about.Wake {
			p.touch(r.up) // but that a server is laid to sleep, or woken, is no use of it
		}
		r.up.slumber.lull(r.about.Wake)
		if r.up.asked.Load() > 0 {
			p.rouse(r.up)
		}
		r.load = p.loads.hold(r)
		if old != nil {
			p.loads.drop(old)
		}
	})
	if gone != nil {
		p.retire(gone)
	}
}

// remove takes the route of a key out and reports whether there was one.
func (p *Proxy) remove(key string) bool {
	r := p.table.remove(key)
	if r == nil {
		return false
	}
	p.retire(r.up)
	p.loads.drop(r)
	p.ledger.touch(key)
	p.elders.tell(message{Do: doForget, Path: key})
	p.options.Log.Info().Str("route", r.key).Msg("Route removed")
	return true
}

// retire closes what leads to an upstream without a route: what is idle at once, the rest after a grace.
func (p *Proxy) retire(u *upstream) {
	u.closeWaiting()
	time.AfterFunc(p.options.Grace, func() {
		end := func() {
			u.end()
			p.tunnels.drop(u)
		}
		if p.tunnels.close(goingAway, func(t *tunnel) bool { return t.up == u }) == 0 {
			end()
			return
		}
		time.AfterFunc(2*goodbye, end)
	})
}

// end closes the WebSockets of a session and remembers that it has ended.
func (p *Proxy) end(id sessionID) {
	p.graves.bury(id, p.options.Now().Add(endedFor))
	p.ledger.touch(sessionKey + id.String())
	p.tunnels.close(policy, func(t *tunnel) bool {
		for _, s := range t.sessions {
			if s == id {
				return true
			}
		}
		return false
	})
	p.elders.tell(message{Do: doSession, Session: id.String()})
}

// move tells the ledger, once a minute, that somebody was active. Every request comes by: nearly all only look.
func (p *Proxy) move() {
	if !p.moved.Load() {
		p.moved.Store(true)
	}
}

func (p *Proxy) touch(u *upstream) {
	began := time.Now()
	u.touch(p.options.Now())
	p.move()
	p.metrics.activity.since(began)
	p.rouse(u)
}

// healthPath is configurable-http-proxy's health check.
const healthPath = "/_chp_healthz"

// ServeHTTP serves the world.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.waning.Load() {
		w.Header()["Connection"] = []string{"close"}
	}
	p.certs.insist(w, r)
	ps, problem := p.read(r)
	switch {
	case problem != nil:
		if r.ProtoMajor == 1 {
			w.Header()["Connection"] = []string{"close"}
		}
		p.answer(w, ps, *problem)
	case ps.place.raw == healthPath && ps.query == "":
		writeJSON(w, http.StatusOK, map[string]string{"status": "OK"})
	case !p.clientInTime(ps, p.bounds.Load()):
		p.keepOut(w, ps, "client", &ps.guest.refusals)
	case p.notRunning(w, ps):
	case ps.route == nil:
		p.metrics.web.Inc()
		p.answer(w, ps, noRoute)
	default:
		p.pass(w, ps)
	}
}

// pass carries a request to its route's upstream, if there is room for it.
func (p *Proxy) pass(w http.ResponseWriter, ps *passage) {
	leave, ok := p.enter(ps, p.bounds.Load())
	if !ok {
		p.keepOut(w, ps, "user", &ps.route.load.refusals)
		return
	}
	defer leave()
	if ps.share = p.shareFor(ps.client.addr); ps.in.ProtoMajor == 2 {
		defer p.keepHead(w, ps)()
	}
	p.passes(ps)
	if wantsWebSocket(ps.in) {
		p.metrics.ws.Inc()
		p.websocket(w, ps)
		return
	}
	p.metrics.web.Inc()
	ps.patient(w, p.options.BodyPause)
	p.forward.carry(w, ps)
}

// lookUp finds the route of a path at a host, which counts under host routing alone.
func (p *Proxy) lookUp(host string, where place) *route {
	if p.options.HostRouting {
		return p.table.findAt(hostKey(host), where)
	}
	return p.table.find(where)
}

// read finds out what a request wants and who it comes from.
func (p *Proxy) read(r *http.Request) (*passage, *problem) {
	ps := &passage{in: r, manners: &p.options.Manners}
	if r.Method == http.MethodConnect {
		return ps, &noTunnels
	}
	path, query := splitTarget(r.RequestURI)
	where, err := readPath(path)
	if err == nil && (!isHost(r.Host) || strings.ContainsFunc(query, isBlank)) { // over HTTP/2, package strict has not looked
		err = hub.Errorf(hub.Invalid, "its host or query holds what none can")
	}
	if err != nil {
		bad := refused(err)
		return ps, &bad
	}
	ps.place, ps.query, ps.bareQuery = where, query, strings.HasSuffix(r.RequestURI, "?") && query == ""
	began := time.Now()
	ps.route = p.lookUp(r.Host, where)
	p.metrics.find.since(began)
	ps.poll = p.isPoll(ps)
	if ps.route != nil && !ps.poll {
		p.rouse(ps.route.up)
	}
	at, _ := r.Context().Value(entranceKey).(entrance)
	ps.client = whoAsks(r, at, *p.trusted.Load())
	if p.tossed(ps) {
		ps.above = p.hubHost()
	}
	p.recognise(ps)
	return ps, nil
}

// recognise finds out what is known of the sessions that a request speaks for.
func (p *Proxy) recognise(ps *passage) {
	toServer := ps.route != nil && !ps.route.isHub()
	if !p.graves.any.Load() && !wantsWebSocket(ps.in) && !(toServer && p.aliases.at(ps.route.key)) {
		return
	}
	now := p.options.Now()
	ps.sessions = sessionsOf(ps.in.Header)
	ps.ended = p.graves.holds(ps.sessions, now)
	if toServer {
		p.recogniseTokens(ps, now)
		ps.names = p.aliases.of(ps.route.key, ps.sessions, now)
		ps.anew = p.aliases.of(everywhere, ps.sessions, now)
	}
}
