package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/proxy"
)

// hubUser is the account that the hub runs as (sysusers.d/jupyterhub.conf).
const hubUser = "jupyterhub"

// hubSocket is where the hub is, as a target.
const hubSocket = "http+unix://%2Frun%2Fjupyterhub%2Fhub.sock"

// tokenVariable is configurable-http-proxy's.
const tokenVariable = "CONFIGPROXY_AUTH_TOKEN"

// flags are what the command line says beside what every daemon of ours understands.
type flags struct {
	defaultTarget string
	stateFile     string
	replace       bool
}

func (f *flags) declare(fs *flag.FlagSet) {
	fs.StringVar(&f.defaultTarget, "default-target", hubSocket, "where requests without a route go, until the hub says so")
	fs.StringVar(&f.stateFile, "state-file", stateFile(), "keeps the table over a restart")
	fs.BoolVar(&f.replace, "replace", false, "let a new proxy follow the one that runs, without an interruption; for systemctl reload")
}

func stateFile() string { return filepath.Join(stateDir(), "routes.json") }

func stateDir() string { return cmp.Or(os.Getenv("STATE_DIRECTORY"), "/var/lib/jupyterhub-proxy") }

func main() {
	if standsIn(os.Args) {
		os.Exit(standIn())
	}
	var f flags
	os.Exit(daemon.Main(daemon.Program{
		Name:  "jupyterhub-proxy",
		Doors: map[string]string{"http": "jupyterhub-proxy.socket", "api": "jupyterhub-proxy-api.socket"},
		Flags: f.declare,
		Run:   func(ctx context.Context, d *daemon.Daemon) error { return run(ctx, d, f) },
	}))
}

func run(ctx context.Context, d *daemon.Daemon, f flags) error {
	if f.replace {
		return replace(ctx, d)
	}
	before, err := follows()
	if err != nil {
		return err
	}
	r, err := open(ctx, d, f, before)
	if err != nil {
		return before.tell(err)
	}
	if err := r.serve(ctx); err != nil {
		return r.before.tell(err)
	}
	return nil
}

// open takes the doors, reads the configuration and makes the proxy.
func open(ctx context.Context, d *daemon.Daemon, f flags, before *predecessor) (*reign, error) {
	r := &reign{Daemon: d, before: before}
	var err error
	if r.doors, err = before.listeners(d, "http"); err != nil {
		return nil, err
	}
	api, err := before.listeners(d, "api")
	if err != nil {
		return nil, err
	}
	if len(api) != 1 || len(r.doors) == 0 {
		return nil, fmt.Errorf("%d public doors and %d for the API were handed over: keep one ListenStream= in jupyterhub-proxy-api.socket", len(r.doors), len(api))
	}
	r.api = api[0]
	s := &settings{dir: d.ConfigDir, acme: filepath.Join(stateDir(), "acme")}
	h, err := s.load()
	if err != nil {
		return nil, err
	}
	r.drain = s.drain
	o := options(d, f, s, h)
	if before != nil {
		o.Heir = before.heir
	}
	if o.APIPeers, err = peers(ctx, r.api, o.APIToken); err != nil {
		return nil, err
	}
	r.control = before.control(d)
	if r.proxy, err = proxy.New(o); err != nil {
		return nil, err
	}
	if err := s.begin(r.proxy); err != nil {
		return nil, err
	}
	d.OnReload(func(ctx context.Context) error {
		changes, err := s.reload(ctx, false)
		for _, change := range changes {
			d.Log.Info().Str("change", change).Msg("configuration changed")
		}
		return err
	})
	return r, nil
}

// serve works until ctx ends and everything is drained. The doors go first, then the table is saved.
func serve(ctx context.Context, d *daemon.Daemon, p *proxy.Proxy, doors []net.Listener, api net.Listener, beside ...func(context.Context) error) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, l := range doors {
		work.Go(func() error { return p.Serve(ctx, l) })
	}
	work.Go(func() error { return p.ServeAPI(ctx, api) })
	work.Go(func() error { return p.Run(ctx) })
	work.Go(func() error { return d.Watchdog(ctx, p.Alive) })
	for _, part := range beside {
		work.Go(func() error { return part(ctx) })
	}
	d.Ready("serving %s", doors[0].Addr())
	return work.Wait()
}

func options(d *daemon.Daemon, f flags, s *settings, h config.Hub) proxy.Options {
	o := proxy.Options{
		Log: d.Log, Now: time.Now,
		StateFile: f.stateFile, DefaultTarget: f.defaultTarget, DefaultUID: hub.NoUID,
		HubBase: h.BaseURL, HubOrigin: hubOrigin(h), HostRouting: h.SubdomainHost != "",
		APIToken: os.Getenv(tokenVariable), Reload: s.reload,
		MaxConnections: connections(), Lull: 500 * time.Millisecond,
		Keep: func(files []*os.File) error { return d.Store(tunnelsName, files) },
	}
	if f.defaultTarget == hubSocket {
		o.DefaultUID = 0 // systemd listens there for the hub
	}
	if f.defaultTarget != "" {
		o.ErrorTarget = f.defaultTarget + h.BaseURL + "hub/error"
	}
	return o
}

// hubOrigin is the hub's origin, spelled as the hub spells it, where it is one of several hosts.
func hubOrigin(h config.Hub) string {
	all, err := hosts.New(h.SubdomainHost, h.SubdomainHook)
	if err != nil {
		return "" // the configuration was checked
	}
	return all.Hub()
}

// connections is how many clients there is room for: each may need a connection to its upstream as well.
func connections() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 1024 {
		return 256
	}
	return int(min(limit.Cur, 1<<20)-512) / 2
}

// peers returns the uids that may edit the table: the hub's and root's, where the kernel can tell them; elsewhere there has to
// be a token.
func peers(ctx context.Context, api net.Listener, token string) ([]int64, error) {
	if api.Addr().Network() == "unix" {
		uid, err := account.NSS{}.UID(ctx, hubUser)
		if err == nil {
			return []int64{0, uid}, nil
		}
		if token == "" {
			return nil, fmt.Errorf("look up the account %s: %w; systemd-sysusers jupyterhub.conf makes it", hubUser, err)
		}
	}
	if token == "" {
		return nil, fmt.Errorf("the API listens at %s, where every local user can knock: set %s to a secret that the hub knows, or let jupyterhub-proxy-api.socket listen at a Unix socket", api.Addr(), tokenVariable)
	}
	return nil, nil
}
