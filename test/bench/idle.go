package main

import (
	"context"
	"time"
)

// daemon is one of the processes whose memory and wakeups are looked at.
type daemon struct {
	part string // "hub", "proxy", "spawnd"
	who  string
	unit string
	of   string // the site that it belongs to
}

// daemons are ours and JupyterHub's. Ours for a login and for culling are there only while they work.
func (s *stage) daemons() []daemon {
	all := []daemon{{"hub", ours, hubUnit, ours}, {"proxy", ours, proxyUnit, ours}, {"spawnd", ours, spawndUnit, ours}}
	if s.other != nil {
		all = append(all, daemon{"hub", jupyterhub, otherHubUnit, jupyterhub}, daemon{"proxy", chp, otherCHPUnit, jupyterhub})
	}
	return all
}

// measureIdle looks at daemons that nobody asks for anything, nor did a moment ago: connections to them are not kept any more.
func (s *stage) measureIdle(ctx context.Context) error {
	select {
	case <-time.After(s.size.rest):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.noteMemory(ctx, "idle"); err != nil {
		return err
	}
	before, err := s.wakeups(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-time.After(s.size.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := s.wakeups(ctx)
	if err != nil {
		return err
	}
	for d, count := range after {
		s.scores.note("idle-wakeups-"+d.part, d.who, (count-before[d])/time.Since(began).Seconds())
	}
	return nil
}

func (s *stage) wakeups(ctx context.Context) (map[daemon]float64, error) {
	counts := map[daemon]float64{}
	for _, d := range s.daemons() {
		p, err := s.process(ctx, d.unit)
		if err != nil {
			return nil, err
		}
		if counts[d], err = p.wakeups(); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// measureMemory looks at the daemons once more, after everything that was asked of them.
func (s *stage) measureMemory(ctx context.Context) error { return s.noteMemory(ctx, "after") }

func (s *stage) noteMemory(ctx context.Context, when string) error {
	allPss, allRss := map[string]float64{}, map[string]float64{}
	for _, d := range s.daemons() {
		p, err := s.process(ctx, d.unit)
		if err != nil {
			return err
		}
		pss, rss, err := p.memory()
		if err != nil {
			return err
		}
		s.scores.note(when+"-rss-"+d.part, d.who, rss)
		allPss[d.of] += pss
		allRss[d.of] += rss
	}
	for who := range allPss {
		s.scores.note(when+"-pss", who, allPss[who])
		s.scores.note(when+"-rss", who, allRss[who])
	}
	return nil
}
