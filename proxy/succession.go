package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/descriptor"
)

// Succession is what a proxy needs to know to be followed by another process without an interruption.
type Succession struct {
	Doors []Door              // all listeners
	Args  []string            // with which the heir is started
	Env   []string            // and what it needs of this one's environment
	Fit   func(pid int) error // says why a process cannot be the heir; nil: each can
	Crown func(pid int) error // makes the heir's process the unit's
	Stop  func()              // lets this proxy end, when the heir does
}

// Door is a listener by the name that systemd knows it by.
type Door struct {
	Name string
	net.Listener
}

// Times of a succession. The API's changes wait from the freezing on.
const (
	startTime  = 30 * time.Second // for the heir to start and read its configuration
	freezeTime = 10 * time.Second // for calls under way
	beginTime  = 20 * time.Second // for the heir to serve
	tellEvery  = 5 * time.Second  // what the heir does not see happen
)

// Bequeath gives everything to the process at the other end of a connection, which the function takes. When it returns nil, this
// proxy accepts nothing more, tells its heir of the activity it sees, is told of every change by it, and has only connections
// left that cannot be moved: those over TLS, and requests under way. On an error everything is as before.
func (p *Proxy) Bequeath(ctx context.Context, conn *net.UnixConn, s Succession) (err error) {
	l := newWire(conn)
	defer func() {
		if err != nil {
			_ = l.send(message{Do: doRefuse, Error: err.Error()}) // it may be gone
			l.close()
		}
	}()
	if who, ok := descriptor.Peer(conn); !ok || who.Uid != 0 && int64(who.Uid) != owner() {
		return hub.Errorf(hub.Forbidden, "a proxy is followed by one of the same user, not of uid %d", who.Uid)
	}
	if !p.bequeathing.TryLock() {
		return hub.Errorf(hub.Conflict, "the proxy is being followed by another already; wait for that to end")
	}
	defer p.bequeathing.Unlock()
	if p.hasLeft() {
		return hub.Errorf(hub.Conflict, "the proxy has been followed by another already; ask that one")
	}
	heir, over, err := p.introduce(l, s)
	if err != nil {
		return err
	}
	if err := p.calls.freeze(freezeTime); err != nil {
		return err
	}
	if err := p.crown(l, s, heir); err != nil {
		p.calls.thaw(nil)
		return err
	}
	for _, door := range s.Doors {
		if l, ok := door.Listener.(*net.UnixListener); ok {
			l.SetUnlinkOnClose(false) // the heir listens there
		}
	}
	p.leave(context.WithoutCancel(ctx), l, over, s.Stop)
	return nil
}

// introduce lets the heir start, and gives it the doors and the elders, but for those that it has no room for.
func (p *Proxy) introduce(l *wire, s Succession) (pid int, over []*wire, err error) {
	if err := l.send(message{Do: doHello, Args: s.Args, Env: s.Env}); err != nil {
		return 0, nil, err
	}
	m, files, err := l.expect(doClaim, startTime)
	if err != nil {
		return 0, nil, err
	}
	closeAll(files)
	if s.Fit != nil {
		if err := s.Fit(m.PID); err != nil {
			return 0, nil, err
		}
	}
	estate, beside := message{Do: doEstate}, []int(nil)
	for _, door := range s.Doors {
		held, ok := door.Listener.(syscall.Conn)
		if !ok {
			return 0, nil, fmt.Errorf("hand over the door %s: a %T has no descriptor", door.Name, door.Listener)
		}
		estate.Names, beside = append(estate.Names, door.Name), append(beside, descriptor.Of(held))
	}
	elders, over := p.elders.bequeath()
	defer closeAll(elders)
	for _, f := range elders {
		estate.Names, beside = append(estate.Names, ""), append(beside, descriptor.Of(f))
	}
	if err := l.send(estate, beside...); err != nil {
		return 0, nil, err
	}
	_, files, err = l.expect(doFreeze, startTime)
	closeAll(files)
	return m.PID, over, err
}

// crown gives the heir the table, and the unit once it serves.
func (p *Proxy) crown(l *wire, s Succession, pid int) error {
	table, err := inMemory("table", p.state())
	if err != nil {
		return err
	}
	defer table.Close()
	if err := l.send(message{Do: doTable}, descriptor.Of(table)); err != nil {
		return err
	}
	_, files, err := l.expect(doServing, beginTime)
	closeAll(files)
	if err != nil {
		return err
	}
	return s.Crown(pid)
}

// leave is the point of no return.
func (p *Proxy) leave(ctx context.Context, l *wire, over []*wire, stop func()) {
	p.ledger.retire()
	p.heir.Store(l)
	p.elders.forget(over)
	if err := l.send(message{Do: doYours}); err != nil {
		p.options.Log.Error().Err(err).Msg("the heir is gone as soon as it came")
	}
	p.calls.thaw(passOn(l))
	close(p.left)
	p.accepting.Lock()   // when the last listener has left
	p.accepting.Unlock() // one that begins from here on leaves at once
	p.giveBack(p.tunnels.surrender())
	ctx, end := context.WithCancel(ctx)
	go p.report(ctx, l)
	go func() {
		defer end()
		p.obey(l)
		stop()
	}()
}

