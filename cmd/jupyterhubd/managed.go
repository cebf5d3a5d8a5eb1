package main

import (
	"context"
	"time"

	"jupyterhubd/hub/config"
)

// serviceUnit is the unit that runs a service of the configuration; root's side says the same.
func serviceUnit(s config.Service) string {
	if !s.Managed() {
		return ""
	}
	return "jupyterhub-service-" + s.Name + ".service"
}

// Pauses between attempts to have services run.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// runServices has root's side make the services run that the configuration says, at the start and after each reload, until ctx ends.
func (h *house) runServices(ctx context.Context) error {
	pause := firstPause
	for {
		again := time.NewTimer(pause)
		if err := h.applyServices(ctx); err == nil {
			again.Stop()
			pause = firstPause
		} else if ctx.Err() == nil {
			log := h.daemon.Log.Warn()
			if pause == firstPause { // root's side may have begun just now, as the hub has
				log = h.daemon.Log.Info()
			}
			log.Err(err).Msg("services cannot be started, trying again")
			pause = min(2*pause, lastPause)
		}
		select {
		case <-h.services:
			pause = firstPause
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil
		}
	}
}

func (h *house) applyServices(ctx context.Context) error {
	units, err := h.spawnd.ApplyServices(ctx)
	for _, u := range units {
		if u.Problem != "" {
			h.daemon.Log.Error().Str("service", u.Service).Str("unit", u.Name).Str("why", u.Problem).Msg("a service does not run")
		}
	}
	return err
}

// redoServices asks runServices for another round.
func (h *house) redoServices() {
	select {
	case h.services <- struct{}{}:
	default:
	}
}
