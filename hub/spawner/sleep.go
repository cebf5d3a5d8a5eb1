package spawner

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Times of going to sleep and waking up.
const (
	sleepPatience = 30 * time.Second // for a unit to be frozen or thawed
	secondLook    = 30 * time.Second // until a server of which nothing is known can be told idle from busy
)

// nod asks who may be laid to sleep, and who is to be asked what they do.
func (m *Manager) nod() {
	for _, look := range []chan struct{}{m.nodding, m.asking} {
		select {
		case look <- struct{}{}:
		default:
		}
	}
}

// runSleep lays servers to sleep that were idle for as long as their profile says. It looks when the first of them is due.
func (m *Manager) runSleep(ctx context.Context) {
	if m.sleeper == nil {
		return
	}
	for {
		next, any := m.layIdle(ctx)
		if !any {
			next = 24 * time.Hour // or when it is asked to
		}
		if pause(ctx, m.nodding, next); ctx.Err() != nil {
			return
		}
	}
}

// layIdle lays to sleep who is due, and returns when the next one is.
func (m *Manager) layIdle(ctx context.Context) (next time.Duration, any bool) {
	due, next, any := m.quiet(m.sleepAt)
	if len(due) == 0 {
		return next, any
	}
	if _, err := m.readActivity(ctx); err != nil { // the proxy may have seen somebody meanwhile
		m.log.Warn().Err(err).Msg("read the proxy's activity, laying nobody to sleep")
		return sleepPatience, true
	}
	m.Sample(ctx) // and the kernel somebody's work
	due, _, _ = m.quiet(m.sleepAt)
	m.question(ctx, due) // and a server that a cell waits
	due, _, _ = m.quiet(m.sleepAt)
	for _, s := range due {
		m.do(func(ctx context.Context) { m.layDown(ctx, s) })
	}
	_, next, any = m.quiet(m.sleepAt)
	return max(next, time.Second), any
}

// sleepAt is when a server may be laid to sleep; the caller holds mu.
func (m *Manager) sleepAt(s *server, live hub.Live) time.Time {
	after := m.policy.SleepAfter[live.Profile]
	if after <= 0 {
		return zeroTime
	}
	at := live.LastActivity.Add(after)
	if s.rested.After(at) {
		at = s.rested
	}
	return at
}

// layDown lays one server to sleep. The proxy is told first: what comes from then on wakes the server.
func (m *Manager) layDown(ctx context.Context, s *server) {
	if !m.isIdle(s) {
		return
	}
	m.mu.Lock()
	if s.state != hub.Running || !m.change(s, hub.Freezing) {
		m.mu.Unlock()
		return
	}
	s.asleep, s.wanted = true, false
	m.mu.Unlock()
	err := m.freeze(ctx, s)
	if ctx.Err() != nil {
		return // the next hub sees what is left
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.endedMeanwhile(s):
	case cannot(err):
		m.log.Warn().Err(err).Str("user", s.ref.User).Str("server", s.ref.Server).Msg("this machine cannot freeze, stopping an idle server instead")
		m.change(s, hub.Stopping)
		m.do(func(ctx context.Context) { m.takeDown(ctx, s, nil) })
	case err != nil:
		m.log.Warn().Err(err).Str("user", s.ref.User).Str("server", s.ref.Server).Msg("lay a server to sleep, ignoring")
		m.rise(s)
	default:
		m.change(s, hub.Frozen)
		m.log.Info().Str("user", s.ref.User).Str("server", s.ref.Server).Msg("server sleeps")
		if s.wanted {
			m.raise(s)
		}
	}
}

// isIdle reports whether the kernel has seen no work of a server. One of which nothing is known is looked at a second time.
func (m *Manager) isIdle(s *server) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.usage.looked(s.unit.Invocation) >= 2 {
		return true
	}
	s.rested = m.now().Add(min(secondLook, m.policy.sleepAfterAny()))
	m.nod()
	return false
}

// freeze marks the route and freezes the unit. A visit between the last look at the proxy and the mark is seen by a look
// after it.
func (m *Manager) freeze(ctx context.Context, s *server) error {
	m.mu.Lock()
	r := m.routeOf(s)
	m.mu.Unlock()
	if err := m.alone(func() error { return m.add(ctx, r) }); err != nil {
		return err
	}
	before := m.lastSeen(s.ref)
	if _, err := m.readActivity(ctx); err != nil {
		return err
	}
	if m.lastSeen(s.ref).After(before) {
		return hub.Errorf(hub.Conflict, "somebody came just now")
	}
	ctx, done := context.WithTimeout(ctx, sleepPatience)
	defer done()
	u, err := m.sleeper.Freeze(ctx, s.ref)
	if err == nil {
		m.mu.Lock()
		m.noteSleep(s, u, true)
		m.mu.Unlock()
	}
	return err
}

func (m *Manager) lastSeen(ref hub.ServerRef) time.Time {
	live, err := m.Server(ref)
	m.warn(err, "read a server from the store, ignoring")
	return live.LastActivity
}

// noteSleep takes in what Freeze or Thaw answered of a unit that is still the same.
func (m *Manager) noteSleep(s *server, u hub.Unit, frozen bool) {
	if u.Invocation == s.unit.Invocation {
		s.unit.Frozen = frozen
	}
}