func (p *Proxy) hasLeft() bool {
	select {
	case <-p.left:
		return true
	default:
		return false
	}
}

// giveBack sends tunnels to the heir. What it does not take is closed.
func (p *Proxy) giveBack(all []parked) {
	l := p.heir.Load()
	rest, err := packets(all, func(fds []int) error { return l.send(message{Do: doKept}, fds...) })
	for _, k := range rest {
		k.close()
	}
	if err != nil {
		p.options.Log.Error().Err(err).Int("closed", len(rest)).Msg("WebSockets were not taken over")
	}
}

// obey does what the heir says, until it says that everything ends or is gone.
func (p *Proxy) obey(l *wire) {
	for {
		m, files, err := l.receive()
		closeAll(files)
		if err != nil || m.Do == doStop {
			return
		}
		switch m.Do {
		case doCount:
			if p.tellLeft(l) != nil || p.tellOpen(l, true) != nil {
				return
			}
			continue
		case doRoute:
			if err := p.Add(m.Path, m.Data); err != nil {
				p.options.Log.Warn().Err(err).Str("route", m.Path).Msg("a route of the heir's is not good here, ignoring")
			}
		case doForget:
			p.remove(m.Path)
		case doSession:
			if id, err := readSessionID(m.Session); err == nil {
				p.end(id)
			}
		case doRename:
			if id, err := readSessionID(m.Session); err == nil && m.Alias != nil {
				if m.Path == everywhere {
					p.askAnew(id, *m.Alias, m.Stay)
				} else {
					p.turnAway(m.Path, id, *m.Alias)
				}
			}
		}
		if err := l.send(message{Do: doDone, ID: m.ID}); err != nil {
			return
		}
	}
}

// report tells the heir which routes are in use here, and what is left.
func (p *Proxy) report(ctx context.Context, l *wire) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.tunnels.moved:
			if p.tellOpen(l, false) != nil {
				return
			}
			continue
		case <-tick.C:
		}
		from := last
		last = p.options.Now()
		if p.tellActive(l, from) != nil || p.tellLeft(l) != nil {
			return
		}
	}
}

func (p *Proxy) tellLeft(l *wire) error {
	return l.send(message{Do: doLeft, Left: remains{Connections: p.crowd.count(), Tunnels: p.tunnels.count()}})
}

func (p *Proxy) tellActive(l *wire, since time.Time) error {
	batch := map[string]time.Time{}
	for key, r := range p.table.all() {
		at := r.up.lastActivity()
		if at.Before(since) {
			continue
		}
		if batch[key] = at; len(batch) == activeBatch {
			if err := l.send(message{Do: doActive, Active: batch}); err != nil {
				return err
			}
			clear(batch)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return l.send(message{Do: doActive, Active: batch})
}

// Emptied returns when a proxy that has an heir has nobody left, or when ctx ends.
func (p *Proxy) Emptied(ctx context.Context) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for p.crowd.count()+p.hubs.count() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// depart closes every tunnel. Plain ones go to the heir, or to the store that a successor finds them in.
func (p *Proxy) depart(ctx context.Context) {
	p.departing.Do(func() {
		keep, heir := p.options.Keep, p.heir.Load()
		var mine []parked
		if keep != nil || heir != nil {
			mine = p.tunnels.surrender()
		}
		if heir != nil {
			_ = p.tellActive(heir, time.Time{}) // it is gone, or about to go
			p.giveBack(mine)
			return
		}
		p.parting.Go(func() { p.store(append(mine, p.elders.stop(ctx)...)) })
	})
	p.tunnels.shut(ctx)
	p.parting.Wait()
}

func (p *Proxy) store(all []parked) {
	if p.options.Keep == nil || len(all) == 0 {
		for _, k := range all {
			k.close()
		}
		return
	}
	full, err := bags(all)
	if len(full) > 0 {
		err = errors.Join(err, p.options.Keep(full))
	}
	closeAll(full)
	if err != nil {
		p.options.Log.Error().Err(err).Msg("WebSockets are lost")
		return
	}
	p.options.Log.Info().Int("tunnels", len(all)).Msg("kept WebSockets for the next proxy")
}

// Resume goes on with the tunnels that Options.Keep stored. It comes before anything is served.
func (p *Proxy) Resume(kept []*os.File) {
	for _, bag := range kept {
		all, err := empty(bag)
		if err != nil {
			p.options.Log.Error().Err(err).Msg("WebSockets are lost")
		}
		p.adoptAll(all)
	}
}
