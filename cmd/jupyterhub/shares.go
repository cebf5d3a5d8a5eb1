package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

func (a *app) sharesCommand() *cobra.Command {
	cmd := noun("shares", "List, make and take back shares of servers, and the codes that share them",
		"  jupyterhub shares add alice/gpu --user bob\n  jupyterhub shares code alice --expires-in 7d\n  jupyterhub shares list alice",
		a.sharesList(), a.sharesWith(), a.sharesAdd(), a.sharesRemove(), a.sharesLeave(), a.sharesCode(), a.sharesCodes(), a.sharesRevoke())
	cmd.Aliases = []string{"share"}
	return cmd
}

var shareHead = []string{"SERVER", "WITH", "SCOPES", "SINCE"}

func shareLine(s client.Share) []string {
	with := "-"
	switch {
	case s.User != nil:
		with = "user " + s.User.Name
	case s.Group != nil:
		with = "group " + s.Group.Name
	}
	return []string{fullName(s.Server), with, words(bare(s.Scopes)), moment(s.CreatedAt)}
}

func fullName(s client.SharedServer) string { return s.User.Name + "/" + s.Name }

// bare leaves out the filter of scopes of a share, which is the server that stands beside them.
func bare(scopes []string) []string {
	out := make([]string, len(scopes))
	for i, s := range scopes {
		out[i], _, _ = strings.Cut(s, "!")
	}
	return out
}

func sharesIn(list []client.Share, err error) (answer, error) {
	out := answer{value: list, head: shareHead}
	for _, s := range list {
		out.rows = append(out.rows, shareLine(s))
	}
	return out, err
}

func (a *app) sharesList() *cobra.Command {
	return a.command(verb{
		use: "list USER[/SERVER]", short: "List what a user shares, or what is shared of one server",
		long:    "List what a user shares, or what is shared of one server: USER is all of a user's servers, USER/ the default one, USER/SERVER a named one.",
		example: "  jupyterhub shares list alice\n  jupyterhub shares list alice/gpu", args: cobra.ExactArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			if !strings.Contains(args[0], "/") {
				return sharesIn(h.SharesOf(ctx, args[0]))
			}
			return sharesIn(h.Shares(ctx, serverOf(args[0])))
		},
	})
}

func (a *app) sharesWith() *cobra.Command {
	var group bool
	cmd := a.command(verb{
		use: "with USER", short: "List what is shared with a user, by name and through groups; with --group, with a group",
		example: "  jupyterhub shares with bob\n  jupyterhub shares with class --group", args: cobra.ExactArgs(1), names: userNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			if group {
				return sharesIn(h.SharedWithGroup(ctx, args[0]))
			}
			return sharesIn(h.SharedWith(ctx, args[0]))
		},
	})
	cmd.Flags().BoolVar(&group, "group", false, "the name is a group's")
	return cmd
}

// shareFlags let a command name with whom something is shared, and what.
func (a *app) shareFlags(cmd *cobra.Command, r *client.ShareRequest, scopes string) {
	cmd.Flags().StringVar(&r.User, "user", "", "`user` with whom")
	cmd.Flags().StringVar(&r.Group, "group", "", "`group` with which")
	cmd.Flags().StringArrayVar(&r.Scopes, "scope", nil, scopes)
	cmd.MarkFlagsMutuallyExclusive("user", "group")
	a.completesFlag(cmd, "user", userNames)
	a.completesFlag(cmd, "group", groupNames)
}

func (a *app) sharesAdd() *cobra.Command {
	r := new(client.ShareRequest)
	cmd := a.command(verb{
		use: "add USER[/SERVER]", short: "Share a server with a user or a group of the hub",
		long: "Share a server with a user or a group of the hub. They may use it as its owner does, unless --scope says less or more. " +
			"What they have already stays. " + serverIs,
		example: "  jupyterhub shares add alice/gpu --user bob\n  jupyterhub shares add alice --group class --scope access:servers --scope start:servers",
		args:    cobra.ExactArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			s, err := h.Share(ctx, serverOf(args[0]), *r)
			return said(s), err
		},
	})
	a.shareFlags(cmd, r, "a `scope` to share instead of access:servers; may be given again")
	cmd.MarkFlagsOneRequired("user", "group")
	return cmd
}

