package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

func (a *app) groupsCommand() *cobra.Command {
	return noun("groups", "List, show, add and remove groups of the hub, their members and properties", "  jupyterhub groups add class alice bob",
		a.groupsList(), a.groupsShow(), a.groupsAdd(), a.groupsRemove(), a.members("join", "Put users into a group", always(userNames), (*client.Client).AddMembers),
		a.members("leave", "Take users out of a group", membersOf, (*client.Client).RemoveMembers), a.groupsProperties())
}

var groupHead = []string{"GROUP", "USERS", "ROLES", "PROPERTIES"}

func groupLine(g client.Group) []string {
	properties := ""
	if len(g.Properties.Value) > 0 {
		b, _ := json.Marshal(g.Properties.Value) // it came as JSON
		properties = string(b)
	}
	return []string{g.Name, words(g.Users.Value), words(g.Roles.Value), properties}
}

func oneGroup(g client.Group, err error) (answer, error) {
	return answer{value: g, head: groupHead, rows: [][]string{groupLine(g)}}, err
}

func (a *app) groupsList() *cobra.Command {
	return a.command(verb{
		use: "list", short: "List the hub's groups; those of the operating system are not among them", args: cobra.NoArgs,
		example: "  jupyterhub groups list",
		ask: func(ctx context.Context, h *client.Client, _ []string) (answer, error) {
			list, out := []client.Group{}, answer{head: groupHead}
			err := h.EachGroup(ctx, func(g client.Group) error {
				list, out.rows = append(list, g), append(out.rows, groupLine(g))
				return nil
			})
			out.value = list
			return out, err
		},
	})
}

func (a *app) groupsShow() *cobra.Command {
	return a.command(verb{
		use: "show GROUP", short: "Show a group", args: cobra.ExactArgs(1), names: groupNames,
		example: "  jupyterhub groups show class",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			return oneGroup(h.Group(ctx, args[0]))
		},
	})
}

func (a *app) groupsAdd() *cobra.Command {
	var roles []string
	cmd := a.command(verb{
		use: "add GROUP [USER...]", short: "Add a group, with members if there are to be any", args: cobra.MinimumNArgs(1), more: always(userNames),
		example: "  jupyterhub groups add class alice bob --role teacher",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			g, err := h.CreateGroup(ctx, args[0], client.GroupRequest{Users: args[1:], Roles: roles})
			return said(g), err
		},
	})
	cmd.Flags().StringArrayVar(&roles, "role", nil, "a `role` of its members; may be given again")
	a.completesFlag(cmd, "role", roleNames)
	return cmd
}

func (a *app) groupsRemove() *cobra.Command {
	return a.command(verb{
		use: "remove GROUP...", short: "Remove groups; their members stay", args: cobra.MinimumNArgs(1), names: groupNames, more: always(groupNames),
		example: "  jupyterhub groups remove class",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			for _, name := range args {
				if err := h.DeleteGroup(ctx, name); err != nil {
					return answer{}, err
				}
			}
			return said(args), nil
		},
	})
}

func (a *app) members(use, short string, whom later, change func(*client.Client, context.Context, string, ...string) (client.Group, error)) *cobra.Command {
	return a.command(verb{
		use: use + " GROUP USER...", short: short, args: cobra.MinimumNArgs(2), names: groupNames, more: whom, example: "  jupyterhub groups " + use + " class alice bob",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			g, err := change(h, ctx, args[0], args[1:]...)
			return said(g), err
		},
	})
}

func (a *app) groupsProperties() *cobra.Command {
	return a.command(verb{
		use: "properties GROUP JSON", short: "Replace a group's properties", args: cobra.ExactArgs(2), names: groupNames,
		example: `  jupyterhub groups properties class '{"quota": 3}'`,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			var properties map[string]any
			if err := json.Unmarshal([]byte(args[1]), &properties); err != nil || properties == nil {
				return answer{}, hub.Errorf(hub.Invalid, "%q is no JSON object", args[1])
			}
			g, err := h.SetProperties(ctx, args[0], properties)
			return said(g), err
		},
	})
}
