package httpd

import "github.com/prometheus/client_golang/prometheus"

// Meters measure who stands at the doors. They outlive a hall, which a reload exchanges.
type Meters struct {
	open    *prometheus.GaugeVec
	evicted *prometheus.CounterVec
}

// NewMeters makes meters and registers them.
func NewMeters(to prometheus.Registerer) *Meters {
	m := &Meters{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "jupyterhub", Name: "door_connections", Help: "Connections that are open at a door"}, []string{"door"}),
		evicted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "jupyterhub", Name: "door_evictions_total", Help: "Connections that had to give way to newer ones at a door"}, []string{"door"}),
	}
	to.MustRegister(m.open, m.evicted)
	return m
}

// at are the meters of one door. Both are there from the beginning, at zero.
func (m *Meters) at(door string) (open prometheus.Gauge, evicted prometheus.Counter) {
	if m == nil {
		m = NewMeters(prometheus.NewRegistry()) // which nobody reads
	}
	return m.open.WithLabelValues(door), m.evicted.WithLabelValues(door)
}
