package main

import (
	"context"
	"strconv"
	"time"
)

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
	turns := func(score func(context.Context, lane) error, of func(lane) bool) (all []contender) {
		for _, l := range lanes {
			if of(l) {
				all = append(all, contender{l.name, func(ctx context.Context) error { return score(ctx, l) }})
			}
		}
		return all
	}
	everyone, rivals := func(lane) bool { return true }, func(l lane) bool { return !l.aside }
	if err := s.inTurn(ctx, 1, turns(s.scoreSockets, everyone)...); err != nil { // before anything has made the proxies large
		return err
	}
	if err := s.inTurn(ctx, 1, turns(s.scoreKept, everyone)...); err != nil {
		return err
	}
	for _, l := range lanes {
		if _, err := s.wrk(ctx, small(l, time.Second)); err != nil { // to warm it up
			return err
		}
	}
	if err := s.inTurn(ctx, s.size.rounds, turns(s.scoreLane, everyone)...); err != nil {
		return err
	}
	if err := s.noteRss(ctx, lanes); err != nil {
		return err
	}
	if err := s.inTurn(ctx, s.size.rounds, turns(s.scoreLatency, rivals)...); err != nil {
		return err
	}
	return s.inTurn(ctx, s.size.rounds, turns(s.scoreBodies, rivals)...)
}

func (s *stage) noteRss(ctx context.Context, lanes []lane) error {
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
	return nil
}

// pacedConnections share a thousand requests a second among them, each asking every so many milliseconds.
const pacedConnections = 16

// paced is that load. A wait is drawn for each request, so that they do not come together.
func paced(url string, d time.Duration) load {
	return load{url: url, connections: pacedConnections, token: "none", core: &restCore, time: d, script: pacedScript}
}

// scoreLatency asks a thousand times a second, and what the server takes by itself does not count.
func (s *stage) scoreLatency(ctx context.Context, l lane) error {
	bare, err := s.wrk(ctx, paced(upstreamURL+"/bench/", s.size.load/2))
	if err != nil {
		return err
	}
	r, err := s.wrk(ctx, paced(l.url, s.size.load/2))
	if err != nil {
		return err
	}
	s.scores.note("proxy-added-p50", l.name, max(1, r.P50-bare.P50))
	s.scores.note("proxy-added-p99", l.name, max(1, r.P99-bare.P99))
	return nil
}

// largeBody is the size of what nginx serves as /bench/large.
const largeBody = 10_000_000

func (s *stage) makeLargeBody(ctx context.Context) error {
	_, err := s.bed.Run(ctx, "sh", "-ec", `mkdir -p /var/lib/nginx; head -c "$1" /dev/zero >"$2/large"`, "sh", strconv.Itoa(largeBody), here) // Debian's nginx insists
	return err
}

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
