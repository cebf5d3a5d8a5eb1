package spawner

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Options is what a Manager is made of. Store, Spawner and Router are required.
type Options struct {
	Store   *store.Store
	Spawner Spawner
	Router  Router
	Sleeper Sleeper // nil: no server ever sleeps
	Probe   Probe   // nil: HTTP over the unit's socket
	Kernels Kernels // nil: jupyter_server's API over the unit's socket
	Journal Journal // nil: failures that only the hub sees come without journal lines
	// Ended says what runs that are over consumed in all; nil: nobody knows.
	Ended func(ctx context.Context, invocations []string) ([]hub.Ended, error)
	// Headroom says what the machine has left; nil: nobody waits for that.
	Headroom Headroom
	// Admission says whether a user's account may be used at this moment; nil: whoever starts units finds out. Its refusal has a
	// cause.
	Admission func(ctx context.Context, user string) error
	Policy    Policy
	URLs      URLs
	Log       zerolog.Logger
	Metrics   prometheus.Registerer // nil: measured and not shown
	Now       func() time.Time      // nil: time.Now
	// ServiceTokenLife is how long a token lasts that a service's unit fetches; zero: ten minutes.
	ServiceTokenLife time.Duration
	// Report is told how many servers are ready or pending: when that is first known, and when it changes, at most once
	// a second.
	Report func(active int)
}

// Manager runs the life of every server. Its methods may be called from anywhere; they wait where they say so.
type Manager struct {
	store     *store.Store
	spawner   Spawner
	router    Router
	sleeper   Sleeper
	probe     Probe
	kernels   Kernels
	journal   Journal
	ended     func(ctx context.Context, invocations []string) ([]hub.Ended, error)
	measure   Headroom
	admission func(ctx context.Context, user string) error
	urls      URLs
	log       zerolog.Logger
	metrics   *metrics
	now       func() time.Time
	life      time.Duration // of a service's token
	report    func(active int)

	names   names
	table   sync.RWMutex  // read-held by whoever edits one route of the proxy's, held by whoever compares all; taken before mu
	redo    chan struct{} // asks for a comparison of the proxy's table
	read    chan struct{} // closed when the proxy's table was read for the first time
	counted chan struct{} // asks for a report
	nodding chan struct{} // asks who may be laid to sleep
	asking  chan struct{} // asks who is to be asked what they do
	synced  chan struct{} // closed by the first inventory
	work    sync.WaitGroup

	mu        sync.Mutex // guards the rest
	running   context.Context
	waking    []byte // makes the keys that wake servers; set once
	policy    Policy
	servers   map[hub.ServerRef]*server  // the active ones
	strays    map[hub.ServerRef]hub.Unit // units that nobody wishes
	late      map[string]bool            // invocations that are over while Watch has still to tell of their end
	rests     map[hub.ServerRef]*rest    // of failures of which not all is told
	known     map[string]hub.Route       // the proxy's table as it was last seen, with what was changed since
	queue     queue
	usage     usage
	questions questions
	counting  bool // the accounts are going to be brought up to date
	bootID    string
	inventory chan struct{} // closed by each inventory, then replaced
}

// Times that are nobody's to configure.
const (
	strayGrace       = 60 * time.Second  // before a unit that nobody wishes is stopped
	activityInterval = 300 * time.Second // between readings of the proxy's activity, JupyterHub's last_activity_interval
	syncPatience     = 10 * time.Second  // that Start waits for the first inventory
	serviceTokenLife = 10 * time.Minute
)

// New makes a Manager that knows nothing yet: Run gives it life.
func New(o Options) *Manager {
	if o.Probe == nil {
		o.Probe = probeHTTP
	}
	if o.Kernels == nil {
		o.Kernels = askKernels
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ServiceTokenLife == 0 {
		o.ServiceTokenLife = serviceTokenLife
	}
	if o.Report == nil {
		o.Report = func(int) {}
	}
	return &Manager{
		store: o.Store, spawner: o.Spawner, router: o.Router, sleeper: o.Sleeper, probe: o.Probe, kernels: o.Kernels, journal: o.Journal, ended: o.Ended, measure: o.Headroom,
		admission: o.Admission,
		urls:      o.URLs, log: o.Log, metrics: newMetrics(o.Metrics), now: o.Now, life: o.ServiceTokenLife, policy: o.Policy,
		report: o.Report, redo: make(chan struct{}, 1), read: make(chan struct{}), counted: make(chan struct{}, 1), nodding: make(chan struct{}, 1),
		asking: make(chan struct{}, 1), questions: questions{},
		synced: make(chan struct{}), inventory: make(chan struct{}),
		servers: map[hub.ServerRef]*server{}, strays: map[hub.ServerRef]hub.Unit{}, late: map[string]bool{}, rests: map[hub.ServerRef]*rest{}, usage: usage{open: map[hub.ServerRef]bool{}, fresh: map[hub.ServerRef]hub.Unit{}}, known: map[string]hub.Route{},
	}
}

// Run keeps wishes, units and routes together until ctx ends. Servers run on after it; starts and stops under way are left
// to whoever runs next. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	key := m.secret()
	m.mu.Lock()
	m.running, m.waking = ctx, key
	m.mu.Unlock()
	m.work.Go(func() { m.runRoutes(ctx) })
	m.work.Go(func() { m.runReport(ctx) })
	m.work.Go(func() { m.runSleep(ctx) })
	m.work.Go(func() { m.runQuestions(ctx) })
	m.work.Go(func() { m.runSamples(ctx) })
	m.runWatch(ctx)
	m.work.Wait()
	return nil
}

// Synced is closed when the first inventory has been reconciled: from then on states are true.
func (m *Manager) Synced() <-chan struct{} { return m.synced }

// Alive returns when the Manager can still do something; a watchdog asks it.
func (m *Manager) Alive() {
	m.mu.Lock()
	defer m.mu.Unlock()
}

// runWatch listens to the Spawner and comes back to it whenever the connection breaks.
func (m *Manager) runWatch(ctx context.Context) {
	retry := backoff{first: 100 * time.Millisecond, most: 2 * time.Second}
	for {
		err := m.spawner.Watch(ctx, func(i hub.Inventory) { retry.reset(); m.reconcile(i) }, m.observe)
		if ctx.Err() != nil {
			return
		}
		m.log.Warn().Err(err).Msg("lost sight of the units, looking again")
		if !retry.wait(ctx) {
			return
		}
	}
}

// do runs a piece of a server's life for as long as Run does. The caller holds mu and has seen an inventory.
func (m *Manager) do(f func(context.Context)) {
	ctx := m.running
	if ctx.Err() == nil {
		m.work.Go(func() { f(ctx) })
	}
}

// awaitSync waits a little for the first inventory: before it, nobody knows what runs.
func (m *Manager) awaitSync(ctx context.Context) error {
	select {
	case <-m.synced:
		return nil
	default:
	}
	patience := time.NewTimer(syncPatience)
	defer patience.Stop()
	select {
	case <-m.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return &hub.Error{Kind: hub.Unavailable, RetryAfter: syncPatience, Text: "The hub cannot see yet which servers run. Try again in a moment."}
	}
}
