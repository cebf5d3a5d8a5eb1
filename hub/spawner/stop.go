package spawner

import (
	"context"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// zeroTime is "never", and "not now".
var zeroTime time.Time

// Stop wishes that a server does not run and returns at once; Wait tells when it is gone. A start under way is cancelled.
// A server that is stopped, or being stopped, is no error.
func (m *Manager) Stop(ctx context.Context, ref hub.ServerRef) (hub.Live, error) {
	if err := m.awaitSync(ctx); err != nil {
		return hub.Live{}, err
	}
	m.mu.Lock()
	if s := m.servers[ref]; s != nil {
		s.again = false
		m.halt(s)
	}
	m.mu.Unlock()
	return m.Server(ref)
}

// Restart stops a server that runs and starts it again as it was started, and returns at once; Wait tells when it is ready
// again. It does so though whoever asked has left, unless somebody stops the server meanwhile. A server that does not run is
// NotRunning.
func (m *Manager) Restart(ctx context.Context, ref hub.ServerRef) error {
	if err := m.awaitSync(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.servers[ref]
	if s == nil || !s.state.Ready() {
		return hub.Errorf(hub.NotRunning, "%s does not run", ref)
	}
	s.again = true
	m.halt(s)
	return nil
}

// startAgain begins a start of a server that has just stopped; the caller holds mu all the while, so that nobody sees it
// stopped in between.
func (m *Manager) startAgain(ref hub.ServerRef, why string, c choice) {
	s := m.enter(ref, hub.Queued)
	s.progress.step(0, "%s", why)
	life, boot := m.lifeOf(s), m.bootID
	m.do(func(context.Context) {
		before, err := m.wish(m.policyNow(), ref, c, boot)
		if err != nil {
			m.abandon(s, err)
			return
		}
		m.mu.Lock()
		s.goesBy(before, c)
		if s.state == hub.Queued {
			m.join(s)
		}
		m.mu.Unlock()
		m.bringUp(life, s, asked)
	})
}

// halt begins the end of an active server; the caller holds mu.
func (m *Manager) halt(s *server) {
	before := s.state
	if !m.change(s, hub.Stopping) {
		return
	}
	switch before {
	case hub.Running, hub.Frozen:
		m.do(func(ctx context.Context) { m.takeDown(ctx, s, nil) })
	case hub.Freezing, hub.Thawing: // whoever does that goes on to take it down
	default:
		m.leave(s)
		s.cancel(errCancelled) // bringUp goes on to take it down
	}
}

// StopAll stops every active server and returns how many that were.
func (m *Manager) StopAll(ctx context.Context) (int, error) {
	refs := m.active()
	for _, ref := range refs {
		if _, err := m.Stop(ctx, ref); err != nil && hub.KindOf(err) != hub.NotFound {
			return 0, err
		}
	}
	return len(refs), nil
}

// Evict stops every server of a user and returns when none is active any more, or ctx ends. After it, whoever has the name
// meets nobody else's processes.
func (m *Manager) Evict(ctx context.Context, user string) error {
	for _, ref := range m.active() {
		if ref.User != user {
			continue
		}
		if _, err := m.Stop(ctx, ref); ignoreAbsent(err) != nil {
			return err
		}
		if _, err := m.Wait(ctx, ref); ignoreAbsent(err) != nil {
			return err
		}
	}
	return nil
}

// Remove stops a named server and forgets it. It returns when that is done; if ctx ends first it is done all the same.
func (m *Manager) Remove(ctx context.Context, ref hub.ServerRef) error {
	if ref.Server == "" {
		return hub.Errorf(hub.Invalid, "The default server cannot be removed, only stopped.")
	}
	if err := m.awaitSync(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	s := m.servers[ref]
	if s != nil {
		s.forget = true
		m.halt(s)
	}
	m.mu.Unlock()
	if s == nil {
		m.closeOf(ctx, ref, hub.Unit{})
		return m.forget(ref)
	}
	_, err := m.Wait(ctx, ref)
	return ignoreAbsent(err)
}

func (m *Manager) forget(ref hub.ServerRef) error {
	return m.store.Update(func(tx *store.Tx) error {
		if err := revoke(tx, ref); err != nil {
			return err
		}
		return tx.DeleteServer(ref)
	})
}

// takeDown ends a server in the order that keeps visitors from seeing a half: route, unit, token and OAuth client. A cause
// makes it failed.
func (m *Manager) takeDown(ctx context.Context, s *server, cause *hub.Cause) {
	began := m.now()
	m.mu.Lock()
	m.change(s, hub.Stopping)
	m.mu.Unlock()
	shutdown := cause != nil && cause.Kind == hub.CauseShutdown
	if !shutdown { // and why, at once: what follows may take a while
		m.warn(m.unwish(s.ref, m.described(cause, m.unitOf(s))), "forget a wish, ignoring")
	}
	m.dropRoute(ctx, s)
	if m.unitOf(s).State.Alive() {
		m.Sample(ctx) // what it used until now
		cause = m.withLines(ctx, s, cause)
	}
	m.thawFirst(ctx, s)
	err := m.stopUnit(ctx, s)
	if ctx.Err() != nil {
		return // the next hub sees what is left
	}
	if err != nil {
		cause = causeOf(err)
	} else {
		m.mu.Lock()
		m.outlive(s.unit, s)
		s.unit.State = hub.UnitInactive
		m.mu.Unlock()
	}
	if s.forget {
		m.closeOf(ctx, s.ref, m.unitOf(s))
	}
	m.metrics.stopped(m.now().Sub(began), err)
	m.settle(s, cause, shutdown)
}

// settle writes a server's end down and tells it.
func (m *Manager) settle(s *server, cause *hub.Cause, shutdown bool) {
	again := cause != nil && cause.Partial
	cause = m.described(cause, m.unitOf(s))
	end, state := ending{cause: cause, keep: shutdown, erase: s.forget && cause == nil, run: m.unitOf(s)}, hub.Stopped
	if s.refusal != nil || s.rescue {
		end.undo = &s.before
	}
	if shutdown {
		end.cause = nil
	} else if cause != nil {
		state = hub.Failed
	}
	err := m.end(s.ref, end)
	m.mu.Lock()
	m.change(s, state)
	m.usage.open[s.ref] = true
	m.countSoon()
	if s.again && state == hub.Stopped && !shutdown {
		m.startAgain(s.ref, "Server requested", choice{})
	}
	s.progress.add(failedEvent(cause))
	if state == hub.Failed && cause.Partial {
		m.awaitRest(s.ref, s.progress.orOnly(failedEvent(cause)), cause, again)
		if late := s.obituary; late.Invocation == cause.Invocation && late.Cause != nil && !late.Cause.Partial {
			m.do(func(context.Context) { m.amend(s.ref, late.Cause) })
		}
	}
	m.mu.Unlock()
	log := m.log.Info()
	if err != nil || state == hub.Failed {
		log = m.log.Warn().Err(err)
	}
	if cause != nil {
		log = log.Str("unit", cause.Unit).Str("cause", string(cause.Kind)).Str("detail", cause.Detail)
	}
	log.Str("user", s.ref.User).Str("server", s.ref.Server).Msg("server is " + string(state))
}

// stopUnit returns when the unit is gone. While nobody answers who could stop it, it asks again.
func (m *Manager) stopUnit(ctx context.Context, s *server) error {
	if u := m.unitOf(s); !u.ServerRef.IsZero() && !u.State.Alive() {
		return nil
	}
	limit := m.policyNow().StopTimeout
	ctx, done := context.WithTimeoutCause(ctx, limit, stuck(limit))
	defer done()
	retry := backoff{first: 250 * time.Millisecond, most: 5 * time.Second}
	for {
		told := m.nextInventory()
		err := m.spawner.Stop(ctx, s.ref)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !away(err):
			return err
		}
		pause(ctx, told, retry.pause())
	}
}
