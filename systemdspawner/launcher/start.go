package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// grace is how much longer than a unit's own time limit its job may take before we stop waiting for it.
const grace = 10 * time.Second

// Start starts the server's unit and returns it once it is active. It goes on when the caller leaves: what systemd was asked
// to do happens, and is told to whoever watches.
func (l *Launcher) Start(ctx context.Context, ref hub.ServerRef, choice Choice) (hub.Unit, error) {
	if err := l.roster.ready(ctx); err != nil {
		return hub.Unit{}, err
	}
	ticket, err := l.begin(ctx, ref)
	if err != nil {
		return hub.Unit{}, err
	}
	defer l.roster.finish(ref, ticket)
	order, err := l.order(ctx, ref, choice)
	if err != nil {
		return hub.Unit{}, err
	}
	c, err := Compose(l.o.Layout, order)
	if err != nil {
		return hub.Unit{}, refused(hub.Unknown, hub.CauseSystem, "Servers are not set up correctly here.", err)
	}
	e, err := l.roster.claim(hub.Unit{
		ServerRef: ref, Name: c.Unit, UID: order.Person.Account.UID, Account: order.Person.other(), Socket: c.Socket, Memory: -1, CPU: -1, Tasks: -1,
	}, ticket, l.machine, promise{slice: c.Slice, memory: order.Settings.MemGuarantee, cpus: order.Settings.CPUGuarantee})
	if err != nil {
		return hub.Unit{}, err
	}
	// Whoever asked may leave; the unit is started, or ended, all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), order.StartTimeout+grace)
	defer cancel()
	return l.bringUp(ctx, e, order, c)
}

// begin announces a start. Before it refuses one because the server runs already it asks systemd: an admin may have stopped the unit
// just now, of which the signal is still on its way, or be stopping it, which is waited for.
func (l *Launcher) begin(ctx context.Context, ref hub.ServerRef) (*ticket, error) {
	t, err := l.roster.begin(ref)
	if err == nil {
		return t, nil
	}
	e, known := l.roster.get(ref)
	if !known || l.look(ctx, e.unit.Name) != nil {
		return nil, err // nobody knows better, and the next picture is whole
	}
	if e := l.roster.leaving(ref); e != nil {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout+grace)
		defer cancel()
		_, _ = l.roster.await(ctx, e, func(u hub.Unit) bool { return u.State != hub.UnitDeactivating }) // what is then decides, ignoring
	}
	return l.roster.begin(ref)
}

// order decides everything about the unit from root's side: who, what, where.
func (l *Launcher) order(ctx context.Context, ref hub.ServerRef, choice Choice) (Order, error) {
	if err := checkRef(ref); err != nil {
		return Order{}, err
	}
	policy := l.policy.Load()
	person, err := l.person(ctx, policy, ref.User)
	if err != nil {
		return Order{}, err
	}
	settings, profile, err := policy.settingsFor(person, choice)
	if err != nil {
		return Order{}, err
	}
	if len(settings.Command) == 0 {
		return Order{}, refused(hub.Unknown, hub.CauseMissingCommand, "No program is set for servers here.", errors.New("spawner.cmd is empty"))
	}
	if err := checkDevices(settings.DeviceAllow); err != nil {
		return Order{}, err
	}
	filled := replacer(Order{ServerRef: ref, Person: person}, "").Replace(settings.Command[0])
	command, err := settings.Software.find(filled, settings.SearchPath)
	if err != nil {
		return Order{}, refused(hub.Unknown, hub.CauseMissingCommand, "The program that servers run is not installed as it has to be.", err)
	}
	o := Order{
		ServerRef: ref, Unit: policy.Names.Of(ref), Profile: profile, Person: person, Command: command,
		Settings: settings.limited(l.lasting.of(ref, person.Account.UID)),
		Devices:  deviceNodes(settings.DeviceAllow), StartTimeout: policy.StartTimeout,
	}
	if len(writable(o)) > 0 {
		o.Home = openTo(person.Account.Home)
	}
	return o, nil
}

// checkDevices refuses a start without a device that is named: what is promised is there, or the user is told. A pattern
// promises nothing.
func checkDevices(names []string) error {
	for _, name := range names {
		if !filepath.IsAbs(name) || strings.ContainsAny(name, "*?[") {
			continue
		}
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			const message = "A device that your server needs is not there."
			return refused(hub.Unknown, hub.CauseMissingDevice, message, fmt.Errorf("device_allow: there is no %s", name))
		}
	}
	return nil
}

