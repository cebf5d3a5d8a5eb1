package spawner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// errCancelled ends a start that somebody does not want any more.
var errCancelled = errors.New("cancelled")

// Start wishes that a server runs and returns at once, with the server queued or starting; Wait and Watch tell how it goes
// on. Options nil means those of the last start. Asking again while a start is pending is no error; a server that runs or
// is being stopped is a Conflict, one for which there is no place in line TooMany. A named server without a record is created.
//
// Only right after the hub's own start, before it has seen what runs, may it take some seconds.
func (m *Manager) Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Live, error) {
	if err := m.awaitSync(ctx); err != nil {
		return hub.Live{}, err
	}
	if err := m.withinQuota(ctx, ref.User); err != nil {
		return hub.Live{}, err
	}
	s, life, err := m.reserve(ref)
	if err != nil {
		return hub.Live{}, err
	}
	if s != nil {
		before, err := m.wish(m.policyNow(), ref, choice{profile, options}, m.boot())
		if err != nil {
			m.abandon(s, err)
			return hub.Live{}, err
		}
		m.mu.Lock()
		s.goesBy(before, choice{profile, options})
		if s.state == hub.Queued {
			m.join(s)
		}
		m.do(func(context.Context) { m.bringUp(life, s, asked) })
		m.mu.Unlock()
	}
	return m.Server(ref)
}

// reserve makes the server queued, so that there is one start of it at a time. A nil server means that one is under way.
func (m *Manager) reserve(ref hub.ServerRef) (*server, context.Context, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.policy.admitNamed(ref); err != nil {
		return nil, nil, err
	}
	if s := m.servers[ref]; s != nil {
		switch s.state {
		case hub.Queued, hub.Starting:
			return nil, nil, nil
		case hub.Stopping:
			return nil, nil, hub.Errorf(hub.Conflict, "%s is being stopped. Try again when it has.", ref)
		}
		return nil, nil, hub.Errorf(hub.Conflict, "%s is already running", ref)
	}
	if limit := m.policy.SpawnQueueLimit; limit > 0 && m.queue.line(m) >= limit {
		m.metrics.refused()
		return nil, nil, &hub.Error{Kind: hub.TooMany, RetryAfter: m.queue.pace.retry(limit),
			Text: "As many servers wait to be started as this hub has room for. Try again in a few minutes."}
	}
	s := m.enter(ref, hub.Queued)
	s.progress.step(0, "Server requested")
	return s, m.lifeOf(s), nil
}

// lifeOf returns the context of a start, which s.cancel ends; the caller holds mu.
func (m *Manager) lifeOf(s *server) context.Context {
	ctx, cancel := context.WithCancelCause(m.running)
	s.cancel = cancel
	return ctx
}

// abandon ends a start whose wish could not be stored.
func (m *Manager) abandon(s *server, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.cancel(err)
	m.change(s, hub.Stopping)
	m.change(s, hub.Stopped)
	s.progress.add(failedEvent(causeOf(err)))
}

func (m *Manager) boot() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bootID
}

// origin is how a server came to be starting.
type origin int

const (
	asked     origin = iota // somebody wants it
	found                   // it ran before we did
	restarted               // systemd restarts its unit
)

// bringUp is the life of a server until it is ready, or until its end if it never is.
func (m *Manager) bringUp(life context.Context, s *server, from origin) {
	err := m.start(life, s, from)
	m.mu.Lock()
	m.leave(s)
	if err == nil {
		err = context.Cause(life) // the unit may have ended just now
	}
	ready := err == nil && m.change(s, hub.Running)
	switch {
	case ready:
		if from == asked {
			m.queue.pace.add(m.now().Sub(s.turned))
		}
		s.progress.add(readyEvent(m.urls.Server(s.ref)))
		m.countSoon()
	case refused(err):
		s.refusal = err
	}
	s.cancel(nil)
	running, took := m.running, m.now().Sub(s.began)
	m.mu.Unlock()
	cause := causeOf(err)
	if from == asked && running.Err() == nil {
		m.metrics.spawned(took, ready, cause)
	}
	switch {
	case ready:
		m.log.Info().Str("user", s.ref.User).Str("server", s.ref.Server).Msg("server is ready")
	case running.Err() == nil:
		m.takeDown(running, s, cause)
	}
}

// start takes a server through its steps, all but the wait in line within one deadline.
func (m *Manager) start(ctx context.Context, s *server, from origin) error {
	if from == asked {
		if err := m.awaitTurn(ctx, s); err != nil {
			return err
		}
	}
	policy := m.policyNow()
	ctx, done := m.untilDeadline(ctx, s, policy.StartTimeout)
	defer done()
	clock := m.stopwatch(from)
	if from == asked {
		if err := m.admitUser(ctx, s.ref.User); err != nil {
			return err
		}
		if err := m.launch(ctx, s); err != nil {
			return err
		}
		clock(stageUnit)
	}
	if err := m.samePerson(s); err != nil {
		return err
	}
	unit, err := m.awaitListening(ctx, s, policy.StartTimeout)
	if err != nil {
		return err
	}
	clock(stageSocket)
	if err := m.awaitAnswer(ctx, s, unit, policy, from); err != nil {
		return err
	}
	clock(stageAnswer)
	if err := m.addRoute(ctx, s); err != nil {
		return err
	}
	clock(stageRoute)
	return nil
}

// admitUser asks whether a user's account may be used at this moment.
func (m *Manager) admitUser(ctx context.Context, user string) error {
	if m.admission == nil {
		return nil
	}
	return m.admission(ctx, user)
}

// stopwatch returns what measures a start's stages, each from the end of the one before.
func (m *Manager) stopwatch(from origin) func(stage) {
	began := m.now()
	return func(s stage) {
		now := m.now()
		if from == asked {
			m.metrics.staged(s, now.Sub(began))
		}
		began = now
	}
}

// samePerson refuses a unit that runs as another account than the one which the user logged in with. A name can pass from
// one person to the next, on the system or by renaming a user here, while sessions and tokens of the first are still good. Where root's
// file gives the user's servers an account by name, that is whose they are.
func (m *Manager) samePerson(s *server) error {
	unit := m.unitOf(s)
	return m.store.View(func(tx *store.Tx) error {
		user, err := tx.User(s.ref.User)
		if err != nil || unit.UID == hub.NoUID || user.UID == unit.UID || unit.Account != "" || !user.LoggedIn() {
			return err
		}
		return withCause(&hub.Cause{
			Kind: hub.CauseAccount, Unit: unit.Name,
			Message: "Your account on this machine is another one than when you logged in. Log out, and log in again.",
			Detail:  fmt.Sprintf("the unit runs as uid %d, the user logged in as uid %d", unit.UID, user.UID),
		})
	})
}

func (m *Manager) awaitTurn(ctx context.Context, s *server) error {
	m.mu.Lock()
	turn := s.turn
	m.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
