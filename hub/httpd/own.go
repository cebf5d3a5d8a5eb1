package httpd

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// ownAPI are the hall's own rows among the API's.
func (h *Hall) ownAPI(o Options) []auth.Route {
	rows := []auth.Route{
		{Method: http.MethodGet, Pattern: "/hub/api/health", Public: true, Handle: healthy},
		{Method: http.MethodHead, Pattern: "/hub/api/health", Public: true, Handle: healthy},
	}
	if o.Gatherer != nil {
		rows = append(rows, metricsRow("/hub/api/metrics", o))
	}
	return rows
}

// ownPages are the hall's own rows among the pages.
func (h *Hall) ownPages(o Options) []auth.Route {
	rows := []auth.Route{
		{Method: http.MethodGet, Pattern: "/hub/health", Public: true, Style: auth.Page, Everywhere: true, Handle: healthy},
		{Method: http.MethodHead, Pattern: "/hub/health", Public: true, Style: auth.Page, Everywhere: true, Handle: healthy},
		{Method: http.MethodGet, Pattern: "/hub/error/{code}", Public: true, Style: auth.Page, Everywhere: true, Handle: h.errorPage},
		// The browser sends these reports by itself: no XSRF token comes with them, and nothing changes.
		{Method: http.MethodPost, Pattern: "/hub/security/csp-report", Scopes: []string{auth.Authenticated}, Style: auth.Page, NoXSRF: true, Handle: h.report},
	}
	if o.Gatherer != nil {
		rows = append(rows, metricsRow("/hub/metrics", o))
	}
	return rows
}

// healthy answers as long as the process does: no store, no lock.
func healthy(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusOK)
	return nil
}

// metricsRow shows the metrics to who may read them, or to everybody where the admin says so (authenticate_prometheus).
// Its style is the API's wherever it stands: a scraper is refused, never sent to log in.
func metricsRow(pattern string, o Options) auth.Route {
	show := promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	row := auth.Route{Method: http.MethodGet, Pattern: pattern, Style: auth.API, Handle: func(w http.ResponseWriter, r *http.Request) error {
		show.ServeHTTP(w, r)
		return nil
	}}
	if o.PublicMetrics {
		row.Public = true
	} else {
		row.Scopes = []string{"read:metrics"}
	}
	return row
}

// errorPage is what a proxy fetches to show an error of its own; the proxy puts the real status in its place, so this one
// is 200 (JupyterHub's contract with configurable-http-proxy).
func (h *Hall) errorPage(w http.ResponseWriter, r *http.Request) error {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil {
		return hub.Errorf(hub.NotFound, "Not Found")
	}
	text := http.StatusText(code)
	if text == "" {
		text = "Error"
	}
	h.pages.RenderError(alwaysOK{w}, r, code, hub.Errorf(hub.Unavailable, "%s", text))
	return nil
}

// alwaysOK answers 200 whatever it is told.
type alwaysOK struct{ http.ResponseWriter }

func (w alwaysOK) WriteHeader(int) { w.ResponseWriter.WriteHeader(http.StatusOK) }

// report counts what browsers were kept from loading. Its body is a stranger's and goes nowhere.
func (h *Hall) report(w http.ResponseWriter, _ *http.Request) error {
	h.reports.Inc()
	w.WriteHeader(http.StatusOK)
	return nil
}

func cspReports() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "jupyterhub_csp_reports_total", Help: "Number of CSP violation reports received"})
}

// register makes the hall's own metrics known.
func (h *Hall) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{h.seconds, h.reports, h.logins.in, h.logins.out} {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("register the hall's metrics: %w", err)
		}
	}
	return nil
}
