package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are configurable-http-proxy's, by its names, and a few of ours that begin with jupyterhub_proxy_.
type metrics struct {
	registry *prometheus.Registry

	routeGet, routeAdd, routeDelete prometheus.Counter
	web, ws                         prometheus.Counter
	proxyStatus, apiStatus          *prometheus.CounterVec
	refused                         *prometheus.CounterVec // by whose bound: connection, client or server
	find, activity                  prometheus.Summary
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
		find:     summary("find_target_for_req", "Summary of find target requests, in seconds"),
		activity: summary("last_activity_updating", "Summary of last activity updating requests, in seconds"),
	}
	m.registry.MustRegister(m.routeGet, m.routeAdd, m.routeDelete, m.web, m.ws, m.proxyStatus, m.apiStatus, m.find, m.activity, m.refused,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("jupyterhub_proxy_routes", "Routes in the table", p.table.count),
		gauge("jupyterhub_proxy_tunnels", "Open WebSockets", p.tunnels.count),
		gauge("jupyterhub_proxy_elders", "Processes before this one that still have connections", p.elders.count),
		gauge("jupyterhub_proxy_connections", "Open connections of clients", p.crowd.count))
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func statuses(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"status"})
}

func summary(name, help string) prometheus.Summary {
	return prometheus.NewSummary(prometheus.SummaryOpts{Name: name, Help: help})
}

func gauge(name, help string, read func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
}

func (m *metrics) proxied(status int) { m.proxyStatus.WithLabelValues(strconv.Itoa(status)).Inc() }

func (m *metrics) called(status int) { m.apiStatus.WithLabelValues(strconv.Itoa(status)).Inc() }

func since(s prometheus.Summary, began time.Time) { s.Observe(time.Since(began).Seconds()) }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
