package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/systemdspawner"
)

func (a *app) explainCommand() *cobra.Command {
	var profile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain USER[/SERVER]",
		Short: "Say how a user's server would start now, and which file and line says so",
		Long: `Say how a user's server would start now: the unit, its slice, its command, every option that holds for it, and every
property of the unit, each with the file and line, or the drop-in, that it comes from.`,
		Example: `  jupyterhub explain alice
  jupyterhub explain alice/gpu --profile gpu
  jupyterhub explain alice --json | jq '.properties[] | select(.name == "MemoryMax")'`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completes(serverNames, nil),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), serverOf(args[0]), profile, asJSON)
		}),
	}
	cmd.Flags().StringVar(&profile, "profile", "", "`name` of the profile that would be chosen")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) explain(ctx context.Context, ref hub.ServerRef, profile string, asJSON bool) error {
	e, err := systemdspawner.New(a.places.spawnd).Explain(ctx, ref, profile, nil)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(e)
	}
	a.printf("%s in %s\n%s\n", e.Unit, e.Slice, strings.Join(e.Command, " "))
	for _, part := range []struct {
		title string
		list  []hub.Provided
	}{{"OPTION", e.Settings}, {"PROPERTY", e.Properties}} {
		if len(part.list) == 0 {
			continue
		}
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "\n%s\tVALUE\tFROM\n", part.title)
		for _, p := range part.list {
			fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Value, p.Origin)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
