package main

import (
	"context"
	"errors"
	"strconv"

	"jupyterhubd/hub"
)

// Two users' servers, which are the same program: one user storms, the other one works.
var (
	stormingLane = hub.Route{Spec: "/bench/storm/", Target: upstreamURL, UID: hub.NoUID, Server: hub.ServerRef{User: "p000"}}
	workingLane  = hub.Route{Spec: "/bench/work/", Target: upstreamURL, UID: hub.NoUID, Server: hub.ServerRef{User: "p001"}}
)

// stormConnections is how many connections the storm has, each of which asks again as soon as it is answered.
const (
	stormUnit        = "bench-storm.service"
	stormConnections = 256
)

// measureFairness looks at one user's answers while another user storms, and while nobody does.
func (s *stage) measureFairness(ctx context.Context) error {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return errMissing
	}
	if err := s.startUnits(ctx, nginxAs(program, upstreamUnit, upstreamConfig, &restCore)); err != nil {
		return err
	}
	if err := s.bindOwn(ctx, onCore(&proxyCore)); err != nil {
		return err
	}
	for _, r := range []hub.Route{stormingLane, workingLane} {
		if err := s.table().Add(ctx, r); err != nil {
			return err
		}
	}
	err := s.inTurn(ctx, s.size.rounds,
		contender{quiet, func(ctx context.Context) error { return s.scoreWork(ctx, quiet) }},
		contender{ours, func(ctx context.Context) error {
			if err := s.storm(ctx); err != nil {
				return err
			}
			err := s.scoreWork(ctx, ours)
			return errors.Join(err, s.systemctl(ctx, []string{"stop", stormUnit}))
		}})
	if err != nil {
		return err
	}
	for _, r := range []hub.Route{stormingLane, workingLane} {
		if err := s.table().Delete(ctx, r.Spec); err != nil {
			return err
		}
	}
	if err := s.systemctl(ctx, []string{"stop", upstreamUnit}); err != nil {
		return err
	}
	return s.bindOwn(ctx, "")
}

// scoreWork asks a hundred times a second.
func (s *stage) scoreWork(ctx context.Context, who string) error {
	work := paced(s.own.url+workingLane.Spec, s.size.load)
	work.connections = 2
	r, err := s.wrk(ctx, work)
	if err != nil {
		return err
	}
	s.scores.note("fair-p99", who, r.P99)
	return nil
}

// storm lets a user ask as fast as can be, until it is stopped. It steps back behind everybody else on its core, so that what is
// seen is the proxy's doing.
func (s *stage) storm(ctx context.Context) error {
	return s.startUnits(ctx, unit{name: stormUnit, core: &restCore, environ: []string{"LD_LIBRARY_PATH=" + fetched("debian/usr/lib/"+triplet())},
		command: []string{"/usr/bin/nice", "-n19", fetched("debian/usr/bin/wrk"), "--threads=1", "--duration=1h",
			"--connections=" + strconv.Itoa(stormConnections), s.own.url + stormingLane.Spec}})
}
