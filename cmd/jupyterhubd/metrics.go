package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"jupyterhubd/hub/store"
)

// register adds what the process as a whole shows, under JupyterHub's names.
func register(r prometheus.Registerer, s *store.Store) *startup {
	took := &startup{
		whole: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "jupyterhub", Name: "hub_startup_duration_seconds", Help: "Time from the hub's start to its being ready",
		}),
		sight: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "jupyterhub", Name: "init_spawners_duration_seconds", Help: "Time from the hub's start to its knowing what runs",
		}),
	}
	users := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "jupyterhub", Name: "total_users", Help: "Users that the hub knows",
	}, func() (n float64) {
		_ = s.View(func(tx *store.Tx) error { // a store that cannot be read shows none, and everything else tells so
			n = float64(tx.CountUsers())
			return nil
		})
		return n
	})
	r.MustRegister(took.whole, took.sight, users, storeStats{s}, &activeUsers{store: s, now: time.Now},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return took
}

// storeStats show what the store does.
type storeStats struct{ store *store.Store }

var (
	storeBytes   = prometheus.NewDesc("jupyterhub_store_bytes", "Size of the database's file", nil, nil)
	storeWrites  = prometheus.NewDesc("jupyterhub_store_writes_total", "Transactions written to the database", nil, nil)
	storeWriting = prometheus.NewDesc("jupyterhub_store_write_seconds_total", "Time that the disk took for them", nil, nil)
	activity     = prometheus.NewDesc("jupyterhub_activity_notes_total", "Signs of activity of users, servers, tokens and sessions", nil, nil)
)

// Describe is prometheus.Collector's.
func (storeStats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeBytes, storeWrites, storeWriting, activity} {
		ch <- d
	}
}

// Collect is prometheus.Collector's.
func (c storeStats) Collect(ch chan<- prometheus.Metric) {
	s := c.store.Stats()
	ch <- prometheus.MustNewConstMetric(storeBytes, prometheus.GaugeValue, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(storeWrites, prometheus.CounterValue, float64(s.Writes))
	ch <- prometheus.MustNewConstMetric(storeWriting, prometheus.CounterValue, s.Writing.Seconds())
	ch <- prometheus.MustNewConstMetric(activity, prometheus.CounterValue, float64(s.Notes))
}

// startup measures the hub's own start.
type startup struct{ whole, sight prometheus.Histogram }

var activeDesc = prometheus.NewDesc("jupyterhub_active_users", "Users who were active within a period", []string{"period"}, nil)

// periods that JupyterHub counts active users of, the shortest first.
var periods = []struct {
	name string
	span time.Duration
}{{"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}

// activeUsers counts who was active lately, at most once an hour: it reads as many users as there were.
type activeUsers struct {
	store *store.Store
	now   func() time.Time

	mu      sync.Mutex // guards the rest
	counted time.Time
	counts  []int // one a period
}

// Describe is prometheus.Collector's.
func (a *activeUsers) Describe(ch chan<- *prometheus.Desc) { ch <- activeDesc }

// Collect is prometheus.Collector's.
func (a *activeUsers) Collect(ch chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.now(); a.counts == nil || now.Sub(a.counted) >= time.Hour {
		a.counts, a.counted = a.count(now), now
	}
	for i, n := range a.counts {
		ch <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(n), periods[i].name)
	}
}

// count walks from who was active last to who was before the longest period.
func (a *activeUsers) count(now time.Time) []int {
	counts := make([]int, len(periods))
	const page = 500
	_ = a.store.View(func(tx *store.Tx) error { // as above, ignoring
		for offset := 0; ; offset += page {
			users, _, err := tx.Users(store.UserQuery{Sort: "-last_activity", Offset: offset, Limit: page})
			if err != nil {
				return err
			}
			for _, u := range users {
				if !within(counts, now.Sub(u.LastActivity)) {
					return nil
				}
			}
			if len(users) < page {
				return nil
			}
		}
	})
	return counts
}

// within adds one to each period that an age falls into, and reports whether there was any.
func within(counts []int, age time.Duration) (any bool) {
	for i, p := range periods {
		if age <= p.span {
			counts[i]++
			any = true
		}
	}
	return any
}
