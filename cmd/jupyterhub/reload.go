package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
)

// askTime bounds what one daemon may take to answer.
const askTime = 20 * time.Second

func (a *app) reloadCommand() *cobra.Command {
	var check, asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make changes of the configuration hold, in all daemons or in none",
		Long: `Make changes of the configuration hold, in all daemons or in none. Each is asked first; with a mistake anywhere, all
mistakes are printed, and every daemon keeps what it has. This is what systemctl reload jupyterhub runs.`,
		Example: `  systemctl reload jupyterhub
  jupyterhub reload --check`,
		Args: cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error { return a.reload(cmd.Context(), check, asJSON) }),
	}
	cmd.Flags().BoolVar(&check, "check", false, "ask, and change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: the changes, in a list")
	return cmd
}

// reader is a daemon that reads the configuration. The PAM helper is none: it lives as long as one conversation.
type reader struct {
	name   string
	reload func(ctx context.Context, check bool) (changes []string, err error)
}

func (a *app) reload(ctx context.Context, check, asJSON bool) error {
	if _, err := config.Load(a.places.config); err != nil {
		return hinted(err, "nothing was changed; the daemons keep the configuration that they have")
	}
	readers, err := a.readers()
	if err != nil {
		return err
	}
	changes, err := ask(ctx, readers, true)
	if err != nil {
		return hinted(err, "nothing was changed; the daemons keep the configuration that they have")
	}
	if !check {
		if changes, err = ask(ctx, readers, false); err != nil {
			return hinted(err, "all had agreed, so this is no mistake in the configuration; journalctl -u 'jupyterhub*' may know more")
		}
	}
	if asJSON {
		return a.printJSON(append([]string{}, changes...))
	}
	for _, c := range changes {
		a.printf("%s\n", c)
	}
	if len(changes) == 0 {
		a.printf("nothing has changed\n")
	}
	return nil
}

func (a *app) readers() ([]reader, error) {
	h, err := a.hub()
	if err != nil {
		return nil, err
	}
	proxy, err := client.New(client.SocketURL(a.places.proxy, "/api"), "")
	if err != nil {
		return nil, err
	}
	spawnd := systemdspawner.New(a.places.spawnd)
	return []reader{
		{"jupyterhub-spawnd", func(ctx context.Context, check bool) ([]string, error) {
			if check {
				return nil, spawnd.CheckConfiguration(ctx)
			}
			return spawnd.Reload(ctx)
		}},
		{"jupyterhub-proxy", overHTTP(proxy)},
		{"jupyterhub", overHTTP(h)},
	}, nil
}

func overHTTP(c *client.Client) func(context.Context, bool) ([]string, error) {
	return func(ctx context.Context, check bool) ([]string, error) {
		r, err := c.Reload(ctx, check)
		return r.Changes, err
	}
}

// ask asks every daemon, whatever the others say, and returns what each is told once.
func ask(ctx context.Context, readers []reader, check bool) (changes []string, err error) {
	var mistakes, away []error
	said := map[string]bool{}
	for _, r := range readers {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		got, err := r.reload(ctx, check)
		cancel()
		if hub.KindOf(err) == hub.Invalid {
			mistakes = append(mistakes, fresh(said, err)...)
		} else if err != nil {
			away = append(away, fmt.Errorf("%s: %w", r.name, err))
		}
		for _, c := range got {
			if !said[c] {
				said[c] = true
				changes = append(changes, c)
			}
		}
	}
	return changes, errors.Join(append(mistakes, away...)...)
}

// fresh returns the lines of an error that have not been said: daemons that read the same file find the same mistakes.
func fresh(said map[string]bool, err error) []error {
	var list []error
	for line := range strings.SplitSeq(hub.TextOf(err), "\n") {
		if !said[line] {
			said[line] = true
			list = append(list, errors.New(line))
		}
	}
	return list
}
