package spawner

import (
	"context"

	"jupyterhubd/hub"
)

// reconcile brings wishes and units together, from the whole of both:
//
//	wish, unit alive             adopted: waited for, asked, routed
//	wish, no unit, same boot     failed, with the unit's cause if it left one
//	wish, no unit, another boot  stopped; started if its profile is to start at boot
//	an end that was begun        gone on with, whether the unit is alive or not
//	no wish, unit alive          stopped after a grace
//	no wish, no unit             nothing
//
// Servers whose start or stop is under way have somebody who cares for them; they are shown the unit, or that it is gone.
func (m *Manager) reconcile(inv hub.Inventory) {
	m.names.whole(inv.Units)
	m.mu.Lock()
	defer m.mu.Unlock()
	todo, err := m.unfinished() // under the lock: a stop that ends just now must not look like a wish that nobody cares for
	if err != nil {
		m.log.Error().Err(err).Msg("read wishes from the store")
		return
	}
	m.bootID = inv.BootID
	clear(m.late)
	units := make(map[hub.ServerRef]hub.Unit, len(inv.Units))
	for _, u := range inv.Units {
		units[u.ServerRef] = u
	}
	for ref, s := range m.servers {
		m.compare(s, units[ref])
	}
	for ref, wish := range todo.wanted {
		if m.servers[ref] == nil {
			m.takeUp(wish, units[ref])
		}
	}
	for ref, cause := range todo.ending {
		if m.servers[ref] == nil {
			m.finish(ref, units[ref], cause)
		}
	}
	for ref := range m.strays {
		if !units[ref].State.Alive() {
			delete(m.strays, ref)
		}
	}
	for ref, u := range units {
		if m.servers[ref] == nil && u.State.Alive() {
			m.doubt(u)
		}
	}
	m.reread(todo.partial, units)
	for _, ref := range todo.runs {
		m.usage.open[ref] = true
	}
	m.countSoon()
	m.announce()
}

// announce wakes those who wait for an inventory, and lets Start through after the first one.
func (m *Manager) announce() {
	close(m.inventory)
	m.inventory = make(chan struct{})
	select {
	case <-m.synced:
	default:
		close(m.synced)
	}
	m.redoRoutes()
}

// compare shows an active server what an inventory says of its unit. One that was never seen may be just being made.
func (m *Manager) compare(s *server, u hub.Unit) {
	switch {
	case !u.ServerRef.IsZero():
		m.see(s, u)
	case s.unit.State.Alive():
		gone := s.unit
		gone.State, gone.Cause = hub.UnitFailed, vanished(s.unit.Name)
		m.see(s, gone)
	}
}

// takeUp makes of a wish that nobody cares for what the table says.
func (m *Manager) takeUp(wish hub.Server, u hub.Unit) {
	switch {
	case u.State.Alive():
		m.adopt(wish.ServerRef, u)
	case wish.BootID == m.bootID:
		cause := endOf(u)
		if cause == nil {
			cause = vanished(u.Name)
		}
		m.lose(wish.ServerRef, u.Name, cause)
	case m.policy.startsAtBoot(wish.Profile):
		m.revive(wish)
	default:
		m.lose(wish.ServerRef, u.Name, nil)
	}
}

// adopt takes over a server that runs.
func (m *Manager) adopt(ref hub.ServerRef, u hub.Unit) {
	if u.Frozen && u.Listening {
		s := m.enter(ref, hub.Frozen)
		s.unit, s.routed, s.asleep = u, true, true
		return
	}
	s := m.enter(ref, hub.Starting)
	s.unit = u
	m.noteRun(u)
	s.routed = u.Listening // visitors who come through the route that it has go on
	s.progress.step(30, "Found %s running", u.Name)
	life := m.lifeOf(s)
	m.do(func(context.Context) { m.bringUp(life, s, found) })
}

// lose cleans up after a server that ended unseen.
func (m *Manager) lose(ref hub.ServerRef, unit string, cause *hub.Cause) {
	s := m.enter(ref, hub.Stopping)
	s.unit = hub.Unit{ServerRef: ref, Name: unit, State: hub.UnitInactive}
	m.do(func(ctx context.Context) { m.takeDown(ctx, s, cause) })
}

// finish goes on with the end of a server, which a former hub has begun.
func (m *Manager) finish(ref hub.ServerRef, u hub.Unit, cause *hub.Cause) {
	if !u.State.Alive() {
		m.lose(ref, u.Name, cause)
		return
	}
	s := m.enter(ref, hub.Stopping)
	s.unit = u
	m.do(func(ctx context.Context) { m.takeDown(ctx, s, cause) })
}

