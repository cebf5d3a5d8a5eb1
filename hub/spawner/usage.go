package spawner

import (
	"context"
	"fmt"
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
	at    time.Time
	cpu   int64 // nanoseconds; -1 unknown
	looks int
}

// usage is what was seen of what runs, by invocation. It is guarded by Manager.mu.
type usage struct {
	samples map[string]sample
	last    time.Time
	fresh   map[hub.ServerRef]hub.Unit // runs that are to be written down
	open    map[hub.ServerRef]bool     // servers with a run that is over and not in the accounts
}

// looked returns how often a run was looked at.
func (u *usage) looked(invocation string) int { return u.samples[invocation].looks }

// runSamples looks at what servers use every few minutes, as long as any runs: so that who works without anybody's watching
// is known to be busy, and for the accounts. An idle hub looks at nothing.
func (m *Manager) runSamples(ctx context.Context) {
	select {
	case <-m.synced:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		m.Sample(ctx)
		m.close(ctx)
		pause(ctx, nil, sampleInterval)
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
	if units := m.readUsage(ctx); units != nil {
		m.noteWork(units)
		m.count(units)
	}
}

func (m *Manager) readUsage(ctx context.Context) []hub.Unit {
	limited, done := context.WithTimeout(ctx, samplePatience)
	defer done()
	units, err := m.spawner.Usage(limited)
	if err != nil && ctx.Err() == nil {
		m.log.Warn().Err(err).Msg("look at what servers use, ignoring")
	}
	return units
}

// noteWork compares what units use with the last look at each, and notes those as active that have worked since.
func (m *Manager) noteWork(units []hub.Unit) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	threshold, seen := m.policy.BusyCPU, make(map[string]sample, len(units))
	for _, u := range units {
		before, known := m.usage.samples[u.Invocation]
		next := sample{at: now, cpu: u.CPU, looks: before.looks + 1}
		seen[u.Invocation] = next
		if threshold > 0 && known && before.share(next) > threshold {
			m.store.Touch(u.ServerRef, now)
			m.store.TouchUser(u.User, now)
			m.metrics.busy.Inc()
		}
	}
	m.usage.samples = seen
}

// share returns how many processors were at work on average between two looks.
func (s sample) share(next sample) float64 {
	span := next.at.Sub(s.at)
	if s.cpu < 0 || next.cpu < s.cpu || span <= 0 {
		return 0
	}
	return float64(next.cpu-s.cpu) / float64(span)
}

// Quota is how much of the machine a user may use in a day; 0: no limit.
type Quota struct {
	CPUHours    float64
	MemoryHours float64 // GiB hours
}

// withinQuota refuses a start of who has used up their day, until this moment.
func (m *Manager) withinQuota(ctx context.Context, user string) error {
	quota, now := m.policyNow().Quota, m.now().Local()
	if quota == (Quota{}) {
		return nil
	}
	m.Sample(ctx)
	today := now.Format(hub.DayFormat)
	return m.store.View(func(tx *store.Tx) error {
		days, err := tx.Usage(user, today, today)
		if err != nil || len(days) == 0 {
			return err
		}
		used, what := days[0], ""
		switch {
		case quota.CPUHours > 0 && used.CPUSeconds/3600 >= quota.CPUHours:
			what = fmt.Sprintf("%.1f hours of processor time today, of %g", used.CPUSeconds/3600, quota.CPUHours)
		case quota.MemoryHours > 0 && used.MemoryHours >= quota.MemoryHours:
			what = fmt.Sprintf("%.1f GiB hours of memory today, of %g", used.MemoryHours, quota.MemoryHours)
		default:
			return nil
		}
		midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, now.Location())
		return &hub.Error{Kind: hub.TooMany, RetryAfter: midnight.Sub(now),
			Text: "Your servers have used " + what + " that they may use in a day. They can be started again tomorrow."}
	})
}
