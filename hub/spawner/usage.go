package spawner

import (
	"context"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Times of looking at what servers use.
const (
	sampleInterval = 5 * time.Minute // while any runs; it is when the proxy's activity is read, too
	sampleAtMost   = time.Second     // between two looks
	samplePatience = 5 * time.Second
)

// sample is what was last seen of one run of a server.
type sample struct {
	at     time.Time
	cpu    int64 // nanoseconds; -1 unknown
	memory int64 // bytes; -1 unknown
	looks  int
}

// usage is what was seen of what runs, by invocation. It is guarded by Manager.mu.
type usage struct {
	samples map[string]sample
	last    time.Time
}

// looked returns how often a run was looked at.
func (u *usage) looked(invocation string) int { return u.samples[invocation].looks }

// runSamples looks at what servers use every few minutes, as long as any runs: so that who works without anybody's watching
// is known to be busy, and for the accounts. An idle hub looks at nothing. The first look is where the accounts of servers go
// on that were found running, the last one is for the next hub's; what is used between the two is in no account, nor are the
// last minutes before a hub is killed.
func (m *Manager) runSamples(ctx context.Context) {
	select {
	case <-m.synced:
		m.Sample(ctx)
	case <-ctx.Done():
		return
	}
	for pause(ctx, nil, sampleInterval); ctx.Err() == nil; pause(ctx, nil, sampleInterval) {
		m.Sample(ctx)
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), sampleAtMost)
	defer done()
	m.Sample(last)
}

// Sample looks at what every server uses now, notes as active those that work, and writes down what was used since the last
// look. It does nothing when the last look was just now, or nothing runs.
func (m *Manager) Sample(ctx context.Context) {
	m.mu.Lock()
	soon := m.now().Sub(m.usage.last) < sampleAtMost || m.queue.taken == 0
	if !soon {
		m.usage.last = m.now()
	}
	m.mu.Unlock()
	if soon {
		return
	}
	limited, done := context.WithTimeout(ctx, samplePatience)
	defer done()
	units, err := m.spawner.Usage(limited)
	if err != nil {
		if ctx.Err() == nil {
			m.log.Warn().Err(err).Msg("look at what servers use, ignoring")
		}
		return
	}
	m.account(units)
}

// account compares what units use with the last look at each.
func (m *Manager) account(units []hub.Unit) {
	now := m.now()
	m.mu.Lock()
	threshold, seen := m.policy.BusyCPU, make(map[string]sample, len(units))
	var used []hub.Consumption
	for _, u := range units {
		before, known := m.usage.samples[u.Invocation]
		next := sample{at: now, cpu: u.CPU, memory: u.Memory, looks: before.looks + 1}
		seen[u.Invocation] = next
		switch {
		case known:
		case m.ran(u):
			before = sample{at: began(u, now), memory: u.Memory}
		default: // a former hub has written down what it used
			before = next
		}
		c, share := before.until(next)
		c.User, c.Day = u.User, now.Local().Format(hub.DayFormat)
		used = append(used, c)
		if threshold > 0 && share > threshold && known {
			m.store.Touch(u.ServerRef, now)
			m.store.TouchUser(u.User, now)
			m.metrics.busy.Inc()
		}
	}
	m.usage.samples = seen
	m.mu.Unlock()
	m.warn(m.writeDown(used), "write down what servers used, ignoring")
}

// ran reports whether a unit was started since this hub has; the caller holds mu.
func (m *Manager) ran(u hub.Unit) bool {
	s := m.servers[u.ServerRef]
	return s != nil && !s.turned.IsZero() && s.unit.Invocation == u.Invocation
}

// began is since when a unit runs that is looked at for the first time.
func began(u hub.Unit, now time.Time) time.Time {
	if u.Since.IsZero() || u.Since.After(now) {
		return now
	}
	return u.Since
}

// until returns what was used between two looks, and how many processors were at work on average.
func (s sample) until(next sample) (c hub.Consumption, share float64) {
	span := next.at.Sub(s.at)
	c.ServerHours = span.Hours()
	if s.cpu >= 0 && next.cpu >= s.cpu {
		c.CPUSeconds = time.Duration(next.cpu - s.cpu).Seconds()
	}
	if s.memory >= 0 && next.memory >= 0 {
		c.MemoryHours = float64(s.memory+next.memory) / 2 / (1 << 30) * span.Hours()
	}
	if span > 0 {
		share = c.CPUSeconds / span.Seconds()
	}
	return c, share
}

// writeDown adds to the accounts, one record a user.
func (m *Manager) writeDown(used []hub.Consumption) error {
	byUser := make(map[string]hub.Consumption, len(used))
	for _, c := range used {
		byUser[c.User] = c.Plus(byUser[c.User])
	}
	if len(byUser) == 0 {
		return nil
	}
	return m.store.Update(func(tx *store.Tx) error {
		for _, c := range byUser {
			if err := tx.AddUsage(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Quota is how much of the machine a user may use in a day; 0: no limit.
type Quota struct {
	CPUHours    float64
	MemoryHours float64 // GiB hours
}

// withinQuota refuses a start of who has used up their day.
func (m *Manager) withinQuota(user string) error {
	quota, now := m.policyNow().Quota, m.now().Local()
	if quota == (Quota{}) {
		return nil
	}
	today := now.Format(hub.DayFormat)
	return m.store.View(func(tx *store.Tx) error {
		days, err := tx.Usage(user, today, today)
		if err != nil || len(days) == 0 {
			return err
		}
		used, what := days[0], ""
		switch {
		case quota.CPUHours > 0 && used.CPUSeconds/3600 >= quota.CPUHours:
			what = "processor time"
		case quota.MemoryHours > 0 && used.MemoryHours >= quota.MemoryHours:
			what = "memory"
		default:
			return nil
		}
		midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, now.Location())
		return &hub.Error{Kind: hub.TooMany, RetryAfter: midnight.Sub(now),
			Text: "Your servers have used as much " + what + " today as they may in a day. They can be started again tomorrow."}
	})
}
