package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// measureRestart restarts a hub under running servers, and asks it and one of them all the while.
func (s *stage) measureRestart(ctx context.Context) error {
	return s.eachSite(ctx, min(3, s.size.rounds), func(ctx context.Context, w *site) error {
		if err := s.crowd(ctx, w.starter()); err != nil {
			return err
		}
		if err := s.restart(ctx, w); err != nil {
			return err
		}
		return s.stopAll(ctx, s.size.running, w.starter())
	})
}

func (s *stage) restart(ctx context.Context, w *site) error {
	name := hubUnit
	if w == s.other {
		name = otherHubUnit
	}
	api, door := s.watch(ctx, w.url+"/hub/api/"), s.watch(ctx, w.api+"/hub/api/")
	server := s.watch(ctx, w.url+"/user/"+s.people[0].Name+"/api")
	err := s.pause(ctx) // so that there are answers before
	if err == nil {
		err = s.systemctl(ctx, []string{"restart", name})
	}
	if err == nil {
		err = s.awaitAnswer(ctx, w.url+"/hub/api/")
	}
	if err == nil {
		err = s.pause(ctx)
	}
	hub, direct, running := api.end(), door.end(), server.end()
	if err != nil {
		return err
	}
	for _, asked := range []answers{hub, direct, running} {
		if why := asked.complaint(); why != "" {
			fmt.Fprintf(s.log, "  %s: %s\n", w.name, why)
		}
	}
	began, ready, err := s.startOf(ctx, name)
	if err != nil {
		return err
	}
	s.scores.note("restart-silence", w.name, milliseconds(max(hub.silence(), direct.silence())))
	s.scores.note("restart-longest", w.name, milliseconds(max(hub.longest(), direct.longest())))
	s.scores.note("restart-failed", w.name, float64(hub.failed()+direct.failed()))
	s.scores.note("restart-server-failed", w.name, float64(running.failed()))
	s.scores.note("restart-first", w.name, milliseconds(direct.firstAfter(began)-began))
	s.scores.note("restart-ready", w.name, milliseconds(ready-began))
	return nil
}

func (s *stage) pause(ctx context.Context) error { return s.spend(ctx, 300*time.Millisecond) }

// spend lets time go by.
func (s *stage) spend(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startOf is when the unit's process was made and when it was ready, by the clock that also watches use.
func (s *stage) startOf(ctx context.Context, unit string) (began, ready time.Duration, err error) {
	bus, err := s.systemd(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer bus.Close()
	service, err := bus.GetUnitTypePropertiesContext(ctx, unit, "Service")
	if err != nil {
		return 0, 0, err
	}
	general, err := bus.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return 0, 0, err
	}
	made, ok1 := service["ExecMainStartTimestampMonotonic"].(uint64)
	active, ok2 := general["ActiveEnterTimestampMonotonic"].(uint64)
	if !ok1 || !ok2 {
		return 0, 0, fmt.Errorf("systemd does not say when %s began", unit)
	}
	return time.Duration(made) * time.Microsecond, time.Duration(active) * time.Microsecond, nil
}

// uptime is CLOCK_MONOTONIC, which systemd's timestamps are taken from.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// answers are what one client got that asked again and again.
type answers []answer

type answer struct {
	asked, got time.Duration // by uptime
	bad        error
}

// watch asks for a URL, each time over a new connection, until it is ended.
type watch struct {
	stop func()
	all  chan answers
}

const watchPace = 5 * time.Millisecond

func (s *stage) watch(ctx context.Context, url string) *watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{stop: cancel, all: make(chan answers, 1)}
	transport := s.bed.Transport()
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	go func() {
		var all answers
		pace := time.NewTicker(watchPace)
		defer pace.Stop()
		for ctx.Err() == nil {
			a := answer{asked: uptime()}
			a.bad = get(ctx, client, url)
			a.got = uptime()
			if ctx.Err() == nil { // what is broken off is nobody's failure
				all = append(all, a)
			}
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		w.all <- all
	}()
	return w
}

func (w *watch) end() answers {
	w.stop()
	return <-w.all
}

// get says what is wrong with the answer. Only its status counts.
func get(ctx context.Context, c *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := c.Do(r)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// complaint says what was wrong first.
func (all answers) complaint() string {
	for _, a := range all {
		if a.bad != nil {
			return a.bad.Error()
		}
	}
	return ""
}

func (all answers) failed() (n int) {
	for _, a := range all {
		if a.bad != nil {
			n++
		}
	}
	return n
}

// percentile of how long answers took, bad ones included.
func (all answers) percentile(p int) time.Duration {
	took := make([]time.Duration, len(all))
	for i, a := range all {
		took[i] = a.got - a.asked
	}
	return percentile(took, p)
}

// longest is the longest that a good answer took.
func (all answers) longest() (most time.Duration) {
	for _, a := range all {
		if a.bad == nil {
			most = max(most, a.got-a.asked)
		}
	}
	return most
}

// silence is the longest time between two good answers.
func (all answers) silence() (most time.Duration) {
	var last time.Duration
	for _, a := range all {
		if a.bad != nil {
			continue
		}
		if last > 0 {
			most = max(most, a.got-last)
		}
		last = a.got
	}
	return most
}

// firstAfter is when the first good answer came after a time.
func (all answers) firstAfter(t time.Duration) time.Duration {
	for _, a := range all {
		if a.bad == nil && a.got > t {
			return a.got
		}
	}
	return t
}
