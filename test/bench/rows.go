package main

// The contenders.
const (
	ours                = "ours"
	bareUnit            = "bare unit"
	plainUnit           = "bare unit, no sandbox"
	jupyterhub          = "JupyterHub"
	jupyterhubSandboxed = "JupyterHub, same sandbox"
	nginx               = "nginx"
	chp                 = "configurable-http-proxy"
	haproxy             = "haproxy"
	httputil            = "httputil"
	tenRoutes           = "10 routes"
	quiet               = "nobody storms"
)

// row is a line of the table: a figure of ours, whose it is compared with, and what is aimed at. An empty what is that of the
// row above; in it, words in braces are numbers of the size.
type row struct {
	figure  string // as it is noted
	what    string
	unit    string
	against string // "" is nobody: the figure speaks for itself
	goal    goal
}

// goal bounds the ratio to the reference or, where there is none, the figure itself.
type goal struct {
	atMost  float64
	atLeast float64
	none    bool // nothing of it may happen at all
}

func (g goal) zero() bool { return g == goal{} }

func (g goal) held(value float64) bool {
	switch {
	case g.none:
		return value == 0
	case g.atLeast > 0:
		return value >= g.atLeast
	}
	return value <= g.atMost
}

// JupyterHub is the release of the tests' Python environment with systemdspawner and configurable-http-proxy. Its units
// have limits and no sandbox, unless it is said.
var rows = []row{
	{"spawn", "start a server: POST to its first answer through the proxy, p50", "ms", bareUnit, goal{atMost: 1.3}},
	{"spawn", "", "ms", plainUnit, goal{}},
	{"spawn", "", "ms", jupyterhub, goal{atMost: 0.3}},
	{"spawn", "", "ms", jupyterhubSandboxed, goal{}},
	{"wake", "wake a server that sleeps: to its first answer through the proxy, p50", "ms", bareThaw, goal{atMost: 1.3}},
	{"wake-lab", "  of a JupyterLab", "ms", "", goal{}},
	{"sleep-memory", "  what a JupyterLab keeps in memory that sleeps", "MiB", "", goal{}},
	{"churn", "start and stop servers, {churners} at a time", "/s", "", goal{}},
	{"churn-lost", "  starts of {churn} that were lost", "", "", goal{none: true}},
	{"churn-astray", "  requests that came to another's server", "", "", goal{none: true}},
	{"reconcile", "root's side begins anew with {units} units: until it says what runs", "ms", oneListing, goal{atMost: 10}},
	{"death", "a server is killed: until the API tells the user why, p50; systemd's signal of the same unit", "ms", bareUnit, goal{atMost: 5}},
	{"crowd", "  beside {running} running servers, times what it takes alone", "x", jupyterhub, goal{}},
	{"crowd", "", "x", "", goal{atMost: 1.3}},
	{"burst", "start {burst} at once", "starts/s", bareUnit, goal{atLeast: 0.85}},
	{"burst", "", "starts/s", plainUnit, goal{}},
	{"burst", "", "starts/s", jupyterhub, goal{atLeast: 3}},
	{"burst-p50", "  until ready, p50", "ms", bareUnit, goal{}},
	{"burst-p99", "  until ready, p99", "ms", bareUnit, goal{}},
	{"burst-convoy", "  p50 of p99: 0.5 is first come first served", "", bareUnit, goal{}},
	{"burst-convoy", "", "", jupyterhub, goal{}},
	{"burst-convoy", "", "", "", goal{atMost: 0.65}},
	{"burst-worst", "  worst answer of the hub meanwhile", "ms", jupyterhub, goal{atMost: 0.05}},
	{"burst-health", "  p99 of the hub's answers meanwhile, times what it is at rest", "x", jupyterhub, goal{}},
	{"burst-health", "", "x", "", goal{atMost: 5}},
	{"large-burst", "start {large} at once", "starts/s", bareUnit, goal{atLeast: 0.85}},
	{"large-burst", "", "starts/s", jupyterhub, goal{atLeast: 3}},
	{"large-burst-p50", "  until ready, p50", "ms", bareUnit, goal{}},
	{"large-burst-p99", "  until ready, p99", "ms", bareUnit, goal{}},
	{"large-burst-convoy", "  p50 of p99", "", bareUnit, goal{}},
	{"large-burst-convoy", "", "", "", goal{atMost: 0.65}},
	{"large-burst-worst", "  worst answer of the hub meanwhile", "ms", jupyterhub, goal{atMost: 0.05}},
	{"large-burst-health", "  p99 of its answers, times what it is at rest", "x", jupyterhub, goal{}},
	{"large-burst-health", "", "x", "", goal{atMost: 5}},

	{"proxy-cpu", "proxy a small keep-alive request: processor time", "us", nginx, goal{atMost: 2}},
	{"proxy-cpu", "", "us", haproxy, goal{}},
	{"proxy-cpu", "", "us", httputil, goal{}},
	{"proxy-cpu", "", "us", chp, goal{atMost: 0.2}},
	{"proxy-rate", "  requests on one core", "/s", nginx, goal{}},
	{"proxy-rate", "", "/s", chp, goal{}},
	{"proxy-added-p50", "  added to the latency at 1,000 a second, p50", "us", nginx, goal{}},
	{"proxy-added-p50", "", "us", chp, goal{atMost: 0.5}},
	{"proxy-added-p99", "  the same, p99", "us", nginx, goal{}},
	{"proxy-added-p99", "", "us", chp, goal{atMost: 0.5}},
	{"routes-some", "  with {some} routes: processor time", "us", tenRoutes, goal{atMost: 1.1}},
	{"routes-many", "  with {many} routes: processor time", "us", tenRoutes, goal{atMost: 1.1}},
	{"fair-p99", "  p99 of one user's while another storms with 256 connections", "us", quiet, goal{atMost: 1.5}},
	{"fair-p99", "", "us", nginx, goal{atMost: 1}},
	{"fair-bodies-p99", "  the same, while the other loads bodies of 10 MB over 64 connections", "us", quiet, goal{atMost: 1.5}},
	{"fair-bodies-p99", "", "us", nginx, goal{}},
	{"body-cpu", "proxy bodies of 10 MB: processor time for 1 GB", "ms", nginx, goal{}},
	{"body-cpu", "", "ms", chp, goal{atMost: 0.35}},
	{"socket-memory", "an idle WebSocket of {sockets}, after traffic: memory of the proxy's own", "KiB", nginx, goal{atMost: 1}},
	{"socket-memory", "", "KiB", haproxy, goal{}},
	{"socket-memory", "", "KiB", httputil, goal{}},
	{"socket-memory", "", "KiB", chp, goal{}},
	{"socket-memory", "", "KiB", "", goal{atMost: 17}},
	{"socket-after", "  memory {calm} after they have ended, times what it was before (Rss)", "x", nginx, goal{}},
	{"socket-after", "", "x", "", goal{atMost: 1.5}},
	{"kept-memory", "a kept connection of {sockets}, idle: memory of the proxy's own", "KiB", nginx, goal{}},
	{"kept-memory", "", "KiB", haproxy, goal{}},
	{"kept-memory", "", "KiB", httputil, goal{}},
	{"kept-memory", "", "KiB", chp, goal{}},
	{"proxy-rss", "  memory after that (Rss)", "MiB", nginx, goal{}},
	{"proxy-rss", "", "MiB", chp, goal{}},
	{"upgrade-reload-failed", "reload of the proxy with {sockets} WebSockets and 64 busy clients: failed requests", "", "", goal{none: true}},
	{"upgrade-reload-dropped", "  dropped WebSockets", "", "", goal{none: true}},
	{"upgrade-reload-longest", "  longest answer", "ms", "", goal{}},
	{"upgrade-restart-failed", "restart of the proxy, the same: failed requests", "", "", goal{none: true}},
	{"upgrade-restart-dropped", "  dropped WebSockets", "", "", goal{none: true}},
	{"upgrade-restart-longest", "  longest answer", "ms", "", goal{}},

	{"api-16", "GET /hub/api/user, 16 connections", "/s", jupyterhub, goal{atLeast: 10}},
	{"api-1-p50", "GET /hub/api/user, 1 connection, p50", "us", jupyterhub, goal{atMost: 0.25}},
	{"api-proxy-16", "GET /hub/api/user through the proxy, 16 connections", "/s", jupyterhub, goal{}},
	{"users-p50", "list of {users} users, p50", "us", jupyterhub, goal{atMost: 0.1}},
	{"activity-16", "POST .../activity, 16 connections", "/s", jupyterhub, goal{atLeast: 20}},
	{"activity-durable", "  until it is in the database's file", "ms", "", goal{atMost: 1000}},
	{"login-rain", "  a login meanwhile, times what it takes alone, p50", "x", "", goal{atMost: 1.5}},
	{"population-page", "first page of {population} users, times that of {users}", "x", "", goal{atMost: 2}},
	{"population-start", "from exec to READY with {population} users, times with {users}", "x", "", goal{atMost: 2}},

	{"idle-pss", "memory of all daemons, idle (Pss)", "MiB", jupyterhub, goal{}},
	{"idle-rss", "  (Rss)", "MiB", jupyterhub, goal{atMost: 0.25}},
	{"idle-rss-hub", "  of the hub (Rss)", "MiB", jupyterhub, goal{atMost: 0.25}},
	{"idle-rss-proxy", "  of the proxy (Rss)", "MiB", chp, goal{atMost: 0.35}},
	{"idle-rss-spawnd", "  of root's side (Rss)", "MiB", "", goal{}},
	{"after-pss", "memory of all daemons after all that (Pss)", "MiB", jupyterhub, goal{}},
	{"after-rss", "  (Rss)", "MiB", jupyterhub, goal{}},
	{"after-rss-hub", "  of the hub (Rss)", "MiB", jupyterhub, goal{}},
	{"after-rss-proxy", "  of the proxy (Rss)", "MiB", chp, goal{}},
	{"after-rss-spawnd", "  of root's side (Rss)", "MiB", "", goal{}},
	{"idle-wakeups-hub", "wakeups of the idle hub", "/s", jupyterhub, goal{}},
	{"idle-wakeups-hub", "", "/s", "", goal{atMost: 1}},
	{"idle-wakeups-proxy", "wakeups of the idle proxy", "/s", chp, goal{}},
	{"idle-wakeups-proxy", "", "/s", "", goal{atMost: 1}},
	{"idle-wakeups-spawnd", "wakeups of root's side, idle", "/s", "", goal{atMost: 1}},

	{"restart-silence", "restart of the hub with {running} servers: longest time without an answer", "ms", jupyterhub, goal{atMost: 0.1}},
	{"restart-failed", "  failed requests to the hub", "", "", goal{none: true}},
	{"restart-longest", "  longest answer of the hub", "ms", "", goal{}},
	{"restart-server-failed", "  failed requests to a running server", "", "", goal{none: true}},
	{"restart-first", "  from exec to the first answer", "ms", jupyterhub, goal{atMost: 0.1}},
	{"restart-ready", "  from exec to READY", "ms", "", goal{}},
}
