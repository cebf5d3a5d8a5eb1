package main

import (
	"math"
	"slices"
	"time"
)

// figures are what one contender reached, a figure a round.
type figures []float64

// median is NaN of nothing.
func (f figures) median() float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(f))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// over are the ratios of two contenders, round by round.
func (f figures) over(other figures) (ratios figures) {
	for i := range min(len(f), len(other)) {
		ratios = append(ratios, f[i]/other[i])
	}
	return ratios
}

// percentile of durations, by nearest rank; it sorts them. p is in percent.
func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[max(0, (len(d)*p+99)/100-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// scores are the figures of all rounds, by what was measured and whose they are.
type scores map[string]map[string]figures

func (s scores) note(figure, who string, value float64) {
	if s[figure] == nil {
		s[figure] = make(map[string]figures)
	}
	s[figure][who] = append(s[figure][who], value)
}
