package main

import (
	"context"
	"errors"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/spawner"
)

// Reload reads the configuration again and says what changes here; with check it only says so. A mistake changes nothing. What
// only a restart changes stays as it is in every part, and is said again at the next reload.
// Other daemons read theirs when `jupyterhub reload` asks them.
func (h *house) Reload(_ context.Context, check bool) ([]string, error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	next, err := config.Load(h.daemon.ConfigDir)
	if err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Text: err.Error()}
	}
	held := config.Held(h.config, next)
	rooms, rules, err := h.furnish(held)
	var tokens secrets
	if err == nil {
		err = requireKeys(held, h.keys)
	}
	if err == nil {
		tokens, err = readSecrets(held)
	}
	if err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Text: err.Error()}
	}
	changes := sentences(config.Changes(h.config, next, "hub", "authenticator", "spawner", "culler"))
	if check {
		return changes, nil
	}
	if err := settle(h.store, held, tokens); err != nil {
		return nil, err
	}
	h.accounts.Renew()
	h.porter.SetRules(rules)
	h.manager.SetPolicy(policyOf(held))
	h.rooms.Store(rooms)
	h.config = held
	h.manager.RedoRoutes()
	h.redoServices()
	for _, change := range changes {
		h.daemon.Log.Info().Str("change", change).Msg("configuration changed")
	}
	return changes, nil
}

func sentences(changes []config.Change) []string {
	out := make([]string, len(changes))
	for i, c := range changes {
		out[i] = c.String()
	}
	return out
}

// Resync compares the proxy's routes with what runs.
func (h *house) Resync(ctx context.Context) error { return h.manager.CheckRoutes(ctx) }

// Shutdown ends the hub soon. Whether systemd starts it again is its unit's to say.
func (h *house) Shutdown(stopServers *bool) {
	select {
	case h.leave <- stopServers != nil && *stopServers:
	default: // it ends already
	}
}

// awaitShutdown ends the hub when somebody asks for it.
func (h *house) awaitShutdown(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case stopServers := <-h.leave:
		if stopServers {
			return errors.Join(errAsked, h.stopServers(ctx))
		}
		return errAsked
	}
}

func (h *house) stopServers(ctx context.Context) error {
	active := h.manager.Active()
	if _, err := h.manager.StopAll(ctx); err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, spawner.DefaultPolicy().StopTimeout)
	defer done()
	for _, server := range active {
		if _, err := h.manager.Wait(ctx, server.ServerRef); ctx.Err() != nil {
			return err
		}
	}
	return nil
}
