package main

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

func (a *app) servicesCommand() *cobra.Command {
	return noun("services", "List, show, add and remove services", "  jupyterhub services list", a.servicesList(), a.servicesShow(), a.servicesAdd(), a.servicesRemove())
}

var serviceHead = []string{"SERVICE", "ADMIN", "ROLES", "URL", "COMMAND"}

func serviceLine(s client.Service) []string {
	return []string{s.Name, yes(s.Admin.Value), words(s.Roles.Value), string(s.URL.Value), words(s.Command.Value)}
}

func (a *app) servicesList() *cobra.Command {
	return a.command(verb{
		use: "list", short: "List services", args: cobra.NoArgs,
		example: "  jupyterhub services list",
		ask: func(ctx context.Context, h *client.Client, _ []string) (answer, error) {
			all, err := h.Services(ctx)
			out := answer{value: all, head: serviceHead}
			for _, name := range slices.Sorted(maps.Keys(all)) {
				out.rows = append(out.rows, serviceLine(all[name]))
			}
			return out, err
		},
	})
}

func serviceNames(ctx context.Context, h *client.Client, _ string) ([]string, error) {
	all, err := h.Services(ctx)
	return slices.Sorted(maps.Keys(all)), err
}

func (a *app) servicesShow() *cobra.Command {
	return a.command(verb{
		use: "show SERVICE", short: "Show a service", args: cobra.ExactArgs(1), names: serviceNames,
		example: "  jupyterhub services show wiki",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			s, err := h.Service(ctx, args[0])
			return answer{value: s, head: serviceHead, rows: [][]string{serviceLine(s)}}, err
		},
	})
}

func (a *app) servicesAdd() *cobra.Command {
	var r client.ServiceRequest
	var tokenFile string
	cmd := a.command(verb{
		use: "add SERVICE", short: "Add a service that somebody else runs", args: cobra.ExactArgs(1),
		long: `Add a service that somebody else runs. It stays until it is removed; those that the hub is always to know, and those that systemd is
to run, are in the configuration. Its token is read from a file, or from standard input ("-"): every user of the machine can read
command lines.`,
		example: "  openssl rand -hex 16 | tee wiki.token | jupyterhub services add wiki --url http://127.0.0.1:9000 --token-file -",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			token, err := a.secret(tokenFile)
			if err != nil {
				return answer{}, err
			}
			r.APIToken = token
			display := true
			r.Display = &display
			s, err := h.CreateService(ctx, args[0], r)
			return said(s), err
		},
	})
	f := cmd.Flags()
	f.StringVar(&r.URL, "url", "", "`address` where it listens; the proxy leads /services/SERVICE/ there")
	f.StringVar(&tokenFile, "token-file", "", "`file` with its API token")
	f.BoolVar(&r.Admin, "admin", false, "let it do everything")
	f.StringVar(&r.OAuthRedirectURI, "redirect-uri", "", "`address` where logins at it end, if it is not below --url")
	f.StringArrayVar(&r.OAuthClientAllowedScopes, "allowed-scope", nil, "a `scope` that it may ask its visitors for; may be given again")
	f.BoolVar(&r.OAuthNoConfirm, "no-confirm", false, "log visitors in without asking them")
	return cmd
}

// secret reads a file of one line, "" for none.
func (a *app) secret(file string) (string, error) {
	const most = 4096 // bytes
	in := a.in
	switch file {
	case "":
		return "", nil
	case "-":
	default:
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most))
	text := strings.TrimSpace(string(b))
	if err == nil && (text == "" || strings.ContainsAny(text, "\r\n")) {
		err = hub.Errorf(hub.Invalid, "%s must hold one line, the token", file)
	}
	return text, err
}

func (a *app) servicesRemove() *cobra.Command {
	return a.command(verb{
		use: "remove SERVICE...", short: "Remove services that the configuration does not name", args: cobra.MinimumNArgs(1), names: serviceNames, more: always(serviceNames),
		example: "  jupyterhub services remove wiki",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			for _, name := range args {
				if err := h.DeleteService(ctx, name); err != nil {
					return answer{}, err
				}
			}
			return said(args), nil
		},
	})
}