func (a *app) sharesRemove() *cobra.Command {
	var all bool
	r := new(client.ShareRequest)
	cmd := a.command(verb{
		use: "remove USER[/SERVER]", short: "Take back what is shared with a user or a group, or with --all from everybody",
		long: "Take back what is shared with a user or a group, or with --all from everybody. It takes effect within a second, also for those who work in " +
			"the server then. Codes stay good: jupyterhub shares revoke. " + serverIs,
		example: "  jupyterhub shares remove alice/gpu --user bob\n  jupyterhub shares remove alice --all", args: cobra.ExactArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			if all {
				return said(struct{}{}), h.UnshareAll(ctx, serverOf(args[0]))
			}
			return said(struct{}{}), h.Unshare(ctx, serverOf(args[0]), *r)
		},
	})
	a.shareFlags(cmd, r, "a `scope` to take back instead of all; may be given again")
	cmd.Flags().BoolVar(&all, "all", false, "from everybody")
	cmd.MarkFlagsOneRequired("user", "group", "all")
	cmd.MarkFlagsMutuallyExclusive("all", "user")
	cmd.MarkFlagsMutuallyExclusive("all", "group")
	return cmd
}

func (a *app) sharesLeave() *cobra.Command {
	var group bool
	cmd := a.command(verb{
		use: "leave USER OWNER[/SERVER]", short: "Give up what is shared with a user by name; with --group, with a group",
		example: "  jupyterhub shares leave bob alice/gpu\n  jupyterhub shares leave class alice --group", args: cobra.ExactArgs(2), names: userNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			leave := h.LeaveShare
			if group {
				leave = h.LeaveShareOfGroup
			}
			return said(struct{}{}), leave(ctx, args[0], serverOf(args[1]))
		},
	})
	cmd.Flags().BoolVar(&group, "group", false, "the name is a group's")
	return cmd
}

func (a *app) sharesCode() *cobra.Command {
	var expires string
	var r client.ShareCodeRequest
	cmd := a.command(verb{
		use: "code USER[/SERVER]", short: "Make a code that shares a server with whoever has it, and print the address to give them",
		long: "Make a code that shares a server with whoever has it, and print the address to give them. It cannot be read again. " +
			"Without public_url in the configuration the address is a path, below where the hub is. " + serverIs,
		example: "  jupyterhub shares code alice/gpu\n  jupyterhub shares code alice --expires-in 7d --scope access:servers --scope start:servers",
		args:    cobra.ExactArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (_ answer, err error) {
			if r.ExpiresIn, err = spanOf(expires); err != nil {
				return answer{}, err
			}
			c, err := h.NewShareCode(ctx, serverOf(args[0]), r)
			address := string(c.FullAcceptURL.Value)
			if address == "" {
				address = c.AcceptURL
			}
			return answer{value: c, text: tame(address) + "\n"}, err
		},
	})
	cmd.Flags().StringVar(&expires, "expires-in", "", "`span` for which the code is good: seconds, or 12h, 30d; default a day")
	cmd.Flags().StringArrayVar(&r.Scopes, "scope", nil, "a `scope` to share instead of access:servers; may be given again")
	return cmd
}

func (a *app) sharesCodes() *cobra.Command {
	return a.command(verb{
		use: "codes USER[/SERVER]", short: "List the codes for a user's servers, or for one, never their values",
		long:    "List the codes for a user's servers, or for one, never their values: USER is all of a user's servers, USER/ the default one, USER/SERVER a named one.",
		example: "  jupyterhub shares codes alice", args: cobra.ExactArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (out answer, err error) {
			var list []client.ShareCode
			if strings.Contains(args[0], "/") {
				list, err = h.ShareCodes(ctx, serverOf(args[0]))
			} else {
				list, err = h.ShareCodesOf(ctx, args[0])
			}
			out = answer{value: list, head: []string{"ID", "SERVER", "SCOPES", "CREATED", "EXPIRES", "USED"}}
			for _, c := range list {
				out.rows = append(out.rows, []string{c.ID, fullName(c.Server), words(bare(c.Scopes)), moment(c.CreatedAt), moment(c.ExpiresAt), strconv.Itoa(c.ExchangeCount)})
			}
			return out, err
		},
	})
}

func (a *app) sharesRevoke() *cobra.Command {
	var all bool
	cmd := a.command(verb{
		use: "revoke USER[/SERVER] ID...", short: "Revoke codes for a server by their ids, or with --all every one",
		long:    "Revoke codes for a server by their ids, or with --all every one. Who accepted one before keeps what they got. " + serverIs,
		example: "  jupyterhub shares revoke alice/gpu sc_3\n  jupyterhub shares revoke alice --all", args: cobra.MinimumNArgs(1), names: serverNames,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			switch {
			case all && len(args) == 1:
				return said(struct{}{}), h.DeleteShareCodes(ctx, serverOf(args[0]))
			case all || len(args) == 1:
				return answer{}, hinted(hub.Errorf(hub.Invalid, "name codes, or say --all"), "jupyterhub shares codes %s lists those that there are", tame(args[0]))
			}
			for _, id := range args[1:] {
				if err := h.DeleteShareCode(ctx, serverOf(args[0]), id); err != nil {
					return answer{}, err
				}
			}
			return said(args[1:]), nil
		},
	})
	cmd.Flags().BoolVar(&all, "all", false, "every code of the server")
	return cmd
}
