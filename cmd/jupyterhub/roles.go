package main

import (
	"context"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

func (a *app) rolesCommand() *cobra.Command {
	return noun("roles", "List and show roles; the configuration makes them", "  jupyterhub roles list", a.rolesList(), a.rolesShow())
}

var roleHead = []string{"ROLE", "SCOPES", "USERS", "GROUPS", "SERVICES", "DESCRIPTION"}

func roleLine(r client.Role) []string {
	return []string{r.Name, words(r.Scopes), words(r.Users), words(r.Groups), words(r.Services), r.Description}
}

func (a *app) rolesList() *cobra.Command {
	return a.command(verb{
		use: "list", short: "List roles, and to whom the configuration gives them", args: cobra.NoArgs,
		example: "  jupyterhub roles list",
		ask: func(ctx context.Context, h *client.Client, _ []string) (answer, error) {
			list, err := h.Roles(ctx)
			out := answer{value: list, head: roleHead}
			for _, r := range list {
				out.rows = append(out.rows, roleLine(r))
			}
			return out, err
		},
	})
}

func (a *app) rolesShow() *cobra.Command {
	return a.command(verb{
		use: "show ROLE", short: "Show a role", args: cobra.ExactArgs(1), names: roleNames,
		example: "  jupyterhub roles show teacher --json",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			list, err := h.Roles(ctx)
			for _, r := range list {
				if r.Name == args[0] {
					return answer{value: r, head: roleHead, rows: [][]string{roleLine(r)}}, nil
				}
			}
			if err == nil {
				err = hinted(hub.Errorf(hub.NotFound, "No such role: %s", args[0]), "roles are made in jupyterhub.toml, [[hub.load_roles]]; jupyterhub roles list shows those that there are")
			}
			return answer{}, err
		},
	})
}

func roleNames(ctx context.Context, h *client.Client, _ string) (names []string, err error) {
	list, err := h.Roles(ctx)
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names, err
}
