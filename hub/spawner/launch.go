package spawner

import (
	"context"
	"errors"
	"time"

	"jupyterhubd/hub"
)

// launch asks the Spawner for the unit. While nobody answers there it asks again; when an inventory shows that the unit
// came up all the same, that will do.
func (m *Manager) launch(ctx context.Context, s *server) error {
	live, err := m.Server(s.ref)
	if err != nil {
		return err
	}
	if err := m.clearTheWay(ctx, s); err != nil {
		return err
	}
	s.progress.step(10, "Asking systemd to start the server")
	retry := backoff{first: 250 * time.Millisecond, most: 5 * time.Second}
	for {
		told := m.nextInventory()
		unit, err := m.ask(ctx, s, live)
		switch {
		case err == nil:
			return m.launched(s, unit)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case hub.KindOf(err) == hub.Conflict && m.unitOf(s).State.Alive():
			return nil
		case s.kept && refused(err):
			if live, err = m.disregard(s, err); err != nil {
				return err
			}
			continue
		case !away(err):
			return err
		}
		m.log.Warn().Err(err).Str("user", s.ref.User).Str("server", s.ref.Server).Msg("nobody answers who could start a server")
		s.progress.step(10, "The part of the system that starts servers does not answer. Waiting for it")
		if pause(ctx, told, retry.pause()); m.unitOf(s).State.Alive() {
			return nil
		}
	}
}

// ask asks once.
func (m *Manager) ask(ctx context.Context, s *server, live hub.Live) (hub.Unit, error) {
	m.mu.Lock()
	s.asking = true
	m.mu.Unlock()
	unit, err := m.spawner.Start(ctx, s.ref, live.Profile, live.Options)
	m.mu.Lock()
	s.asking = false
	m.mu.Unlock()
	return unit, err
}

// away reports whether an error means that nobody answers, rather than that somebody refuses.
func away(err error) bool {
	return hub.KindOf(err) == hub.Unavailable && causeIn(err) == nil
}

// clearTheWay stops a unit of this name that runs without having been wished: whatever identity it has is not ours.
func (m *Manager) clearTheWay(ctx context.Context, s *server) error {
	m.mu.Lock()
	stray, is := m.strays[s.ref]
	delete(m.strays, s.ref)
	if is {
		m.outlive(stray, s)
	}
	m.mu.Unlock()
	if !is {
		return nil
	}
	s.progress.step(5, "Stopping an old server of yours first")
	return m.stopUnit(ctx, s)
}

// launched takes in the unit that a start returned. An event may have told more of it already, its end even.
func (m *Manager) launched(s *server, u hub.Unit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.unit.Invocation == u.Invocation && s.unit.State.Alive() {
		s.unit.Listening = s.unit.Listening || u.Listening
		s.tell()
	} else {
		m.see(s, u)
	}
	m.noteRun(u)
	if !u.State.Alive() {
		return failure(u)
	}
	return nil
}

func (m *Manager) unitOf(s *server) hub.Unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.unit
}

// nextInventory returns a channel that the next inventory closes.
func (m *Manager) nextInventory() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inventory
}

// untilDeadline bounds a start. Whoever watches it is told when it will be given up; halfway there a start that is slow is
// told apart from one that is stuck.
func (m *Manager) untilDeadline(ctx context.Context, s *server, limit time.Duration) (context.Context, context.CancelFunc) {
	s.progress.until(m.now().Add(limit))
	ctx, cancel := context.WithCancelCause(ctx)
	over := time.AfterFunc(limit, func() { cancel(m.tooLate(s, limit)) })
	half := time.AfterFunc(limit/2, func() { m.sayHowItGoes(ctx, s) })
	return ctx, func() { over.Stop(); half.Stop(); cancel(nil) }
}

// tooLate is why a start is given up: how far it came says where to look.
func (m *Manager) tooLate(s *server, limit time.Duration) error {
	m.mu.Lock()
	u, routed := s.unit, s.routed
	m.mu.Unlock()
	switch {
	case u.State != hub.UnitActive:
		return timeout(limit, "start_timeout", "The system did not get it to run.")
	case !u.Listening:
		return timeout(limit, "start_timeout", "It runs, and did not come so far as to listen: it may just be slow. Try again.")
	}
	if routed {
		return timeout(limit, "start_timeout", "It runs and answers, and the proxy does not take its address. Please tell your administrator.")
	}
	return timeout(limit, "start_timeout", "It runs and listens, and has not answered yet: it may just be slow. Try again.")
}

// sayHowItGoes tells who watches a start that takes long whether the server is at work.
func (m *Manager) sayHowItGoes(ctx context.Context, s *server) {
	limited, done := context.WithTimeout(ctx, lookPatience)
	defer done()
	units, err := m.spawner.Usage(limited)
	if err != nil {
		return // the next step, or the deadline, says more
	}
	for _, u := range units {
		if u.ServerRef != s.ref || u.CPU < 0 {
			continue
		}
		word := "It has not done much yet"
		if u.CPU > int64(slowButAlive) {
			word = "It is slow, not stuck"
		}
		s.progress.step(50, "The server runs and has worked for %s of processor time. %s", spoken(time.Duration(u.CPU).Round(time.Second/10)), word)
	}
}

// slowButAlive is the processor time that tells a server which works from one that waits for something.
const slowButAlive = time.Second

// awaitListening waits for the server's socket. A unit that ends meanwhile ends ctx.
func (m *Manager) awaitListening(ctx context.Context, s *server, limit time.Duration) (hub.Unit, error) {
	told := false
	for {
		m.mu.Lock()
		unit, changed := s.unit, s.changed
		m.mu.Unlock()
		if unit.State == hub.UnitActive && unit.Listening {
			return unit, nil
		}
		if !told && unit.Name != "" {
			s.progress.step(40, "%s runs. Waiting up to %s for it to listen", unit.Name, spoken(limit))
			told = true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return hub.Unit{}, context.Cause(ctx)
		}
	}
}

// errSilent is a server that listens and does not answer in time.
var errSilent = errors.New("no answer in time")

// awaitAnswer asks the server itself. One that was found running may be busy: it is believed to be well when it does not
// answer, since stopping it would lose somebody's work.
func (m *Manager) awaitAnswer(ctx context.Context, s *server, unit hub.Unit, policy Policy, from origin) error {
	s.progress.step(70, "%s listens. Waiting for its first answer", unit.Name)
	limited, done := context.WithTimeoutCause(ctx, policy.HTTPTimeout, errSilent)
	defer done()
	version, err := m.probe(limited, unit, m.urls.Prefix(s.ref))
	switch {
	case err == nil:
		if version != "" {
			s.progress.step(90, "The server answers (jupyterhub-singleuser %s)", printable(version))
		}
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.Is(context.Cause(limited), errSilent):
		return err
	case from == found:
		m.log.Warn().Str("user", s.ref.User).Str("server", s.ref.Server).Msg("a server that runs does not answer, keeping it")
		return nil
	}
	return timeout(policy.HTTPTimeout, "http_timeout", "It listens and gives no answer.")
}

// pause waits for a channel, a time or the end of ctx, whichever is first.
func pause(ctx context.Context, c <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
	case <-ctx.Done():
	}
}
