package proxy

import (
	"net/http"
	runtimemetrics "runtime/metrics"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"
)

// metrics are configurable-http-proxy's, by its names, and a few of ours that begin with jupyterhub_proxy_.
type metrics struct {
	registry *prometheus.Registry

	routeGet, routeAdd, routeDelete prometheus.Counter
	web, ws                         prometheus.Counter
	proxyStatus, apiStatus          *prometheus.CounterVec
	refused                         *prometheus.CounterVec // by whose bound: connection, client or user
	find, activity                  *durations
}

func newMetrics(p *Proxy) *metrics {
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		routeGet:    counter("api_route_get", "Count of API route get requests"),
		routeAdd:    counter("api_route_add", "Count of API route add requests"),
		routeDelete: counter("api_route_delete", "Count of API route delete requests"),
		web:         counter("requests_web", "Count of web requests"),
		ws:          counter("requests_ws", "Count of websocket requests"),
		proxyStatus: statuses("requests_proxy", "Count of proxy requests by status"),
		apiStatus:   statuses("requests_api", "Count of API requests by status"),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jupyterhub_proxy_refused_total", Help: "What bounds kept out"},
			[]string{"bound"}),
		find:     newDurations("find_target_for_req", "Summary of find target requests, in seconds"),
		activity: newDurations("last_activity_updating", "Summary of last activity updating requests, in seconds"),
	}
	m.registry.MustRegister(m.routeGet, m.routeAdd, m.routeDelete, m.web, m.ws, m.proxyStatus, m.apiStatus, m.find, m.activity, m.refused,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "process_cpu_user_seconds_total", Help: "User CPU time spent, in seconds"}, userTime),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "process_cpu_system_seconds_total", Help: "System CPU time spent, in seconds"}, systemTime),
		gauge("process_heap_bytes", "Memory of the heap, in bytes", heapBytes),
		gauge("jupyterhub_proxy_routes", "Routes in the table", p.table.count),
		gauge("jupyterhub_proxy_tunnels", "Open WebSockets, with those of processes before this one",
			func() int { return p.tunnels.count() + p.elders.remains().Tunnels }),
		gauge("jupyterhub_proxy_elders", "Processes before this one that still have connections", p.elders.count),
		gauge("jupyterhub_proxy_connections", "Open connections of clients, with those of processes before this one",
			func() int { return p.crowd.count() + p.elders.remains().Connections }))
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func statuses(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"status"})
}

func gauge(name, help string, read func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
}

func (m *metrics) proxied(status int) { m.proxyStatus.WithLabelValues(strconv.Itoa(status)).Inc() }

func (m *metrics) called(status int) { m.apiStatus.WithLabelValues(strconv.Itoa(status)).Inc() }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// userTime and systemTime are what this process has used so far, in seconds.
func userTime() float64 { return used(func(u *unix.Rusage) unix.Timeval { return u.Utime }) }

func systemTime() float64 { return used(func(u *unix.Rusage) unix.Timeval { return u.Stime }) }

func used(part func(*unix.Rusage) unix.Timeval) float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	t := part(&u)
	return time.Duration(t.Nano()).Seconds()
}

func heapBytes() int {
	sample := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtimemetrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