// endedMeanwhile takes a server down that was stopped, or ended, while it was being laid to sleep or woken. It reports whether
// that is so; the caller holds mu.
func (m *Manager) endedMeanwhile(s *server) bool {
	if s.state != hub.Stopping && s.unit.State.Alive() {
		return false
	}
	var cause *hub.Cause
	if s.state != hub.Stopping {
		cause = endOf(s.unit)
		m.change(s, hub.Stopping)
	}
	m.do(func(ctx context.Context) { m.takeDown(ctx, s, cause) })
	return true
}

// cannot reports whether the machine can lay nobody to sleep.
func cannot(err error) bool {
	cause := causeIn(err)
	return cause != nil && cause.Kind == hub.CauseCannotFreeze
}

// rise makes a server ready again, and its route with it; the caller holds mu.
func (m *Manager) rise(s *server) {
	m.change(s, hub.Running)
	s.asleep, s.wanted = false, false
	s.rested = m.now().Add(m.policy.sleepAfterAny())
	m.redoRoutes()
}

// sleepsAlready takes in that somebody else has frozen a server, systemctl say: its route wakes it as any other. The caller
// holds mu.
func (m *Manager) sleepsAlready(s *server) {
	m.change(s, hub.Freezing)
	m.change(s, hub.Frozen)
	s.asleep = true
	m.redoRoutes()
}

// Wake returns when a server that sleeps is awake. One that is awake is no error; one that does not run is NotRunning. The
// key is what the server's route says, which nobody but the proxy and admins see: else it is Forbidden.
func (m *Manager) Wake(ctx context.Context, ref hub.ServerRef, key string) error {
	if !hmac.Equal([]byte(key), []byte(m.wakeKey(ref))) {
		return hub.Errorf(hub.Forbidden, "Only the proxy wakes servers. Go to the server's own address, and it wakes.")
	}
	if err := m.awaitSync(ctx); err != nil {
		return err
	}
	for {
		m.mu.Lock()
		s := m.servers[ref]
		if s == nil || !s.state.Ready() {
			m.mu.Unlock()
			return hub.Errorf(hub.NotRunning, "%s does not run", ref)
		}
		if s.state == hub.Running {
			m.mu.Unlock()
			return nil
		}
		s.wanted = true
		if s.state == hub.Frozen {
			m.raise(s)
		}
		changed := s.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wakePath is where the proxy wakes a server, with the key that opens the way.
func (m *Manager) wakePath(ref hub.ServerRef) string {
	return m.urls.wake(ref) + "?key=" + m.wakeKey(ref)
}

func (m *Manager) wakeKey(ref hub.ServerRef) string {
	mac := hmac.New(sha256.New, m.waking)
	mac.Write([]byte(ref.String()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// secret reads the key of the keys. It is kept, so that routes of a hub that was started anew are still right.
func (m *Manager) secret() (key []byte) {
	err := m.store.Update(func(tx *store.Tx) (err error) {
		key, err = tx.Secret("wake")
		return err
	})
	m.warn(err, "read the key that wakes servers, nobody sleeps")
	if err != nil {
		m.sleeper = nil
	}
	return key
}

// raise begins to wake a server; the caller holds mu.
func (m *Manager) raise(s *server) {
	m.change(s, hub.Thawing)
	m.do(func(ctx context.Context) { m.wake(ctx, s) })
}

// wake wakes a server. While nobody answers who could, it asks again; a server that cannot be woken is stopped, for its
// visitors would wait for ever.
func (m *Manager) wake(ctx context.Context, s *server) {
	began := m.now()
	err := m.samePerson(s)
	if err == nil {
		err = m.thaw(ctx, s)
	}
	if ctx.Err() != nil {
		return
	}
	now := m.now()
	m.metrics.wake.observe(now.Sub(began), err)
	m.store.Touch(s.ref, now)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.endedMeanwhile(s):
	case err != nil:
		m.change(s, hub.Stopping)
		m.do(func(ctx context.Context) { m.takeDown(ctx, s, causeOf(err)) })
	default:
		m.rise(s)
		m.log.Info().Str("user", s.ref.User).Str("server", s.ref.Server).Msg("server is awake")
	}
}

func (m *Manager) thaw(ctx context.Context, s *server) error {
	ctx, done := context.WithTimeout(ctx, sleepPatience)
	defer done()
	retry := backoff{first: 50 * time.Millisecond, most: time.Second}
	for {
		u, err := m.sleeper.Thaw(ctx, s.ref)
		if err == nil {
			m.mu.Lock()
			m.noteSleep(s, u, false)
			m.mu.Unlock()
		}
		if err == nil || !away(err) || !retry.wait(ctx) {
			return err
		}
	}
}

// thawFirst wakes a server that is to be stopped: what is frozen cannot end in an orderly way, and systemd may not get rid of
// it at all.
func (m *Manager) thawFirst(ctx context.Context, s *server) {
	m.mu.Lock()
	sleeps := m.sleeper != nil && (s.asleep || s.unit.Frozen) && s.unit.State.Alive()
	m.mu.Unlock()
	if !sleeps {
		return
	}
	if err := m.thaw(ctx, s); err != nil && hub.KindOf(err) != hub.NotRunning {
		m.warn(err, "thaw a server that is to be stopped, ignoring")
	}
}

// sleepAfterAny is the shortest time after which any server is laid to sleep.
func (p Policy) sleepAfterAny() time.Duration {
	shortest := time.Hour
	for _, after := range p.SleepAfter {
		if after > 0 {
			shortest = min(shortest, after)
		}
	}
	return shortest
}