// deviceNodes resolves patterns of device nodes. What matches nothing allows nothing; systemd's own classes ("char-pts")
// stay as they are.
func deviceNodes(patterns []string) []string {
	var nodes []string
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?[") || !filepath.IsAbs(p) {
			nodes = append(nodes, p)
			continue
		}
		matches, _ := filepath.Glob(p) // a malformed pattern matches nothing
		nodes = append(nodes, matches...)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// signalPatience is how long the signal of a unit's new state may take once its job is done. It comes before the job's: a look beside the
// one that it leads to would cost as much as the start's other calls together.
const signalPatience = 50 * time.Millisecond

// bringUp makes the socket directory, starts the unit, and waits until it is active or has failed.
func (l *Launcher) bringUp(ctx context.Context, e *entry, o Order, c Composition) (hub.Unit, error) {
	job, err := l.launch(ctx, e, o, c)
	l.roster.started(e)
	switch {
	case hub.KindOf(err) == hub.Unavailable:
		return hub.Unit{}, err // whether it runs is seen when the picture is drawn next
	case err != nil:
		l.ended(l.roster.unit(e), causeOf(err), false)
		return hub.Unit{}, err
	case job == "dependency":
		end := ending{Result: "success", Job: job, Home: o.Person.Account.Home}
		l.ended(l.roster.unit(e), end.cause(), false)
	}
	late := time.AfterFunc(signalPatience, func() { l.kick(c.Unit) })
	defer late.Stop()
	unit, err := l.roster.await(ctx, e, func(u hub.Unit) bool { return u.State == hub.UnitActive })
	switch {
	case err != nil:
		return hub.Unit{}, &hub.Error{Kind: hub.Unavailable, Text: "systemd did not answer in time", Err: err}
	case unit.State == hub.UnitActive:
		return unit, nil
	case l.roster.asked(e):
		return hub.Unit{}, wasStopped(o.ServerRef)
	}
	return hub.Unit{}, l.notUp(ctx, e)
}

// restPatience is how long the answer of a start that failed waits for the journal. What comes later is told by Watch.
const restPatience = 300 * time.Millisecond

// notUp is why a unit did not come up.
func (l *Launcher) notUp(ctx context.Context, e *entry) error {
	unit := l.roster.awaitWhole(ctx, e, restPatience)
	if unit.Cause == nil { // a good end, and yet no start
		unit.Cause = ending{Result: "exit-code", Code: cldExited, Active: true}.cause()
	}
	return &hub.Error{Kind: hub.Unknown, Text: unit.Cause.Message, Cause: unit.Cause}
}

// attempts is how often a unit is given to a systemd that goes away meanwhile.
const attempts = 3

// launch gives the unit to systemd and returns how its job ended, "" where nobody can tell: then the unit itself is asked.
func (l *Launcher) launch(ctx context.Context, e *entry, o Order, c Composition) (string, error) {
	up, err := l.prepare(ctx, e, o)
	if err != nil {
		return "", err
	}
	defer up()
	for attempt := 1; ; attempt++ {
		b, err := l.connection(ctx)
		if err != nil {
			return "", err
		}
		if attempt > 1 && l.took(ctx, b, o) {
			return "", nil
		}
		job, err := l.submit(ctx, b, e, o, c)
		if hub.KindOf(err) != hub.Unavailable || attempt == attempts || ctx.Err() != nil {
			return job, err
		}
		select {
		case <-b.gone:
		case <-ctx.Done():
			return job, err
		}
	}
}

// took reports whether systemd had taken the unit when the connection broke.
func (l *Launcher) took(ctx context.Context, b *bus, o Order) bool {
	properties, err := b.GetAllPropertiesContext(ctx, o.Unit)
	s := seen(properties)
	is, ours := s.ours(o.Unit)
	return err == nil && ours && is == o.ServerRef && s.state().Alive()
}

// prepare waits for all that comes before systemd has the unit: its turn, and its user's home. A Stop ends the wait.
func (l *Launcher) prepare(ctx context.Context, e *entry, o Order) (up func(), err error) {
	if up, err = l.turn(ctx, e); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.roster.waits(e, cancel)
	b, err := l.connection(ctx)
	if err == nil {
		err = l.makeHome(ctx, b, o)
	}
	switch {
	case err == nil:
		return up, nil
	case l.roster.asked(e):
		err = wasStopped(o.ServerRef)
	}
	up()
	return nil, err
}

// submit makes the unit's directory, limits its slices, and starts it.
func (l *Launcher) submit(ctx context.Context, b *bus, e *entry, o Order, c Composition) (string, error) {
	if err := l.sockets.make(c.Unit, o.Person.Account.UID); err != nil {
		return "", refused(hub.Unknown, hub.CauseSystem, notSetUp, err)
	}
	if err := l.limitSlices(ctx, b, c.Slices); err != nil {
		return "", err
	}
	if err := l.keepPromises(ctx, b, c.Slice); err != nil {
		return "", err
	}
	done := make(chan string, 1)
	_, err := b.StartTransientUnitContext(ctx, c.Unit, "fail", c.Properties, done)
	if isBusError(err, unitExists) {
		if err := l.clear(ctx, b, c.Unit, o.ServerRef); err != nil {
			return "", err
		}
		_, err = b.StartTransientUnitContext(ctx, c.Unit, "fail", c.Properties, done)
	}
	if err != nil {
		return "", busError(err, "start "+c.Unit)
	}
	if l.roster.asked(e) { // between our claim and here somebody asked for its end
		_ = l.stopUnit(ctx, b, c.Unit) // the job below ends either way, ignoring
	}
	return b.await(ctx, done)
}

// clear makes way for a unit whose name is taken: by a failed one of ours, which is forgotten. A unit that is not ours is
// never touched.
func (l *Launcher) clear(ctx context.Context, b *bus, name string, ref hub.ServerRef) error {
	properties, err := b.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return busError(err, "read the properties of "+name)
	}
	s := seen(properties)
	is, ours := s.ours(name)
	switch {
	case s.text("LoadState") == "masked":
		return refused(hub.Forbidden, hub.CauseNameClash, "This server is switched off.",
			fmt.Errorf("%s is masked: systemctl unmask '%s'", name, name))
	case !ours:
		return refused(hub.Conflict, hub.CauseNameClash, "The name of your server's unit is taken on this machine.",
			fmt.Errorf("%s is defined by %s: rename that unit", name, s.files()))
	case s.state().Alive() && is != ref:
		return nameTaken(name, is)
	case s.state().Alive():
		l.kick(name)
		return runsAlready(ref)
	}
	if err := b.ResetFailedUnitContext(ctx, name); err != nil && !isBusError(err, noSuchUnit) {
		return busError(err, "forget the failed "+name)
	}
	return nil
}

func causeOf(err error) *hub.Cause {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return nil
}
