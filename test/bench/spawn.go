package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
)

// starter starts and stops servers.
type starter struct {
	name        string
	start, stop func(ctx context.Context, a hub.Account) error
	site        *site // nil for the floor
}

func (w *site) starter() starter {
	return starter{w.name,
		func(ctx context.Context, a hub.Account) error { return w.start(ctx, a.Name) },
		func(ctx context.Context, a hub.Account) error { return w.stop(ctx, a.Name) }, w}
}

// starters are the floors and the hubs.
func (s *stage) starters(f *floor) []starter {
	all := []starter{f.starter(), f.plain()}
	for _, w := range s.sites() {
		all = append(all, w.starter())
	}
	return all
}

func (f *floor) starter() starter { return starter{bareUnit, f.start, f.stop, nil} }

// plain starts units as the machine can at best: as the user, and without anything that protects or limits.
func (f *floor) plain() starter {
	wanted := func(p sd.Property) bool { return bareMinimum[p.Name] }
	return starter{plainUnit, func(ctx context.Context, a hub.Account) error { return f.startWith(ctx, a, wanted) }, f.stop, nil}
}

// bareMinimum are the properties without which a unit would not be the user's server.
var bareMinimum = map[string]bool{
	"Description": true, "CollectMode": true, "Type": true, "ExecStart": true, "WorkingDirectory": true, "Environment": true, "User": true,
}

// atMost lets only so many starts be under way.
func (st starter) atMost(n int) starter {
	turns, start := make(chan struct{}, n), st.start
	st.start = func(ctx context.Context, a hub.Account) error {
		turns <- struct{}{}
		defer func() { <-turns }()
		return start(ctx, a)
	}
	return st
}

// sandboxed is JupyterHub with the sandbox that our servers have; see jupyterhub_config.py.
func (w *site) sandboxed() starter {
	st := w.starter()
	st.name = jupyterhubSandboxed
	st.start = func(ctx context.Context, a hub.Account) error {
		return w.startWith(ctx, a.Name, []byte(`{"sandbox":true}`))
	}
	return st
}

// measureSpawn starts servers one after another.
func (s *stage) measureSpawn(ctx context.Context) error {
	f, err := s.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := s.compareUnits(ctx, f); err != nil {
		return err
	}
	starters := s.starters(f)
	if s.other != nil {
		starters = append(starters, s.other.sandboxed())
	}
	var contenders []contender
	for _, who := range starters {
		contenders = append(contenders, contender{who.name, func(ctx context.Context) error { return s.serial(ctx, who) }})
	}
	return s.inTurn(ctx, s.size.rounds, contenders...)
}

// compareUnits makes sure that the floor is a floor: its units have to be what ours are.
func (s *stage) compareUnits(ctx context.Context, f *floor) error {
	a, mine := s.people[0], s.own.starter()
	if err := mine.start(ctx, a); err != nil {
		return err
	}
	if err := f.start(ctx, a); err != nil {
		return err
	}
	names, err := f.differences(ctx, a)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("a unit of ours and a bare one differ in %s", strings.Join(names, ", "))
	}
	return errors.Join(err, mine.stop(ctx, a), f.stop(ctx, a))
}

func (s *stage) serial(ctx context.Context, who starter) error {
	p50, err := s.oneByOne(ctx, who)
	if err == nil {
		s.scores.note("spawn", who.name, milliseconds(p50))
	}
	return err
}

// oneByOne starts one server after the other, and returns how long the median took. These people are the last of all.
func (s *stage) oneByOne(ctx context.Context, who starter) (time.Duration, error) {
	var took []time.Duration
	for i := range s.size.serial {
		a := s.people[len(s.people)-1-i]
		began := time.Now()
		if err := who.start(ctx, a); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
		if err := who.stop(ctx, a); err != nil {
			return 0, err
		}
	}
	return percentile(took, 50), nil
}

