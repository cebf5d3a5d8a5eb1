package launcher

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// Launcher is root's side of the spawner's door. Run keeps it connected to systemd; its verbs may be called from any
// goroutine, before Run as well: they wait until the first picture of what runs is whole.
type Launcher struct {
	o       Options
	policy  atomic.Pointer[Policy]
	roster  *roster
	sockets sockets
	cgroups cgroups
	eyes    *eyes
	turns   *semaphore.Weighted // of units that systemd brings up

	loading sync.Mutex // one reading of the configuration at a time, with its taking over

	homes singleflight.Group // by account: one of them at a time makes it

	serving sync.Mutex // one round of the services at a time

	mu      sync.Mutex    // guards bus and changed
	bus     *bus          // nil while there is no connection
	changed chan struct{} // closed when bus is another one

	journal  func(ctx context.Context, r run, lines int) (tail, error)
	readers  *semaphore.Weighted // of the journal, for failures
	readings sync.WaitGroup      // of the journal, that somebody will be told
	looks    looks               // who looks at which unit just now
	unmounts looks               // who is after which unit's credential
	reclaims reclaims
	ends     ends
	applied  applied
	lasting  *lasting
	machine  capacity
}

// Options are what a main decides.
type Options struct {
	// Load reads root's configuration anew: the policy, and in sentences what is different from the one in force, which
	// is nil at first. It refuses with every mistake at once.
	Load func(inForce *Policy) (*Policy, []string, error)
	// Lookup asks the system's name service for an account (account.NSS), with its groups if they matter.
	Lookup func(ctx context.Context, name string, groups bool) (hub.Account, error)
	// Group is the gid of those who may enter the users' socket directories.
	Group int64
	// Layout is where things stand.
	Layout Layout
	// Lasting is the file of the limits that were set for good; "" keeps them no longer than the process lives.
	Lasting string
	// Report is told what went wrong beside the calls, for the log. It must not block.
	Report func(doing, unit string, err error)
	// Now is the clock.
	Now func() time.Time
}

// New returns a launcher with the configuration loaded. It fails with every mistake of it.
func New(o Options) (*Launcher, error) {
	policy, _, err := o.Load(nil)
	if err != nil {
		return nil, err
	}
	e, err := openEyes()
	if err != nil {
		return nil, err
	}
	groups := mountedCgroups()
	l := &Launcher{
		o: o, roster: newRoster(o.Now), cgroups: groups, eyes: e, turns: newTurns(),
		journal: readTail, readers: semaphore.NewWeighted(journalReaders),
		sockets: sockets{base: o.Layout.Sockets, group: o.Group}, changed: make(chan struct{}),
	}
	l.policy.Store(policy)
	if l.lasting, err = openLasting(o.Lasting); err != nil {
		o.Report("open the state", "", err)
	}
	l.machine = thisMachine()
	return l, nil
}

// journalReaders bounds how many failures are looked up in the journal together: when a slice is killed, many fail at once.
const journalReaders = 4

// Pauses between attempts to connect to systemd.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Run keeps the connection to systemd, and the picture of what runs, until ctx ends.
func (l *Launcher) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.eyes.run(ctx) })
	group.Go(func() error { return l.stayConnected(ctx) })
	group.Go(func() error { return l.reportAtFirst(ctx) })
	err := group.Wait()
	l.looks.wait()
	l.readings.Wait()
	l.unmounts.wait()
	l.reclaims.wait()
	return err
}

func (l *Launcher) stayConnected(ctx context.Context) error {
	pause := firstPause
	for {
		began := l.o.Now()
		err := l.connected(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.o.Report("stay connected to systemd", "", err)
		if l.o.Now().Sub(began) > lastPause {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, lastPause)
	}
}

// connected makes one connection, draws the picture, and keeps it true until the connection breaks.
func (l *Launcher) connected(ctx context.Context) error {
	b, err := connect(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	l.setBus(b)
	defer l.setBus(nil)
	if err := l.redraw(ctx, b); err != nil {
		return err
	}
	for {
		select {
		case u := <-b.changes:
			if stateChange(u) && !l.roster.shows(u) {
				l.lookAt(ctx, u.UnitName)
			}
		case name := <-b.kicks:
			l.lookAt(ctx, name)
		case <-b.missed:
			if err := l.redraw(ctx, b); err != nil {
				return err
			}
		case <-b.gone:
			return errors.New("the connection broke")
		}
	}
}

func (l *Launcher) setBus(b *bus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bus = b
	close(l.changed)
	l.changed = make(chan struct{})
}

// absence is how long a verb and the watchdog wait for systemd. It is away for a moment when it is executed anew (daemon-reexec).
const absence = 10 * time.Second

// connection returns the connection, and waits for it if there is none just now.
func (l *Launcher) connection(ctx context.Context) (*bus, error) {
	late := time.NewTimer(absence)
	defer late.Stop()
	for {
		l.mu.Lock()
		b, changed := l.bus, l.changed
		l.mu.Unlock()
		if b.works() {
			return b, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return l.live()
		case <-ctx.Done():
			return l.live()
		}
	}
}

// live returns the connection, or an Unavailable error.
func (l *Launcher) live() (*bus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bus == nil {
		return nil, hub.Errorf(hub.Unavailable, notConnected)
	}
	return l.bus, nil
}

// sweep removes the socket directories of units that ended while nobody looked. Only before the first picture is whole:
// until then no start makes a new one.
func (l *Launcher) sweep() {
	select {
	case <-l.roster.synced:
		return
	default:
	}
	known := map[string]bool{}
	for _, e := range l.roster.alive() {
		known[socketDir(e.unit.Name)] = true
	}
	if err := l.sockets.sweep(known); err != nil {
		l.o.Report("remove old socket directories", "", err)
	}
}

// Alive returns nil if systemd answers and the roster is not stuck: the proof of life that a watchdog wants. Without a
// connection it is alive as well, since it is at work on having one.
func (l *Launcher) Alive(ctx context.Context) error {
	l.roster.alive()
	b, err := l.live()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, absence)
	defer cancel()
	_, err = b.SystemStateContext(ctx)
	return err
}

// watchSocket begins to look for the unit's socket. Once it is there the unit's credential has been read.
func (l *Launcher) watchSocket(ctx context.Context, name string) func() {
	stop, err := l.eyes.watch(l.sockets.dir(name), unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE|unix.IN_ONLYDIR, func(file string) {
		if file == socketName || file == "" {
			l.roster.listens(name, l.sockets.listening(name))
			l.unmounts.begin(name, func() { l.unmount(ctx, name) })
		}
	})
	if err != nil {
		l.o.Report("look for the server's socket", name, err)
		return func() {}
	}
	return stop
}
