package spawner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jupyterhubd/hub"
)

// Values of the label status, as JupyterHub spells them.
const (
	success = "success"
	failed  = "failure"
	faulty  = "error" // of a start: it was tried and went wrong; a failure is one that was refused
)

// Values of the label reason of a start that did not succeed: JupyterHub's, and the last two are ours. The first two are never counted,
// since who asks twice is told how far the start is, and who is one too many at a time waits in line.
const (
	reasonPending   = "already-pending"
	reasonThrottled = "throttled"
	reasonFull      = "too-many-users"
	reasonExited    = "exited"
	reasonTimeout   = "timeout"
	reasonOther     = "other"
)

// outcome is a duration by status.
type outcome struct{ *prometheus.HistogramVec }

func (o outcome) observe(d time.Duration, err error) {
	o.WithLabelValues(status(err)).Observe(d.Seconds())
}

func status(err error) string {
	if err != nil {
		return failed
	}
	return success
}

// metrics is what the workshop measures, under JupyterHub's names; the queue is ours.
type metrics struct {
	spawn, stages               *prometheus.HistogramVec
	stop, proxyAdd, proxyDelete outcome
	wake                        outcome
	busy                        prometheus.Counter
	sleeping                    prometheus.Gauge
	proxyPoll, checkRoutes      prometheus.Histogram
	runningServers, queued      prometheus.Gauge
}

// stage is a part of a start, in the order in which they come.
type stage string

const (
	stageQueue  stage = "queue"  // until its turn
	stageUnit   stage = "unit"   // until systemd says that the unit is active
	stageSocket stage = "socket" // until the server listens
	stageAnswer stage = "answer" // until its first answer
	stageRoute  stage = "route"  // until the proxy leads to it
)

var stages = []stage{stageQueue, stageUnit, stageSocket, stageAnswer, stageRoute}

func (m *metrics) staged(s stage, d time.Duration) {
	m.stages.WithLabelValues(string(s)).Observe(d.Seconds())
}

// Buckets, in seconds. The first are JupyterHub's for starts, the second its default.
var (
	spawnBuckets   = []float64{.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600}
	defaultBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
)

func newMetrics(r prometheus.Registerer) *metrics {
	histogram := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: "jupyterhub", Name: name, Help: help, Buckets: defaultBuckets}
	}
	byStatus := func(name, help string) outcome {
		v := outcome{prometheus.NewHistogramVec(histogram(name, help), []string{"status"})}
		v.WithLabelValues(success)
		v.WithLabelValues(failed)
		return v
	}
	spawn := histogram("server_spawn_duration_seconds", "Time from the request of a server to its being ready, or to its failure")
	spawn.Buckets = spawnBuckets
	staged := histogram("server_spawn_stage_seconds", "Time that a start spent in each of its stages")
	staged.Buckets = append([]float64{.001, .005, .01, .05, .1, .25}, spawnBuckets...)
	m := &metrics{
		spawn:    prometheus.NewHistogramVec(spawn, []string{"status", "reason"}),
		stages:   prometheus.NewHistogramVec(staged, []string{"stage"}),
		stop:     byStatus("server_stop_seconds", "Time to stop a server"),
		proxyAdd: byStatus("proxy_add_duration_seconds", "Time to add a route"),
		wake:     byStatus("server_wake_seconds", "Time to wake a server that sleeps"),
		busy: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "jupyterhub", Name: "busy_server_sightings_total", Help: "Looks at a server that found it at work, whether watched or not"}),
		sleeping: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "jupyterhub", Name: "sleeping_servers", Help: "Servers that are frozen until somebody comes"}),
		proxyDelete: byStatus("proxy_delete_duration_seconds", "Time to delete a route"),
		proxyPoll:   prometheus.NewHistogram(histogram("proxy_poll_duration_seconds", "Time to read all routes")),
		checkRoutes: prometheus.NewHistogram(histogram("check_routes_duration_seconds", "Time to compare all routes and correct them")),
		runningServers: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "jupyterhub", Name: "running_servers", Help: "Servers that are ready"}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "jupyterhub", Name: "queued_servers", Help: "Servers that wait in line to be started"}),
	}
	for status, reasons := range map[string][]string{ // there from the first moment, at zero
		success: {""}, failed: {"", reasonPending, reasonThrottled, reasonFull}, faulty: {"", reasonExited, reasonTimeout, reasonOther},
	} {
		for _, reason := range reasons {
			m.spawn.WithLabelValues(status, reason)
		}
	}
	for _, s := range stages {
		m.stages.WithLabelValues(string(s))
	}
	if r != nil {
		r.MustRegister(m.spawn, m.stages, m.stop, m.proxyAdd, m.proxyDelete, m.proxyPoll, m.checkRoutes, m.runningServers, m.queued, m.wake, m.busy, m.sleeping)
	}
	return m
}

// moved keeps count of the servers that are ready.
func (m *metrics) moved(from, to hub.State) {
	switch {
	case to == hub.Frozen:
		m.sleeping.Inc()
	case from == hub.Frozen:
		m.sleeping.Dec()
	}
	switch {
	case !from.Ready() && to.Ready():
		m.runningServers.Inc()
	case from.Ready() && !to.Ready():
		m.runningServers.Dec()
	}
}

// refused counts a start for which there was no place.
func (m *metrics) refused() { m.spawn.WithLabelValues(failed, reasonFull).Observe(0) }

// spawned counts a start that ended. What was cancelled, or refused by root's rules, is a failure, as an HTTPError below 500 is upstream.
func (m *metrics) spawned(d time.Duration, ready bool, cause *hub.Cause) {
	result, reason := faulty, reasonOther
	switch {
	case ready:
		result, reason = success, ""
	case cause == nil || cause.Kind == hub.CauseAccount:
		result, reason = failed, ""
	case cause.Kind == hub.CauseTimeout:
		reason = reasonTimeout
	case cause.Kind == hub.CauseExited || cause.Kind == hub.CauseSignal || cause.Kind == hub.CauseOutOfMemory:
		reason = reasonExited
	}
	m.spawn.WithLabelValues(result, reason).Observe(d.Seconds())
}

func (m *metrics) stopped(d time.Duration, err error) { m.stop.observe(d, err) }
