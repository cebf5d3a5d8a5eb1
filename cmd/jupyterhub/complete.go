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

// completes lets the shell complete the first argument. A hub that is away completes nothing.
func (a *app) completes(names lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			names = nil
		}
		return a.listed(cmd.Context(), names, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// completesFlag lets the shell complete the value of a flag that the command has.
func (a *app) completesFlag(cmd *cobra.Command, flag string, names lister) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.listed(cmd.Context(), names, typed), cobra.ShellCompDirectiveNoFileComp
	})
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
