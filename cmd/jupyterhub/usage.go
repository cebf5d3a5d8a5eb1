package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
)

func (a *app) usageCommand() *cobra.Command {
	var first, last string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "usage [USER]",
		Short: "Say what servers have used of the machine, by user and day",
		Long: `Say what servers have used of the machine, by user and day: hours of processor time, GiB of memory times hours, and hours
for which servers ran. What runs now is looked at every five minutes. It is kept for 400 days. What servers use at this moment
says jupyterhub status.`,
		Example: `  jupyterhub usage --first 2026-11-01
  jupyterhub usage alice --json`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completes(userNames, nil),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			user := ""
			if len(args) > 0 {
				user = args[0]
			}
			return a.usage(cmd.Context(), user, first, last, asJSON)
		}),
	}
	cmd.Flags().StringVar(&first, "first", "", "first `day`, such as 2026-11-01")
	cmd.Flags().StringVar(&last, "last", "", "last `day`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) usage(ctx context.Context, user, first, last string, asJSON bool) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	days := []hub.Consumption{}
	err = a.within(ctx, func(ctx context.Context) error {
		found, err := h.UsageDays(ctx, user, first, last)
		days = append(days, found...)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(days)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tDAY\tCPU HOURS\tGIB HOURS\tSERVER HOURS")
	for _, d := range days {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%.2f\t%.2f\n", d.User, d.Day, d.CPUSeconds/3600, d.MemoryHours, d.ServerHours)
	}
	return w.Flush()
}
