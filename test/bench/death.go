package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// measureDeath kills running servers. The floor is the signal by which systemd says that a unit with the same properties has failed; ours is the answer of
// the API that gives the user the cause.
func (s *stage) measureDeath(ctx context.Context) error {
	f, err := s.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	updates, lost := make(chan *sd.PropertiesUpdate, 4096), make(chan error, 1)
	f.bus.SetPropertiesSubscriber(updates, lost)
	mine := s.own.starter()
	return s.inTurn(ctx, s.size.rounds,
		contender{bareUnit, func(ctx context.Context) error {
			return s.deaths(ctx, f.starter(), f.unitOf, func(ctx context.Context, a hub.Account) error { return told(ctx, updates, lost, f.unitOf(a)) }, f)
		}},
		contender{ours, func(ctx context.Context) error {
			return s.deaths(ctx, mine, func(a hub.Account) string { return hub.UnitName(hub.ServerRef{User: a.Name}) }, s.own.failed, f)
		}})
}

// deaths starts servers, kills each, and notes the median of how long it took until somebody was told.
func (s *stage) deaths(ctx context.Context, who starter, unit func(hub.Account) string, seen func(context.Context, hub.Account) error, f *floor) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var took []time.Duration
	for i := range s.size.serial {
		a := s.people[i]
		if err := who.start(ctx, a); err != nil {
			return err
		}
		began := time.Now()
		if err := f.bus.KillUnitWithTarget(ctx, unit(a), sd.Main, int32(syscall.SIGKILL)); err != nil {
			return fmt.Errorf("kill %s: %w", unit(a), err)
		}
		if err := seen(ctx, a); err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if who.site == nil {
			if err := f.bus.ResetFailedUnitContext(ctx, unit(a)); err != nil {
				return fmt.Errorf("forget %s: %w", unit(a), err)
			}
		}
	}
	s.scores.note("death", who.name, milliseconds(percentile(took, 50)))
	return nil
}

// told waits for the signal that the unit has failed.
func told(ctx context.Context, updates <-chan *sd.PropertiesUpdate, lost <-chan error, unit string) error {
	for {
		select {
		case u := <-updates:
			if state, ok := u.Changed["ActiveState"]; ok && u.UnitName == unit && state.Value() == "failed" {
				return nil
			}
		case err := <-lost:
			return fmt.Errorf("hear of %s: %w", unit, err)
		case <-ctx.Done():
			return fmt.Errorf("hear of %s: %w", unit, ctx.Err())
		}
	}
}

// failed waits until the API says why the user's server is no more.
func (w *site) failed(ctx context.Context, a hub.Account) error {
	again := time.NewTicker(500 * time.Microsecond)
	defer again.Stop()
	for {
		body, err := w.call(ctx, http.MethodGet, "/users/"+a.Name+"?include_stopped_servers=1", nil, http.StatusOK)
		if err != nil {
			return err
		}
		var user struct {
			Servers map[string]struct{ Failure *hub.Cause } `json:"servers"`
		}
		if err := json.Unmarshal(body, &user); err != nil {
			return fmt.Errorf("read the state of %s: %w", a.Name, err)
		}
		if failure := user.Servers[""].Failure; failure != nil && failure.Message != "" {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the server of %s is not called failed: %w", a.Name, ctx.Err())
		}
	}
}
