package proxy

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Quantiles are those of what was counted, within a thirty-second; what is longer than anything counts with the longest.
func TestQuantilesOfDurations(t *testing.T) {
	d := newDurations("x", "y")
	for n := range 10_000 {
		d.observe(time.Duration(n) * time.Microsecond)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(d)
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	s := all[0].GetMetric()[0].GetSummary()
	if s.GetSampleCount() != 10_000 || math.Abs(s.GetSampleSum()-49.995) > 1e-6 || len(s.GetQuantile()) != len(quantiles) {
		t.Errorf("%v", s)
	}
	for _, q := range s.GetQuantile() {
		if want := q.GetQuantile() * 0.01; math.Abs(q.GetValue()-want) > want/30 {
			t.Errorf("the quantile %v is %v, want %v", q.GetQuantile(), q.GetValue(), want)
		}
	}
	d.observe(math.MaxInt64)
	d.observe(-1)
	if d.counts[len(d.counts)-1].Load() != 1 || d.counts[0].Load() != 2 {
		t.Error("the shortest and the longest are lost")
	}
}

// Every duration is counted where it is, and no slot is left out.
func TestSlotsOfDurations(t *testing.T) {
	last := -1
	for n := uint64(0); n < 1<<14; n++ {
		at := slot(n)
		if at != last && at != last+1 {
			t.Fatalf("%d is counted at %d, after %d", n, at, last)
		}
		last = at
		if off := math.Abs(float64(middle(at)) - float64(n)); off > float64(n)/30+1 {
			t.Fatalf("%d stands for %d", middle(at), n)
		}
	}
}
