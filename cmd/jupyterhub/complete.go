package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
)

// lister lists what can stand in an argument's place, of which some may be typed already.
type lister func(ctx context.Context, h *client.Client, typed string) ([]string, error)

// later says what completes the arguments behind the first, of which some are there.
type later func(args []string) lister

// always is for arguments that do not depend on others.
func always(names lister) later { return func([]string) lister { return names } }

// firstOnly is for a command that takes one argument behind the first.
func firstOnly(more later) later {
	return func(args []string) lister {
		if len(args) > 1 {
			return nil
		}
		return more(args)
	}
}

// completes lets the shell complete the first argument, and those behind it if there is something for these. A hub that is away
// completes nothing.
func (a *app) completes(first lister, more later) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		names := first
		if len(args) > 0 {
			if names = nil; more != nil {
				names = more(args)
			}
		}
		list := slices.DeleteFunc(a.listed(cmd.Context(), names, typed), func(name string) bool { return slices.Contains(args, name) })
		how := cobra.ShellCompDirectiveNoFileComp
		if len(list) > 0 && strings.HasSuffix(list[0], "=") {
			how |= cobra.ShellCompDirectiveNoSpace // a value follows
		}
		return list, how
	}
}

// completesFlag lets the shell complete the value of a flag that the command has.
func (a *app) completesFlag(cmd *cobra.Command, flag string, names lister) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.listed(cmd.Context(), names, typed), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the command has no such flag, which any use of the program would find
	}
}

func (a *app) listed(ctx context.Context, names lister, typed string) (list []string) {
	h, err := a.hub()
	if err != nil || names == nil {
		return nil
	}
	defer h.Close()
	err = a.within(ctx, func(ctx context.Context) (err error) {
		list, err = names(ctx, h, typed)
		return err
	})
	if err != nil {
		return nil
	}
	return list
}

// maxListed is how many names a shell is given: more nobody reads.
const maxListed = 1000

var errEnough = errors.New("enough is listed")

func userNames(ctx context.Context, h *client.Client, typed string) (names []string, err error) {
	return namesOf(ctx, h, client.UserQuery{Sort: "name", NameFilter: typed}, func(u client.User) []string { return []string{u.Name} })
}

// serverNames lists servers, running or not, as arguments have them: USER for a default server, USER/SERVER for a named one.
func serverNames(ctx context.Context, h *client.Client, typed string) ([]string, error) {
	user, _, _ := strings.Cut(typed, "/")
	return namesOf(ctx, h, client.UserQuery{Sort: "name", NameFilter: user, IncludeStopped: true}, func(u client.User) (names []string) {
		for _, server := range slices.Sorted(maps.Keys(u.Servers.Value)) {
			names = append(names, strings.TrimSuffix(u.Name+"/"+server, "/"))
		}
		return names
	})
}

func namesOf(ctx context.Context, h *client.Client, q client.UserQuery, of func(client.User) []string) (names []string, err error) {
	err = h.EachUser(ctx, q, func(u client.User) error {
		if names = append(names, of(u)...); len(names) >= maxListed {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return names, err
}

func groupNames(ctx context.Context, h *client.Client, _ string) (names []string, err error) {
	err = h.EachGroup(ctx, func(g client.Group) error {
		names = append(names, g.Name)
		return nil
	})
	return names, err
}

// membersOf lists who is in the group that the first argument names.
func membersOf(args []string) lister {
	return func(ctx context.Context, h *client.Client, _ string) ([]string, error) {
		g, err := h.Group(ctx, args[0])
		return g.Users.Value, err
	}
}

// tokensOf lists the tokens of the user whom the first argument names, each with its note.
func tokensOf(args []string) lister {
	return func(ctx context.Context, h *client.Client, _ string) (ids []string, err error) {
		list, err := h.Tokens(ctx, args[0])
		for _, t := range list {
			ids = append(ids, cobra.CompletionWithDesc(t.ID, tame(t.Note)))
		}
		return ids, err
	}
}
