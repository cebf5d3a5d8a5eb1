package spawner

import (
	"context"
	"maps"
	"slices"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// routerPatience bounds one call of the Router, so that a proxy that hangs holds nothing up for long.
const routerPatience = 5 * time.Second

// RedoRoutes has the proxy's table compared with ours soon: services were changed.
func (m *Manager) RedoRoutes() { m.redoRoutes() }

// redoRoutes asks for a comparison of the proxy's table with ours.
func (m *Manager) redoRoutes() {
	select {
	case m.redo <- struct{}{}:
	default:
	}
}

// runRoutes compares the proxy's table with what it should be: at the start, when something asks for it, after an error
// with a growing pause, and whenever the proxy's activity is due, which comes in the same answer.
func (m *Manager) runRoutes(ctx context.Context) {
	retry := backoff{first: time.Second, most: 30 * time.Second}
	for {
		next := activityInterval
		if err := m.CheckRoutes(ctx); err != nil {
			m.log.Warn().Err(err).Msg("compare the proxy's routes, trying again")
			next = retry.pause()
		} else {
			retry.reset()
		}
		if pause(ctx, m.redo, next); ctx.Err() != nil {
			return
		}
	}
}

// CheckRoutes makes the proxy's table right. It looks and edits with the table locked: a route that a server adds between
// the two would be taken for an unknown one.
func (m *Manager) CheckRoutes(ctx context.Context) error {
	m.table.Lock()
	defer m.table.Unlock()
	began := m.now()
	have, err := m.routes(ctx)
	if err != nil {
		return err
	}
	m.foldActivity(have)
	want, all := m.wantedRoutes()
	for _, r := range have {
		if w, ok := want[r.Spec]; ok && same(w, r) {
			delete(want, r.Spec)
		} else if !ok && all && ours(r) {
			if err := m.delete(ctx, r.Spec); err != nil {
				return err
			}
		}
	}
	for _, spec := range slices.Sorted(maps.Keys(want)) {
		if err := m.add(ctx, want[spec]); err != nil {
			return err
		}
	}
	m.metrics.checkRoutes.Observe(m.now().Sub(began).Seconds())
	return nil
}

// same reports whether two routes of one spec lead to the same place.
func same(a, b hub.Route) bool {
	return a.Target == b.Target && a.UID == b.UID && a.Server == b.Server && a.Wake == b.Wake
}

// ours reports whether a route is JupyterHub's, and not one that an admin added by hand.
func ours(r hub.Route) bool { return r.Hub || r.Service != "" || !r.Server.IsZero() }

// routes reads the proxy's table, and remembers it.
func (m *Manager) routes(ctx context.Context) ([]hub.Route, error) {
	ctx, done := context.WithTimeout(ctx, routerPatience)
	defer done()
	began := m.now()
	have, err := m.router.Routes(ctx)
	m.metrics.proxyPoll.Observe(m.now().Sub(began).Seconds())
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	for _, r := range have {
		m.known[r.Spec] = r
	}
	select {
	case <-m.read:
	default:
		close(m.read)
	}
	return have, nil
}

// wantedRoutes is the table as it should be. all is false while we do not know yet what runs: then a route that is not in
// it may be a running server's.
func (m *Manager) wantedRoutes() (want map[string]hub.Route, all bool) {
	hubs := m.urls.hubSpec()
	want = map[string]hub.Route{hubs: {Spec: hubs, Target: m.urls.Hub, UID: hub.NoUID, Hub: true}}
	err := m.store.View(func(tx *store.Tx) error {
		for _, s := range tx.Services() {
			if s.URL != "" {
				spec := m.urls.serviceSpec(s.Name)
				want[spec] = hub.Route{Spec: spec, Target: s.URL, UID: hub.NoUID, Service: s.Name}
			}
		}
		return nil
	})
	m.warn(err, "read services from the store, ignoring")
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.servers {
		if s.routed {
			r := m.routeOf(s)
			want[r.Spec] = r
		}
	}
	return want, m.bootID != "" && err == nil
}

// addRoute leads requests to a server. While the proxy does not answer it asks again. A server that was found running has
// its route as a rule: what the proxy has is looked at with the table locked, since a comparison under way may be taking it
// away.
func (m *Manager) addRoute(ctx context.Context, s *server) error {
	m.mu.Lock()
	s.routed = true
	r := m.routeOf(s)
	m.mu.Unlock()
	pause(ctx, m.read, routerPatience)
	retry := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	for {
		err := m.alone(func() error {
			if m.has(r) {
				return nil
			}
			return m.add(ctx, r)
		})
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		m.log.Warn().Err(err).Str("user", s.ref.User).Str("server", s.ref.Server).Msg("add a route, trying again")
		s.progress.step(95, "The server is ready. Waiting for the proxy")
		if !retry.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

// routeOf is a server's route as it belongs into the proxy's table; the caller holds mu.
func (m *Manager) routeOf(s *server) hub.Route {
	r := m.urls.route(s.ref, s.unit)
	if s.asleep {
		r.Wake = m.wakePath(s.ref)
	}
	return r
}

// has reports whether the proxy has the route, as far as is known.
func (m *Manager) has(r hub.Route) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, is := m.known[r.Spec]
	return is && same(known, r)
}

// dropRoute leads no more requests to a server. If the proxy cannot be told now, it will be.
func (m *Manager) dropRoute(ctx context.Context, s *server) {
	m.mu.Lock()
	routed := s.routed
	s.routed = false
	m.mu.Unlock()
	if !routed {
		return
	}
	err := m.alone(func() error { return m.delete(ctx, m.urls.serverSpec(s.ref)) })
	if err != nil && ctx.Err() == nil {
		m.log.Warn().Err(err).Str("user", s.ref.User).Str("server", s.ref.Server).Msg("delete a route, trying again")
		m.redoRoutes()
	}
}

// alone edits while nobody compares. Others may edit their own routes meanwhile.
func (m *Manager) alone(edit func() error) error {
	m.table.RLock()
	defer m.table.RUnlock()
	return edit()
}

// add and delete make one change of the proxy's table; the caller holds table, to read at least.
func (m *Manager) add(ctx context.Context, r hub.Route) error {
	return m.edit(ctx, m.metrics.proxyAdd, func(ctx context.Context) error { return m.router.Add(ctx, r) }, func() { m.known[r.Spec] = r })
}

func (m *Manager) delete(ctx context.Context, spec string) error {
	return m.edit(ctx, m.metrics.proxyDelete, func(ctx context.Context) error { return m.router.Delete(ctx, spec) }, func() { delete(m.known, spec) })
}

func (m *Manager) edit(ctx context.Context, measure outcome, change func(context.Context) error, note func()) error {
	ctx, done := context.WithTimeout(ctx, routerPatience)
	defer done()
	began := m.now()
	err := ignoreAbsent(change(ctx))
	measure.observe(m.now().Sub(began), err)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		note()
	}
	return err
}

// readActivity takes in what the proxy saw of visitors until now.
func (m *Manager) readActivity(ctx context.Context) ([]hub.Route, error) {
	m.table.Lock()
	defer m.table.Unlock()
	have, err := m.routes(ctx)
	if err == nil {
		m.foldActivity(have)
	}
	return have, err
}

// foldActivity takes in what the proxy saw of visitors.
func (m *Manager) foldActivity(routes []hub.Route) {
	for _, r := range routes {
		if !r.Server.IsZero() && !r.LastActivity.IsZero() {
			m.store.Touch(r.Server, r.LastActivity)
			m.store.TouchUser(r.Server.User, r.LastActivity)
		}
	}
}
