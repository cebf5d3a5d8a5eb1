package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/store"
)

// errAsked ends the hub because somebody asked it to, through the API.
var errAsked = errors.New("asked to end")

// run is the life of the hub: parts in the order in which they need each other, doors last.
func run(ctx context.Context, d *daemon.Daemon) error {
	began := time.Now()
	c, err := config.Load(d.ConfigDir)
	if err != nil {
		return err
	}
	all, err := takeDoors(ctx, d)
	if err != nil {
		return err
	}
	keys, err := readKeys()
	if err != nil {
		return err
	}
	s, err := store.Open(stateFile(), store.Options{Report: reporter(d), Keys: keys})
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := wire(d, c, s, keys)
	if err != nil {
		return err
	}
	stop := keep(ctx, d, s)
	defer stop()
	if err := h.live(ctx, all, began); !errors.Is(err, errAsked) {
		return err
	}
	return nil
}

// keep runs the store beside everything else, and a little longer: what others note while they end is written too.
func keep(ctx context.Context, d *daemon.Daemon, s *store.Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			d.Log.Error().Err(err).Msg("the last activity was not written")
		}
	}
}

// reporter tells the journal once when the store cannot write in the background, and once when it can again.
func reporter(d *daemon.Daemon) func(error) {
	bad := false
	return func(err error) {
		switch {
		case err != nil && !bad:
			d.Log.Error().Err(err).Msg("the store cannot write")
		case err == nil && bad:
			d.Log.Info().Msg("the store writes again")
		}
		bad = err != nil
	}
}

// apiConnections bounds the door that every local process can knock at.
const apiConnections = 512

// live serves until ctx ends.
func (h *house) live(ctx context.Context, all doors, began time.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.manager.ServeCredentials(ctx, all.credentials) })
	g.Go(func() error { return h.manager.Run(ctx) })
	g.Go(func() error { return h.porter.Run(ctx) })
	g.Go(func() error { return h.porter.TurnAway(ctx) })
	g.Go(func() error { return h.runServices(ctx) })
	g.Go(func() error { h.reseal(ctx); return nil })
	seeing := time.Now()
	h.awaitSight(ctx)
	h.started.sight.Observe(time.Since(seeing).Seconds())

	hall := h.rooms.Load().hall
	g.Go(func() error {
		return hall.Serve(ctx, all.hub, h.door(browsers), httpd.Limits{Door: doorHub, Meters: h.meters})
	})
	g.Go(func() error {
		return hall.Serve(ctx, all.api, h.door(servers), httpd.Limits{Connections: apiConnections, Door: doorAPI, Meters: h.meters})
	})
	g.Go(func() error {
		return hall.Serve(ctx, all.admin, h.door(admins), httpd.Limits{Door: doorAdmin, Meters: h.meters})
	})
	g.Go(func() error { return h.daemon.Watchdog(ctx, h.alive) })
	g.Go(func() error { return h.awaitShutdown(ctx) })
	h.daemon.OnReload(func(ctx context.Context) error {
		_, err := h.Reload(ctx, false)
		return err
	})
	h.started.whole.Observe(time.Since(began).Seconds())
	h.daemon.Ready("%s", serving(len(h.manager.Active())))
	return g.Wait()
}

// serving is the line of ours that `systemctl status` shows. The workshop tells when the number changes.
func serving(active int) string {
	if active == 1 {
		return "serving, 1 server active"
	}
	return fmt.Sprintf("serving, %d servers active", active)
}

// awaitSight waits until the workshop knows what runs. A spawner that does not answer keeps nobody from logging in.
func (h *house) awaitSight(ctx context.Context) {
	patience := time.NewTimer(h.config.Hub.InitSpawnersTimeout.Std())
	defer patience.Stop()
	select {
	case <-h.manager.Synced():
	case <-ctx.Done():
	case <-patience.C:
		h.daemon.Log.Warn().Msg("jupyterhub-spawnd does not say what runs, serving without")
	}
}

// alive goes through what everything goes through: the workshop's lock and a transaction.
func (h *house) alive(context.Context) error {
	h.manager.Alive()
	return h.store.View(func(*store.Tx) error { return nil })
}