// crowd starts servers and lets them run. A start after that ought to take what it took before.
func (s *stage) crowd(ctx context.Context, who starter) error {
	before, err := s.oneByOne(ctx, who)
	if err != nil {
		return err
	}
	for i := range s.size.running {
		if err := who.start(ctx, s.people[i]); err != nil {
			return err
		}
	}
	after, err := s.oneByOne(ctx, who)
	if err != nil {
		return err
	}
	s.scores.note("crowd", who.name, float64(after)/float64(before))
	return nil
}

// bareAtOnce is how many of a large burst's bare units start at one time: systemd does worse with more, and of two hundred
// given to it at once some are not there within a unit's minute.
const bareAtOnce = 8

// measureBurst starts many servers at once. Few turns: the largest takes JupyterHub ten seconds, and as long again to stop.
func (s *stage) measureBurst(ctx context.Context) error {
	f, err := s.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	var small []contender
	for _, who := range s.starters(f) {
		small = append(small, s.bursting("burst", s.size.burst, who))
	}
	if err := s.inTurn(ctx, min(3, s.size.rounds), small...); err != nil {
		return err
	}
	large := []contender{s.bursting("large-burst", s.size.large, f.starter().atMost(bareAtOnce))}
	for _, w := range s.sites() {
		large = append(large, s.bursting("large-burst", s.size.large, w.starter()))
	}
	return s.inTurn(ctx, min(2, s.size.rounds), large...)
}

func (s *stage) bursting(figure string, n int, who starter) contender {
	return contender{who.name, func(ctx context.Context) error { return s.burst(ctx, figure, n, who) }}
}

// burst starts servers for that many people at the same time, and stops them.
func (s *stage) burst(ctx context.Context, figure string, n int, who starter) error {
	if who.site != nil {
		if err := who.site.warm(ctx, n); err != nil {
			return err
		}
		rest := s.watch(ctx, who.site.url+"/hub/health")
		s.spend(ctx, s.size.load)
		atRest := rest.end().percentile(99)
		watch := s.watch(ctx, who.site.url+"/hub/health")
		defer func() {
			all := watch.end()
			s.scores.note(figure+"-worst", who.name, milliseconds(all.longest()))
			s.scores.note(figure+"-health", who.name, float64(all.percentile(99))/float64(atRest))
		}()
	}
	ready, err := s.allAtOnce(ctx, n, who)
	if err != nil {
		return err
	}
	all, p50, p99 := slices.Max(ready), percentile(ready, 50), percentile(ready, 99)
	s.scores.note(figure, who.name, float64(len(ready))/all.Seconds())
	s.scores.note(figure+"-p50", who.name, milliseconds(p50))
	s.scores.note(figure+"-p99", who.name, milliseconds(p99))
	s.scores.note(figure+"-convoy", who.name, float64(p50)/float64(p99))
	return s.stopAll(ctx, n, who)
}

// allAtOnce returns when each server was ready. Only JupyterHub's may fail to be, which is told: two units of systemdspawner's can have
// chosen one port.
func (s *stage) allAtOnce(ctx context.Context, n int, who starter) (ready []time.Duration, err error) {
	var work errgroup.Group
	var mu sync.Mutex // guards ready
	began := time.Now()
	for i := range n {
		work.Go(func() error {
			err := who.start(ctx, s.people[i])
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ready = append(ready, took)
				return nil
			}
			if who.site == nil || who.site != s.other || ctx.Err() != nil {
				return err
			}
			fmt.Fprintf(s.log, "  %s lost a start: %v\n", who.name, err)
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	if len(ready) == 0 {
		return nil, fmt.Errorf("none of %d servers was ready", n)
	}
	return ready, nil
}

func (s *stage) stopAll(ctx context.Context, n int, who starter) error {
	var work errgroup.Group
	work.SetLimit(25)
	for i := range n {
		work.Go(func() error { return who.stop(ctx, s.people[i]) })
	}
	return work.Wait()
}

// warm opens as many connections as a burst needs: making them costs whoever measures, not the hub.
func (w *site) warm(ctx context.Context, n int) error {
	var work errgroup.Group
	for range n {
		work.Go(func() error {
			_, err := w.call(ctx, "GET", "/", nil, 200)
			return err
		})
	}
	return work.Wait()
}
