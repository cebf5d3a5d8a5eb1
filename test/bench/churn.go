package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
)

// churners is how many people start and stop servers at one time, each over and over.
const churners = 8

// churnPatience bounds one start of a churn: what takes longer is lost.
const churnPatience = time.Minute

// churn is what became of many starts.
type churn struct {
	left   atomic.Int64 // to be made
	lost   atomic.Int64 // the server did not answer in time, or the hub refused
	astray atomic.Int64 // somebody else's server answered
}

// measureChurn starts and stops servers, several at a time, and asks each who it is.
func (s *stage) measureChurn(ctx context.Context) error {
	var c churn
	c.left.Store(int64(s.size.churn))
	began := time.Now()
	var work errgroup.Group
	for _, a := range s.people[:min(churners, len(s.people))] {
		work.Go(func() error { return s.churn(ctx, &c, a) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	s.scores.note("churn", ours, float64(s.size.churn)/time.Since(began).Seconds())
	s.scores.note("churn-lost", ours, float64(c.lost.Load()))
	s.scores.note("churn-astray", ours, float64(c.astray.Load()))
	return nil
}

// churn starts and stops one person's server as long as starts are to be made.
func (s *stage) churn(ctx context.Context, c *churn, a hub.Account) error {
	for c.left.Add(-1) >= 0 {
		who, err := s.own.startAndAsk(ctx, a)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.lost.Add(1)
			fmt.Fprintf(s.log, "  a start of %s is lost: %v\n", a.Name, err)
		case who != a.Name:
			c.astray.Add(1)
			fmt.Fprintf(s.log, "  a request for the server of %s came to that of %s\n", a.Name, who)
		}
		if err := s.own.stop(ctx, a.Name); err != nil {
			return err
		}
	}
	return nil
}

// startAndAsk starts somebody's server and returns who the first server that answers in its place belongs to.
func (w *site) startAndAsk(ctx context.Context, a hub.Account) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, churnPatience)
	defer cancel()
	if err := w.start(ctx, a.Name); err != nil {
		return "", err
	}
	status, body, err := w.do(ctx, http.MethodGet, w.url+"/user/"+a.Name+"/api", nil)
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("the server that was ready answers %d: %w", status, err)
	}
	var said struct{ User string }
	err = json.Unmarshal(body, &said)
	return said.User, err
}
