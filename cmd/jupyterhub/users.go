package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
)

func (a *app) usersCommand() *cobra.Command {
	return noun("users", "List, show, add, change and remove users of the hub", "  jupyterhub users list --json | jq -r .[].name",
		a.usersList(), a.usersShow(), a.usersAdd(), a.usersChange(), a.usersRemove())
}

var userHead = []string{"USER", "ADMIN", "GROUPS", "RUNNING", "ACTIVE"}

func userLine(u client.User) []string {
	running := 0
	for _, s := range u.Servers.Value {
		if !s.Stopped {
			running++
		}
	}
	return []string{u.Name, yes(u.Admin.Value), words(u.Groups.Value), strconv.Itoa(running), moment(u.LastActivity.Value)}
}

func (a *app) usersList() *cobra.Command {
	var q client.UserQuery
	cmd := a.command(verb{
		use: "list", short: "List the users whom the hub knows", args: cobra.NoArgs,
		example: "  jupyterhub users list --state ready --sort -last_activity",
		ask: func(ctx context.Context, h *client.Client, _ []string) (answer, error) {
			list := []client.User{}
			err := h.EachUser(ctx, q, func(u client.User) error {
				list = append(list, u)
				return nil
			})
			out := answer{value: list, head: userHead}
			for _, u := range list {
				out.rows = append(out.rows, userLine(u))
			}
			return out, err
		},
	})
	cmd.Flags().StringVar(&q.State, "state", "", "only users whose servers are in a `state`: active, ready, inactive")
	cmd.Flags().StringVar(&q.NameFilter, "filter", "", "only users with a `text` in their names")
	cmd.Flags().StringVar(&q.Sort, "sort", "name", "`key` to sort by: id, name, last_activity, with - before it for descending")
	return cmd
}

func (a *app) usersShow() *cobra.Command {
	return a.command(verb{
		use: "show USER", short: "Show a user, and their servers that run", args: cobra.ExactArgs(1), names: userNames,
		example: "  jupyterhub users show alice --json",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			u, err := h.User(ctx, args[0])
			return answer{value: u, head: userHead, rows: [][]string{userLine(u)}}, err
		},
	})
}

func (a *app) usersAdd() *cobra.Command {
	var admin bool
	cmd := a.command(verb{
		use: "add USER...", short: "Add users before they log in; those that are known are passed over", args: cobra.MinimumNArgs(1),
		example: "  jupyterhub users add alice bob",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			made, err := h.CreateUsers(ctx, client.CreateUsers{Usernames: args, Admin: admin})
			return said(made), err
		},
	})
	cmd.Flags().BoolVar(&admin, "admin", false, "make them admins")
	return cmd
}

func (a *app) usersChange() *cobra.Command {
	var name string
	var admin bool
	var change client.UserChange
	cmd := a.command(verb{
		use: "change USER", short: "Change a user's name, or whether they are an admin", args: cobra.ExactArgs(1), names: userNames,
		example: "  jupyterhub users change alice --admin=false",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			u, err := h.ChangeUser(ctx, args[0], change)
			return said(u), err
		},
	})
	cmd.Flags().StringVar(&name, "rename", "", "new `name`, whose account they have; their servers must be stopped")
	cmd.Flags().BoolVar(&admin, "admin", false, "whether they are an admin")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.Flags().Changed("rename") {
			change.Name = &name
		}
		if cmd.Flags().Changed("admin") {
			change.Admin = &admin
		}
	}
	return cmd
}

func (a *app) usersRemove() *cobra.Command {
	return a.command(verb{
		use: "remove USER...", short: "Stop the servers of users and forget them; accounts and homes stay", args: cobra.MinimumNArgs(1), names: userNames, more: always(userNames), slow: true,
		example: "  jupyterhub users remove alice",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			for _, name := range args {
				if err := h.DeleteUser(ctx, name); err != nil {
					return answer{}, err
				}
			}
			return said(args), nil
		},
	})
}
