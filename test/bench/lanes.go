package main

import (
	"context"
	_ "embed"
	"errors"
	"strconv"

	"jupyterhubd/hub"
	proxyclient "jupyterhubd/proxy/client"
)

//go:embed upstream.conf
var upstreamConfig string

//go:embed nginx.conf
var nginxConfig string

//go:embed haproxy.cfg
var haproxyConfig string

// Units and addresses of the proxies.
const (
	upstreamUnit = "bench-upstream.service" // what all of them lead to
	nginxUnit    = "bench-nginx.service"
	chpUnit      = "bench-chp.service"
	haproxyUnit  = "bench-haproxy.service"
	httputilUnit = "bench-httputil.service"
	upstreamURL  = "http://127.0.0.1:9000"
	nginxURL     = "http://127.0.0.1:9001"
	chpURL       = "http://127.0.0.1:9002"
	haproxyURL   = "http://127.0.0.1:9005"
	httputilAt   = "127.0.0.1:9006"
)

// Programs of the references that we build.
const reverseProxy = "/usr/local/bin/bench-reverseproxy"

// Every proxy has the first core for itself; the load and what the proxies lead to have the second.
var proxyCore, restCore = 0, 1

// lane is a proxy that is measured.
type lane struct {
	name, unit, url string
	aside           bool // only its costs are compared
}

// unbounded takes the bounds off one user's requests: what is measured is how much there can be.
const unbounded = "[proxy]\nrequest_rate_per_user = 0\nmax_requests_per_user = 0\nmax_websockets_per_user = 0\n"

// bound sets the bounds of our proxy, from its next start on.
func (s *stage) bound(ctx context.Context, config string) error {
	return s.bed.WriteFile(ctx, "/etc/jupyterhub/jupyterhub.toml.d/60-bench.toml", config, 0o644)
}

// ownLane is the route of ours that leads to what the others lead to. The hub leaves alone what it did not add.
var ownLane = hub.Route{Spec: "/bench/", Target: upstreamURL, UID: hub.NoUID}

// openLanes starts the proxies, binds ours to its core, and gives it a route.
func (s *stage) openLanes(ctx context.Context) ([]lane, error) {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return nil, errMissing
	}
	if err := s.install(ctx, "./reverseproxy", reverseProxy); err != nil {
		return nil, err
	}
	units := []unit{nginxAs(program, upstreamUnit, upstreamConfig, &restCore), nginxAs(program, nginxUnit, nginxConfig, &proxyCore),
		{name: httputilUnit, core: &proxyCore, command: []string{reverseProxy, httputilAt, "/=" + upstreamURL, socketRoute.Spec + "=" + echoURL}}}
	lanes := []lane{{name: ours, unit: proxyUnit, url: s.own.url + ownLane.Spec}, {name: nginx, unit: nginxUnit, url: nginxURL + ownLane.Spec},
		{name: httputil, unit: httputilUnit, url: "http://" + httputilAt + ownLane.Spec, aside: true}}
	if s.chp != nil {
		units = append(units, s.chpAs(chpUnit, 9002, 9003))
		lanes = append(lanes, lane{name: chp, unit: chpUnit, url: chpURL + ownLane.Spec})
	}
	if program := fetched("haproxy/usr/sbin/haproxy"); s.there(haproxy, program) {
		units = append(units, haproxyAs(program, haproxyUnit))
		lanes = append(lanes, lane{name: haproxy, unit: haproxyUnit, url: haproxyURL + ownLane.Spec, aside: true})
	}
	if err := s.makeLargeBody(ctx); err != nil {
		return nil, err
	}
	if err := s.startUnits(ctx, units...); err != nil {
		return nil, err
	}
	for _, l := range lanes[1:] {
		if err := s.awaitAnswer(ctx, l.url); err != nil {
			return nil, err
		}
	}
	if err := s.bindOwn(ctx, onCore(&proxyCore)); err != nil {
		return nil, err
	}
	if err := s.openSocketLanes(ctx); err != nil {
		return nil, err
	}
	return lanes, s.table().Add(ctx, ownLane)
}

// table is that of our proxy.
func (s *stage) table() *proxyclient.Client {
	return proxyclient.New(s.bed.Path("/run/jupyterhub-proxy/api.sock"), "")
}

func (s *stage) chpAs(name string, port, apiPort int) unit {
	return unit{name: name, environ: []string{"PATH=" + searchPath}, core: &proxyCore,
		command: append(s.chp[:len(s.chp):len(s.chp)], "--ip=127.0.0.1", "--port="+strconv.Itoa(port), "--api-ip=127.0.0.1",
			"--api-port="+strconv.Itoa(apiPort), "--log-level=error", "--default-target="+upstreamURL)}
}

func haproxyAs(program, name string) unit {
	return unit{name: name, config: haproxyConfig, core: &proxyCore, environ: []string{"LD_LIBRARY_PATH=" + fetched("haproxy/usr/lib/"+triplet())},
		command: []string{program, "-db", "-f", here + "/" + name + ".conf"}}
}

func nginxAs(program, name, config string, core *int) unit {
	file := here + "/" + name + ".conf"
	return unit{name: name, config: config, core: core, command: []string{program, "-e", "stderr", "-p", here, "-c", file}}
}

// bindOwn restarts our proxy with a line more in its unit, or without.
func (s *stage) bindOwn(ctx context.Context, text string) error {
	const file = "/run/systemd/system/" + proxyUnit + ".d/bench.conf"
	if err := s.bed.WriteFile(ctx, file, "[Service]\n"+text, 0o644); err != nil {
		return err
	}
	if err := s.systemctl(ctx, []string{"daemon-reload"}, []string{"restart", proxyUnit}); err != nil {
		return err
	}
	return s.bed.AwaitHub(ctx)
}

// closeLanes leaves things as they were.
func (s *stage) closeLanes(ctx context.Context, lanes []lane) error {
	table := s.table()
	if err := errors.Join(table.Delete(ctx, ownLane.Spec), table.Delete(ctx, socketRoute.Spec)); err != nil {
		return err
	}
	stop := []string{"stop", upstreamUnit, echoUnit}
	for _, l := range lanes[1:] {
		stop = append(stop, l.unit)
	}
	if err := s.systemctl(ctx, stop); err != nil {
		return err
	}
	return s.bindOwn(ctx, "")
}
