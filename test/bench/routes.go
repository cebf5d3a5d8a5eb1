package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

//go:embed paths.lua
var pathsScript string

// fewRoutes are those that are asked for, whatever else is in the table.
const fewRoutes = 10

// standIn is our proxy under its second name, in front of nobody's hub.
type standIn struct {
	figure string // "" for the one that others are compared with
	routes int
	lane   lane
	api    string
}

// measureRoutes asks three proxies for the same ten servers: they differ in how many others they know.
func (s *stage) measureRoutes(ctx context.Context) error {
	program := fetched("debian/usr/sbin/nginx")
	if !s.there("nginx, nor is any proxy measured", program) {
		return errMissing
	}
	all := []*standIn{{"", fewRoutes, lane{}, ""}, {"routes-some", s.size.some, lane{}, ""}, {"routes-many", s.size.many, lane{}, ""}}
	units, stop := []unit{nginxAs(program, upstreamUnit, upstreamConfig, &restCore)}, []string{"stop", upstreamUnit}
	for i, p := range all {
		port, api := 9010+2*i, 9011+2*i
		p.api = fmt.Sprintf("http://127.0.0.1:%d/api/routes", api)
		p.lane = lane{name: strconv.Itoa(p.routes) + " routes", unit: fmt.Sprintf("bench-routes-%d.service", p.routes), url: fmt.Sprintf("http://127.0.0.1:%d/", port)}
		units = append(units, unit{name: p.lane.unit, core: &proxyCore, command: []string{"@/usr/libexec/jupyterhub/jupyterhub-proxy", "configurable-http-proxy",
			"--ip=127.0.0.1", "--port=" + strconv.Itoa(port), "--api-ip=127.0.0.1", "--api-port=" + strconv.Itoa(api), "--log-level=error"}})
		stop = append(stop, p.lane.unit)
	}
	if err := s.startUnits(ctx, units...); err != nil {
		return err
	}
	var turns []contender
	for _, p := range all {
		if err := s.addRoutes(ctx, p); err != nil {
			return err
		}
		turns = append(turns, contender{p.lane.name, func(ctx context.Context) error { return s.scoreRoutes(ctx, p) }})
	}
	if err := s.inTurn(ctx, s.size.rounds, turns...); err != nil {
		return err
	}
	return s.systemctl(ctx, stop)
}

// scoreRoutes notes what a request costs. The few routes' is everybody's reference.
func (s *stage) scoreRoutes(ctx context.Context, p *standIn) error {
	what := small(p.lane, 0)
	what.script = pathsScript
	r, used, err := s.costOf(ctx, p.lane, what)
	if err != nil {
		return err
	}
	cost := used * 1e6 / float64(r.Requests)
	if p.figure != "" {
		s.scores.note(p.figure, ours, cost)
		return nil
	}
	s.scores.note("routes-some", tenRoutes, cost)
	s.scores.note("routes-many", tenRoutes, cost)
	return nil
}

// addRoutes gives a proxy its routes, some at a time, and awaits an answer through the last.
func (s *stage) addRoutes(ctx context.Context, p *standIn) error {
	if err := s.awaitAnswer(ctx, p.lane.url+"_chp_healthz"); err != nil {
		return err
	}
	const atOnce = 8
	began, numbers, failed := time.Now(), make(chan int), make(chan error, atOnce)
	var adding sync.WaitGroup
	for range atOnce {
		adding.Go(func() {
			for n := range numbers {
				if err := s.addRoute(ctx, p.api, n); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	err := feed(ctx, numbers, failed, p.routes)
	adding.Wait()
	fmt.Fprintf(s.log, "  %d routes were added in %s\n", p.routes, time.Since(began).Round(time.Millisecond))
	return err
}

// feed says the numbers below n, until something has failed.
func feed(ctx context.Context, numbers chan<- int, failed <-chan error, n int) error {
	defer close(numbers)
	for i := range n {
		select {
		case numbers <- i:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *stage) addRoute(ctx context.Context, api string, n int) error {
	body := fmt.Appendf(nil, `{"target": %q, "user": "u%d"}`, upstreamURL, n)
	status, answer, err := s.own.do(ctx, http.MethodPost, fmt.Sprintf("%s/user/u%d", api, n), body)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("add a route: %d %.200s", status, bytes.TrimSpace(answer))
	}
	return err
}