// revive starts a server again that ran when the machine went down.
func (m *Manager) revive(wish hub.Server) {
	m.startAgain(wish.ServerRef, "The machine was started again, and so is the server", choice{wish.Profile, wish.Options})
}

// doubt notes a unit of ours that nobody wishes, and stops it if after a grace still nobody does. The caller holds mu.
func (m *Manager) doubt(u hub.Unit) {
	known, stray := m.strays[u.ServerRef]
	m.strays[u.ServerRef] = u
	if stray && known.Invocation == u.Invocation {
		return
	}
	m.do(func(ctx context.Context) {
		pause(ctx, nil, strayGrace)
		if ctx.Err() == nil {
			m.sweep(u)
		}
	})
}

func (m *Manager) sweep(u hub.Unit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stray, still := m.strays[u.ServerRef]
	if !still || stray.Invocation != u.Invocation || m.servers[u.ServerRef] != nil {
		return
	}
	m.log.Warn().Str("user", u.User).Str("server", u.Server).Str("unit", u.Name).Msg("stopping a server that nobody wishes")
	delete(m.strays, u.ServerRef)
	s := m.enter(u.ServerRef, hub.Stopping)
	s.unit = stray
	m.do(func(ctx context.Context) { m.takeDown(ctx, s, nil) })
}

// observe takes in one change. It is called by Spawner.Watch, in order.
func (m *Manager) observe(u hub.Unit) {
	m.names.told(u)
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.servers[u.ServerRef]
	switch {
	case m.late[u.Invocation]:
		if !u.State.Alive() {
			delete(m.late, u.Invocation)
		}
	case s != nil:
		m.see(s, u)
	case u.State.Alive():
		m.doubt(u)
	default:
		delete(m.strays, u.ServerRef)
		if u.Cause != nil && !u.Cause.Partial && m.rests[u.ServerRef] != nil {
			m.do(func(context.Context) { m.amend(u.ServerRef, u.Cause) })
		}
	}
}

// see takes in what is reported of an active server's unit. Answers of Start and reports of Watch come by different ways, so
// the end of a unit may be known before its beginning; the invocation tells whose end it is. While Start has not answered, it
// may be the end of the unit before this one, told late; if it is this one's, the answer says so.
func (m *Manager) see(s *server, u hub.Unit) {
	if !u.State.Alive() {
		switch {
		case u.Invocation != s.unit.Invocation || !s.unit.State.Alive():
			s.obituary = u
		case s.asking:
			s.obituary, s.unit = u, hub.Unit{}
		default:
			m.bury(s, u)
		}
		return
	}
	again := (s.state == hub.Running || s.state == hub.Frozen) && u.Invocation != s.unit.Invocation
	s.unit = u
	s.tell()
	switch {
	case u.Frozen && s.state == hub.Running && !again:
		m.sleepsAlready(s)
	case s.obituary.Invocation != "" && s.obituary.Invocation == u.Invocation:
		m.bury(s, s.obituary)
	case again:
		m.restart(s)
	}
}

// outlive notes that a unit is gone, though Watch may still tell of its last days. The caller holds mu.
func (m *Manager) outlive(u hub.Unit, s *server) {
	if u.Invocation != "" && u.State.Alive() && s.obituary.Invocation != u.Invocation {
		m.late[u.Invocation] = true
	}
}

// bury ends a server whose unit ended.
func (m *Manager) bury(s *server, u hub.Unit) {
	s.unit = u
	s.tell()
	switch s.state {
	case hub.Starting:
		s.cancel(failure(u))
	case hub.Running, hub.Frozen:
		m.change(s, hub.Stopping)
		m.do(func(ctx context.Context) { m.takeDown(ctx, s, endOf(u)) })
	}
}

// restart waits again for a server that systemd restarts (Restart= in a drop-in).
func (m *Manager) restart(s *server) {
	m.change(s, hub.Starting)
	m.noteRun(s.unit)
	s.progress, s.began, s.routed, s.asleep = newProgress(), m.now(), false, false
	m.redoRoutes()
	s.progress.step(30, "systemd restarts %s", s.unit.Name)
	life := m.lifeOf(s)
	m.do(func(context.Context) { m.bringUp(life, s, restarted) })
}
