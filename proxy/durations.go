package proxy

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// durations is a summary with quantiles over the life of the process, as configurable-http-proxy has them. Counting one in is two
// additions; the quantiles are worked out when somebody asks, and are right within a thirty-second of their value: each power of
// two is divided into sixteen.
type durations struct {
	desc   *prometheus.Desc
	sum    atomic.Int64
	counts [octaves * perOctave]atomic.Uint64
}

const (
	perOctave = 16
	octaves   = 40 // up to nine hours, in nanoseconds
)

// quantiles are prom-client's.
var quantiles = []float64{0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999}

func newDurations(name, help string) *durations {
	return &durations{desc: prometheus.NewDesc(name, help, nil, nil)}
}

// since counts in what has begun then and ends now.
func (d *durations) since(began time.Time) { d.observe(time.Since(began)) }

func (d *durations) observe(took time.Duration) {
	took = max(0, took)
	d.sum.Add(int64(took))
	d.counts[min(slot(uint64(took)), len(d.counts)-1)].Add(1)
}

// slot is where a number of nanoseconds is counted: those below perOctave for themselves, others by their five highest bits.
func slot(n uint64) int {
	shift := max(0, bits.Len64(n)-5)
	return shift*perOctave + int(n>>shift)
}

// middle is the duration that a slot stands for.
func middle(slot int) time.Duration {
	shift := max(0, slot/perOctave-1)
	return time.Duration((slot-shift*perOctave)<<shift + 1<<shift/2)
}

// Describe makes it a prometheus.Collector.
func (d *durations) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect makes it a prometheus.Collector.
func (d *durations) Collect(to chan<- prometheus.Metric) {
	counts, all := make([]uint64, len(d.counts)), uint64(0)
	for i := range d.counts {
		counts[i] = d.counts[i].Load()
		all += counts[i]
	}
	values := map[float64]float64{}
	for _, q := range quantiles {
		values[q] = quantile(counts, q*float64(all)).Seconds()
	}
	to <- prometheus.MustNewConstSummary(d.desc, all, time.Duration(d.sum.Load()).Seconds(), values)
}

// quantile is the duration below which so many of those that were counted are.
func quantile(counts []uint64, below float64) time.Duration {
	seen := 0.0
	for i, n := range counts {
		if seen += float64(n); n > 0 && seen >= below {
			return middle(i)
		}
	}
	return 0
}
