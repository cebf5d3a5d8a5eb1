package main

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

//go:embed storm.conf
var stormConfig string

// Two users, each with a server: one user storms, the other one works.
var (
	stormingLane = hub.Route{Spec: "/bench/storm/", Target: upstreamURL, UID: hub.NoUID, Server: hub.ServerRef{User: "p000"}}
	workingLane  = hub.Route{Spec: "/bench/work/", Target: "http://127.0.0.1:9007", UID: hub.NoUID, Server: hub.ServerRef{User: "p001"}}
)

const (
	stormUnit      = "bench-storm.service"
	workUnit       = "bench-work.service"
	stormNginxUnit = "bench-storm-nginx.service"
	stormNginxURL  = "http://127.0.0.1:9008"
)

// tempest is a kind of storm, with the row that tells of it: what is asked for, and over how many connections, each of which asks again as soon
// as it is answered.
type tempest struct {
	row, path   string
	connections int
}

var tempests = []tempest{{"fair-p99", "", 256}, {"fair-bodies-p99", "large", 64}}

// measureFairness looks at one user's answers while another user storms, and while nobody does. Our proxy has the bounds that it has
// by default.
func (s *stage) measureFairness(ctx context.Context) error {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return errMissing
	}
	work := strings.NewReplacer("9000", "9007", "bench-upstream", "bench-work").Replace(upstreamConfig)
	if err := s.makeLargeBody(ctx); err != nil {
		return err
	}
	if err := s.startUnits(ctx, nginxAs(program, upstreamUnit, upstreamConfig, &restCore), nginxAs(program, workUnit, work, &restCore),
		nginxAs(program, stormNginxUnit, stormConfig, &proxyCore)); err != nil {
		return err
	}
	if err := errors.Join(s.bound(ctx, ""), s.bindOwn(ctx, onCore(&proxyCore))); err != nil {
		return err
	}
	for _, r := range []hub.Route{stormingLane, workingLane} {
		if err := s.table().Add(ctx, r); err != nil {
			return err
		}
	}
	for _, kind := range tempests {
		err := s.inTurn(ctx, s.size.rounds,
			contender{quiet, func(ctx context.Context) error { return s.scoreWork(ctx, kind, s.own.url, quiet) }},
			contender{ours, func(ctx context.Context) error { return s.scoreStorm(ctx, kind, s.own.url, ours) }},
			contender{nginx, func(ctx context.Context) error { return s.scoreStorm(ctx, kind, stormNginxURL, nginx) }})
		if err != nil {
			return err
		}
	}
	for _, r := range []hub.Route{stormingLane, workingLane} {
		if err := s.table().Delete(ctx, r.Spec); err != nil {
			return err
		}
	}
	if err := s.systemctl(ctx, []string{"stop", upstreamUnit, workUnit, stormNginxUnit}); err != nil {
		return err
	}
	return errors.Join(s.bound(ctx, unbounded), s.bindOwn(ctx, ""))
}

// scoreWork asks a hundred times a second.
func (s *stage) scoreWork(ctx context.Context, kind tempest, url, who string) error {
	work := paced(url+workingLane.Spec, s.size.load)
	work.connections = 2
	r, err := s.wrk(ctx, work)
	if err != nil {
		return err
	}
	s.scores.note(kind.row, who, r.P99)
	return nil
}

// scoreStorm is scoreWork while a storm begins and goes on.
func (s *stage) scoreStorm(ctx context.Context, kind tempest, url, who string) error {
	if err := s.storm(ctx, kind, url); err != nil {
		return err
	}
	return errors.Join(s.scoreWork(ctx, kind, url, who), s.systemctl(ctx, []string{"stop", stormUnit}))
}

// storm lets a user ask as fast as can be, until it is stopped. It has only what everybody else leaves of its core (SCHED_IDLE), since
// in earnest it comes from another machine: what is seen is the proxy's doing.
func (s *stage) storm(ctx context.Context, kind tempest, url string) error {
	return s.startUnits(ctx, unit{name: stormUnit, core: &restCore, environ: []string{"LD_LIBRARY_PATH=" + fetched("debian/usr/lib/"+triplet())},
		command: []string{"/usr/bin/chrt", "-i", "0", fetched("debian/usr/bin/wrk"), "--threads=1", "--duration=1h",
			"--connections=" + strconv.Itoa(kind.connections), url + stormingLane.Spec + kind.path}})
}
