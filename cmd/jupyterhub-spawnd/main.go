package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/varlink"
	"jupyterhubd/systemdspawner/launcher"
)

// Accounts of the installation (sysusers.d/jupyterhub.conf).
const (
	hubUser      = "jupyterhub"
	serversGroup = "jupyterhub-servers"
)

// maxConns is how many callers are answered at once. The hub uses one connection a call, and a start lasts until the unit
// is active.
const maxConns = 1024

// reserve is how many further calls of root's are answered: the command line works though a hub that was taken over keeps all the
// others busy.
const reserve = 32

func main() {
	os.Exit(daemon.Main(daemon.Program{
		Name:  "jupyterhub-spawnd",
		Doors: map[string]string{"spawnd": "jupyterhub-spawnd.socket"},
		Run:   run,
	}))
}

func run(ctx context.Context, d *daemon.Daemon) error {
	var names account.NSS
	admit, err := doorkeeper(ctx, names)
	if err != nil {
		return err
	}
	group, err := names.GroupID(ctx, serversGroup)
	if err != nil {
		return fmt.Errorf("look up the group %s: %w; systemd-sysusers jupyterhub.conf makes it", serversGroup, err)
	}
	layout, err := installed()
	if err != nil {
		return err
	}
	root := source{dir: d.ConfigDir}
	l, err := launcher.New(launcher.Options{
		Load: root.load, Lookup: lookup(names), Group: group, Layout: layout, Now: time.Now, Lasting: stateFile(),
		Report: func(doing, unit string, err error) {
			d.Log.Warn().Str("unit", unit).Str("req", doing).Err(err).Msg("something is amiss, going on")
		},
	})
	if err != nil {
		return err
	}
	listener, err := d.Listener("spawnd")
	if err != nil {
		return err
	}
	door := varlink.Service{
		Vendor: "JupyterHub", Product: "jupyterhub-spawnd", Version: hub.Version, URL: "https://jupyterhub.readthedocs.io",
		Interfaces: []varlink.Interface{l.Interface()}, Allow: admit, MaxConns: maxConns, Reserve: reserve,
	}
	d.OnReload(func(context.Context) error {
		changes, err := l.Reload()
		for _, change := range changes {
			d.Log.Info().Str("req", change).Msg("configuration changed")
		}
		return err
	})
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return l.Run(ctx) })
	work.Go(func() error { return door.Serve(ctx, listener) })
	work.Go(func() error { return d.Watchdog(ctx, l.Alive) })
	d.Ready("serving %s", listener.Addr())
	return work.Wait()
}

// stateFile is in what StateDirectory= of our unit says.
func stateFile() string {
	dir := os.Getenv("STATE_DIRECTORY")
	if dir == "" {
		dir = "/var/lib/jupyterhub-spawnd"
	}
	return filepath.Join(dir, "limits.json")
}

// installed is where things stand: jupyterhub-exec beside this program, whatever PREFIX they were installed with.
func installed() (launcher.Layout, error) {
	layout := launcher.DefaultLayout()
	self, err := os.Executable()
	if err != nil {
		return layout, fmt.Errorf("find jupyterhub-exec: %w", err)
	}
	layout.Exec = filepath.Join(filepath.Dir(self), filepath.Base(layout.Exec))
	return layout, nil
}

// lookup asks for no more than matters: every question is a child process.
func lookup(names account.NSS) func(context.Context, string, bool) (hub.Account, error) {
	return func(ctx context.Context, name string, groups bool) (hub.Account, error) {
		if groups {
			return names.Lookup(ctx, name)
		}
		return names.Person(ctx, name)
	}
}

// doorkeeper admits the hub's account and root, by the numbers that they have when the daemon starts.
func doorkeeper(ctx context.Context, names account.NSS) (func(varlink.Cred) error, error) {
	uid, err := names.UID(ctx, hubUser)
	if err != nil {
		return nil, fmt.Errorf("look up the account %s: %w; systemd-sysusers jupyterhub.conf makes it", hubUser, err)
	}
	return func(c varlink.Cred) error {
		if c.UID == 0 || int64(c.UID) == uid {
			return nil
		}
		return hub.Errorf(hub.Forbidden, "uid %d may not knock here", c.UID)
	}, nil
}
