package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/proxy"
)

// standsIn reports whether the program is to be configurable-http-proxy: it is called so, or is told to open doors by options
// that only that program has. JupyterHub always tells it.
func standsIn(args []string) bool {
	if filepath.Base(args[0]) == chpName {
		return true
	}
	for _, arg := range args[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		for _, o := range new(line).doorOptions() {
			if strings.HasPrefix(arg, "--") && name == o.name {
				return true
			}
		}
	}
	return false
}

// standIn is the program in the place of configurable-http-proxy: no configuration file, no account of the hub's, doors that
// the command line or systemd opens, and a hub that it knows nothing of.
func standIn() int {
	var l *line
	return daemon.Main(daemon.Program{
		Name: chpName,
		CommandLine: func(args []string, stdout, stderr io.Writer) (log zerolog.Logger, code int, done bool) {
			l, code, done = greetCaller(args, stdout, stderr)
			if !done {
				log = newChpLog(stdout, stderr, l.logLevel)
			}
			return log, code, done
		},
		Run: func(ctx context.Context, d *daemon.Daemon) error { return runStandIn(ctx, d, l) },
	})
}

// greetCaller reads the command line. Like configurable-http-proxy the program ends with 1 when it is wrong.
func greetCaller(args []string, stdout, stderr io.Writer) (l *line, code int, done bool) {
	l, err := readLine(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		printHelp(stdout)
		return nil, 0, true
	case errors.Is(err, errVersion):
		fmt.Fprintf(stdout, "jupyterhub-proxy %s, in the place of %s %s\n", hub.Version, chpName, chpVersion)
		return nil, 0, true
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", chpName, err)
		return nil, 1, true
	}
	for _, warning := range l.warnings {
		fmt.Fprintf(stderr, "%s: %s\n", chpName, warning)
	}
	return l, 0, false
}

func printHelp(w io.Writer) {
	fmt.Fprintf(w, "Usage: %s [options]\n\nForwards requests by a table that programs edit over a REST API. See %s(8).\n\n", chpName, chpName)
	for _, o := range new(line).options() {
		says := o.says
		if o.why != "" {
			says = "does nothing: " + o.why
		}
		fmt.Fprintf(w, "  %-32s %s\n", strings.TrimSpace("--"+o.name+" "+o.arg), says)
	}
	fmt.Fprintf(w, "  %-32s %s\n  %-32s %s\n\n%s is the API's token.\n", "-V, --version", "print the version and end", "-h, --help", "print this and end", tokenVariable)
}

// runStandIn works until ctx ends. The doors are open before the first line is on the standard output: whoever waits for one
// connects then.
func runStandIn(ctx context.Context, d *daemon.Daemon, l *line) error {
	settings, err := l.settings()
	if err != nil {
		return err
	}
	o, err := l.proxyOptions(d.Log)
	if err != nil {
		return err
	}
	at, err := l.open(d)
	defer at.close()
	if err != nil {
		return err
	}
	var p *proxy.Proxy
	reload := func(_ context.Context, check bool) ([]string, error) {
		if check {
			return nil, p.Check(settings)
		}
		return nil, p.Apply(settings)
	}
	o.Reload = reload
	if p, err = proxy.New(o); err != nil {
		return err
	}
	if err := p.Apply(settings); err != nil {
		return err
	}
	d.OnReload(func(ctx context.Context) error { _, err := reload(ctx, false); return err })
	if o.APIOpen {
		d.Log.Warn().Msg("REST API is not authenticated: set CONFIGPROXY_AUTH_TOKEN")
	}
	if l.pidFile != "" {
		if err := os.WriteFile(l.pidFile, fmt.Append(nil, os.Getpid()), 0o644); err != nil {
			return fmt.Errorf("write the process id: %w; give --pid-file a place that can be written", err)
		}
		defer os.Remove(l.pidFile)
	}
	return l.serve(ctx, d, p, at)
}

// proxyOptions are what the command line and the environment say of the proxy.
func (l *line) proxyOptions(log zerolog.Logger) (proxy.Options, error) {
	manners, err := l.manners()
	if err != nil {
		return proxy.Options{}, err
	}
	o := proxy.Options{
		Log: log, Now: time.Now, StateFile: l.stateFile, HostRouting: l.hostRouting,
		DefaultTarget: l.defaultTarget, DefaultUID: hub.NoUID, ErrorTarget: strings.TrimRight(l.errorTarget, "/"),
		CountControlFrames: !l.ignoreControl, CountPolls: !l.ignorePolls,
		APIToken: os.Getenv(tokenVariable), Manners: manners,
		KeepAlive: l.keepAlive, Quiet: l.timeout, Drain: 5 * time.Second, MaxConnections: connections(),
	}
	o.APIOpen = o.APIToken == ""
	o.APITLS, err = l.apiTLS.server(apiPassphrase, l.tlsProtocol)
	return o, err
}

func (l *line) manners() (proxy.Manners, error) {
	m := proxy.Manners{
		StandIn: true, KeepForwarded: l.noForward, NoTargetPath: l.noPrepend, NoPrefix: l.noPrefix, TargetHost: l.changeOrigin,
		RewriteHost: l.autoRewrite, RewriteProto: l.protocolRewrite, Headers: l.headers, AnswerIn: l.proxyTimeout, ErrorPath: l.errorPath,
	}
	var err error
	m.TLS, err = l.clientTLS.client(l.insecure)
	return m, err
}

// serve works behind the doors.
func (l *line) serve(ctx context.Context, d *daemon.Daemon, p *proxy.Proxy, at doors) error {
	var beside []func(context.Context) error
	if at.metrics != nil {
		d.Log.Info().Stringer("addr", at.metrics.Addr()).Msg("Serve metrics at")
		beside = append(beside, plainDoor(at.metrics, p.MetricsHandler()))
	}
	if at.redirect != nil {
		d.Log.Info().Stringer("addr", at.redirect.Addr()).Int("to", at.redirectTo).Msg("Added HTTP to HTTPS redirection")
		beside = append(beside, plainDoor(at.redirect, redirection(at.redirectTo)))
	}
	d.Log.Info().Stringer("addr", at.public[0].Addr()).Str("target", l.defaultTarget).Msg("Proxying")
	d.Log.Info().Stringer("addr", at.api.Addr()).Msg("Proxy API at")
	return serve(ctx, d, p, at.public, at.api, beside...)
}

// plainDoor serves a handler over plain HTTP until the context ends.
func plainDoor(l net.Listener, h http.Handler) func(context.Context) error {
	return func(ctx context.Context) error {
		server := &http.Server{Handler: h, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
		stop := context.AfterFunc(ctx, func() { server.Close() })
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}
