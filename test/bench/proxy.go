package main

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"time"

	"jupyterhubd/hub"
	proxyclient "jupyterhubd/proxy/client"
)

//go:embed upstream.conf
var upstreamConfig string

//go:embed nginx.conf
var nginxConfig string

// Units and addresses of the proxies.
const (
	upstreamUnit = "bench-upstream.service" // what all of them lead to
	nginxUnit    = "bench-nginx.service"
	chpUnit      = "bench-chp.service"
	upstreamURL  = "http://127.0.0.1:9000"
	nginxURL     = "http://127.0.0.1:9001"
	chpURL       = "http://127.0.0.1:9002"
)

// Every proxy has the first core for itself; the load and what the proxies lead to have the second.
var proxyCore, restCore = 0, 1

// lane is a proxy that is measured.
type lane struct {
	name, unit, url string
}

// measureProxy loads each proxy with small requests over kept connections, and takes its processor time from the kernel:
// requests a second depend on what else runs, the time that one costs hardly does.
func (s *stage) measureProxy(ctx context.Context) error {
	lanes, err := s.openLanes(ctx)
	if err != nil {
		return err
	}
	if err := s.scoreLanes(ctx, lanes); err != nil {
		return err
	}
	return s.closeLanes(ctx, lanes)
}

// scoreLanes lets the proxies take turns at each kind of load.
func (s *stage) scoreLanes(ctx context.Context, lanes []lane) error {
	var contenders, slow, large, sockets []contender
	for _, l := range lanes {
		contenders = append(contenders, contender{l.name, func(ctx context.Context) error { return s.scoreLane(ctx, l) }})
		slow = append(slow, contender{l.name, func(ctx context.Context) error { return s.scoreLatency(ctx, l) }})
		large = append(large, contender{l.name, func(ctx context.Context) error { return s.scoreBodies(ctx, l) }})
		sockets = append(sockets, contender{l.name, func(ctx context.Context) error { return s.scoreSockets(ctx, l) }})
	}
	if err := s.inTurn(ctx, 1, sockets...); err != nil { // before anything has made the proxies large
		return err
	}
	for _, l := range lanes {
		if _, err := s.wrk(ctx, small(l, time.Second)); err != nil { // to warm it up
			return err
		}
	}
	if err := s.inTurn(ctx, s.size.rounds, contenders...); err != nil {
		return err
	}
	for _, l := range lanes {
		p, err := s.process(ctx, l.unit)
		if err != nil {
			return err
		}
		_, rss, err := p.memory()
		if err != nil {
			return err
		}
		s.scores.note("proxy-rss", l.name, rss)
	}
	if err := s.inTurn(ctx, s.size.rounds, slow...); err != nil {
		return err
	}
	return s.inTurn(ctx, s.size.rounds, large...)
}

// scoreLatency asks one thing at a time, and what the server takes by itself does not count.
func (s *stage) scoreLatency(ctx context.Context, l lane) error {
	one := load{url: upstreamURL + "/bench/", connections: 1, token: "none", core: &restCore}
	bare, err := s.wrk(ctx, one)
	if err != nil {
		return err
	}
	one.url = l.url
	r, err := s.wrk(ctx, one)
	if err != nil {
		return err
	}
	s.scores.note("proxy-added-p50", l.name, max(1, r.P50-bare.P50))
	s.scores.note("proxy-added-p99", l.name, max(1, r.P99-bare.P99))
	return nil
}

// largeBody is the size of what nginx serves as /bench/large.
const largeBody = 10_000_000

func (s *stage) scoreBodies(ctx context.Context, l lane) error {
	r, used, err := s.costOf(ctx, l, load{url: l.url + "large", connections: 4, token: "none", core: &restCore})
	if err != nil {
		return err
	}
	s.scores.note("body-cpu", l.name, used*1e3/(float64(r.Requests)*largeBody/1e9))
	return nil
}

// costOf loads a proxy and returns how many seconds of a processor that took it.
func (s *stage) costOf(ctx context.Context, l lane, what load) (result, float64, error) {
	p, err := s.process(ctx, l.unit)
	if err != nil {
		return result{}, 0, err
	}
	before, err := p.processor()
	if err != nil {
		return result{}, 0, err
	}
	r, err := s.wrk(ctx, what)
	if err != nil {
		return result{}, 0, err
	}
	after, err := p.processor()
	return r, after - before, err
}

func (s *stage) scoreLane(ctx context.Context, l lane) error {
	r, used, err := s.costOf(ctx, l, small(l, 0))
	if err != nil {
		return err
	}
	s.scores.note("proxy-cpu", l.name, used*1e6/float64(r.Requests))
	s.scores.note("proxy-rate", l.name, r.rate())
	return nil
}

// small are requests for 1 KiB over many connections.
func small(l lane, d time.Duration) load {
	return load{url: l.url, connections: 64, token: "none", core: &restCore, time: d}
}

// ownLane is the route of ours that leads to what the others lead to. The hub leaves alone what it did not add.
var ownLane = hub.Route{Spec: "/bench/", Target: upstreamURL, UID: hub.NoUID}

// openLanes starts the proxies, binds ours to its core, and gives it a route.
func (s *stage) openLanes(ctx context.Context) ([]lane, error) {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return nil, errMissing
	}
	units := []unit{nginxAs(program, upstreamUnit, upstreamConfig, &restCore), nginxAs(program, nginxUnit, nginxConfig, &proxyCore)}
	lanes := []lane{{ours, proxyUnit, s.own.url + ownLane.Spec}, {nginx, nginxUnit, nginxURL + "/bench/"}}
	if s.chp != nil {
		command := append(s.chp[:len(s.chp):len(s.chp)], "--ip=127.0.0.1", "--port=9002", "--api-ip=127.0.0.1", "--api-port=9003",
			"--log-level=error", "--default-target="+upstreamURL)
		units = append(units, unit{name: chpUnit, environ: []string{"PATH=" + searchPath}, command: command, core: &proxyCore})
		lanes = append(lanes, lane{chp, chpUnit, chpURL + "/bench/"})
	}
	if _, err := s.bed.Run(ctx, "sh", "-ec", `mkdir -p /var/lib/nginx; head -c "$1" /dev/zero >"$2/large"`, "sh", strconv.Itoa(largeBody), here); err != nil { // Debian's nginx insists
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
	return lanes, proxyclient.New(s.bed.Path("/run/jupyterhub-proxy/api.sock"), "").Add(ctx, ownLane)
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
	table := proxyclient.New(s.bed.Path("/run/jupyterhub-proxy/api.sock"), "")
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
