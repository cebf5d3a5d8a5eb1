package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
	"jupyterhubd/idleculler"
)

func main() {
	os.Args = append(os.Args[:1:1], dashed(os.Args[1:])...)
	var o overrides
	os.Exit(daemon.Main(daemon.Program{
		Name:  "jupyterhub-idle-culler",
		Flags: o.declare,
		Run: func(ctx context.Context, d *daemon.Daemon) error {
			return run(ctx, d, o)
		},
	}))
}

// maxErrors bounds the errors that one pass writes to the journal; the report counts them all.
const maxErrors = 20

func run(ctx context.Context, d *daemon.Daemon, o overrides) error {
	conf, err := configuration(d.ConfigDir)
	if err != nil {
		return err
	}
	secret, err := token(os.Getenv)
	if err != nil {
		return err
	}
	options := fromConfig(conf.Culler)
	o.apply(&options)
	h, err := client.New(address(o.url, conf), secret)
	if err != nil {
		return err
	}
	defer h.Close()
	checkAccounts(ctx, d, h)
	report, err := idleculler.Pass(ctx, h, options)
	for i, e := range report.Errors {
		if i == maxErrors {
			break
		}
		d.Log.Warn().Err(e).Msg("culling one failed, ignoring")
	}
	if err != nil {
		return err
	}
	d.Log.Info().Msg(report.String())
	return nil
}

// checkAccounts has our hub end what belongs to accounts that are gone. Another hub does not know the question.
func checkAccounts(ctx context.Context, d *daemon.Daemon, h *client.Client) {
	r, err := h.CheckAccounts(ctx)
	switch {
	case hub.KindOf(err) == hub.NotFound:
	case err != nil:
		d.Log.Warn().Err(err).Msg("accounts cannot be looked at, ignoring")
	case r.Ended > 0:
		d.Log.Info().Int("users", r.Ended).Msg("accounts that may not be used any more have lost their servers")
	}
}

// configuration reads the configuration. A machine without one is a machine without our hub: the defaults do.
func configuration(dir string) (*config.Config, error) {
	if _, err := os.Stat(dir); dir == config.DefaultDir && errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return config.Load(dir)
}

func fromConfig(c config.Culler) idleculler.Options {
	return idleculler.Options{
		Timeout: c.Timeout.Std(), MaxAge: c.MaxAge.Std(),
		CullUsers: c.CullUsers, CullAdminUsers: c.CullAdminUsers,
		CullDefaultServers: c.CullDefaultServers, CullNamedServers: c.CullNamedServers, RemoveNamedServers: c.RemoveNamedServers,
		Concurrency: int(c.Concurrency), PageSize: int(c.APIPageSize),
		RequestTimeout: requestTimeout(os.Getenv("JUPYTERHUB_REQUEST_TIMEOUT")),
		Now:            time.Now,
	}
}

// requestTimeout reads seconds, as the Python program does from the same variable; 60 when it is not set.
func requestTimeout(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return time.Minute
}

// token comes from systemd's credential, or from the environment as with the Python program.
func token(getenv func(string) string) (string, error) {
	if dir := getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		b, err := os.ReadFile(filepath.Join(dir, "token"))
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if t := getenv("JUPYTERHUB_API_TOKEN"); t != "" {
		return t, nil
	}
	return "", hub.Errorf(hub.Unauthenticated, "no token: the unit gets one by LoadCredential=token:…; by hand, set JUPYTERHUB_API_TOKEN to what `jupyterhub token` prints")
}

// address is the flag's, the environment's, or where the configuration says that the token API is.
func address(flag string, c *config.Config) string {
	if flag != "" {
		return flag
	}
	if env := os.Getenv("JUPYTERHUB_API_URL"); env != "" {
		return env
	}
	return strings.TrimRight(c.Hub.HubConnectURL, "/") + c.Hub.BaseURL + "hub/api"
}
