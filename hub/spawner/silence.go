package spawner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
)

// A kernel that waits, for a database or a batch system say, is at work: somebody will look for its answer. It sends nothing and
// needs no processor, so only its server knows. It is asked when it is about to be taken for idle, and never else.

// Times of asking servers what they do.
const (
	askPatience = 5 * time.Second // for an answer
	askedAtOnce = 16
	askedEarly  = 10 * time.Minute // before a culler would take a server for idle
	askedRarely = time.Second      // the least between two questions
)

// questions are tokens that open one server to the hub while it asks there, by the hash of their value. It is guarded by
// Manager.mu.
type questions map[[sha256.Size]byte]hub.Token

// Momentary returns the token of a question that is just being asked. It stands in no store and is gone with the answer: with
// it the hub may enter that one server, as its user, and nothing else.
func (m *Manager) Momentary(value string) (hub.Token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, is := m.questions[sha256.Sum256([]byte(value))]
	return t, is
}

// mint makes the token of a question, and what takes it away again.
func (m *Manager) mint(ref hub.ServerRef) (value string, forget func()) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	value = hex.EncodeToString(random)
	key, now := sha256.Sum256([]byte(value)), m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.questions[key] = hub.Token{
		Owner:  hub.Owner{Kind: hub.OwnerUser, Name: ref.User},
		Scopes: []string{"access:servers!server=" + ref.String()}, Note: "The hub asks " + ref.String() + " what it does",
		Created: now, LastActivity: now, ServerToken: true,
	}
	return value, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.questions, key)
	}
}

// runQuestions asks servers before a culler would take them for idle. It sleeps until the first of them is due, or asked to look.
func (m *Manager) runQuestions(ctx context.Context) {
	for ctx.Err() == nil {
		next, any := m.askQuiet(ctx)
		if !any {
			next = 24 * time.Hour // or when it is asked to
		}
		pause(ctx, m.asking, max(next, time.Second))
	}
}

// askQuiet asks who is due, and returns when the next one is.
func (m *Manager) askQuiet(ctx context.Context) (next time.Duration, any bool) {
	due, next, any := m.quiet(m.askAt)
	if len(due) == 0 {
		return next, any
	}
	if _, err := m.readActivity(ctx); err != nil { // who was visited meanwhile need not be asked
		m.log.Warn().Err(err).Msg("read the proxy's activity, ignoring")
	}
	due, _, _ = m.quiet(m.askAt)
	m.question(ctx, due)
	_, next, any = m.quiet(m.askAt)
	return next, any
}

// askAt is when a server is asked for the culler's sake. The caller holds mu.
func (m *Manager) askAt(s *server, live hub.Live) time.Time {
	timeout := m.policy.CullAfter
	if timeout <= 0 || m.policy.BusyKernels <= 0 {
		return zeroTime
	}
	last := live.LastActivity
	if s.asked.After(last) {
		last = s.asked
	}
	return last.Add(max(timeout-askedEarly, timeout/2, askedRarely))
}

// quiet returns the ready servers whose time has come, and when the next one's of the others will. A zero time never comes.
func (m *Manager) quiet(at func(*server, hub.Live) time.Time) (due []*server, next time.Duration, any bool) {
	lives, now := m.Active(), m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, live := range lives {
		s := m.servers[live.ServerRef]
		if s == nil || s.state != hub.Running {
			continue
		}
		switch at := at(s, live); {
		case at.IsZero():
		case !at.After(now):
			due = append(due, s)
		case !any || at.Sub(now) < next:
			next, any = at.Sub(now), true
		}
	}
	return due, next, any
}

// question asks servers whether a kernel of theirs is at work, and notes as active those that say so. Who does not answer, or is
// another program, is judged by what is known of it otherwise.
func (m *Manager) question(ctx context.Context, quiet []*server) {
	if m.policyNow().BusyKernels <= 0 {
		return
	}
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for _, s := range quiet {
		g.Go(func() error {
			if m.saysBusy(ctx, s) {
				m.vouch(s)
			}
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error
}

func (m *Manager) saysBusy(ctx context.Context, s *server) bool {
	m.mu.Lock()
	unit := s.unit
	s.asked = m.now()
	m.mu.Unlock()
	token, forget := m.mint(s.ref)
	defer forget()
	limited, done := context.WithTimeout(ctx, askPatience)
	defer done()
	busy, err := m.kernels(limited, unit, m.urls.Prefix(s.ref), token)
	return busy && err == nil
}

// vouch takes a server's word that it is at work, unless nothing else was heard of it for as long as a word counts.
func (m *Manager) vouch(s *server) {
	last, now := m.lastSeen(s.ref), m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !last.Equal(s.vouched) { // there has been somebody, or work
		s.heard = last
	}
	if now.Sub(s.heard) >= m.policy.BusyKernels {
		return
	}
	s.vouched = now
	m.store.Touch(s.ref, now)
	m.store.TouchUser(s.ref.User, now)
	m.metrics.busy.Inc()
}
