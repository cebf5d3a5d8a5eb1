package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
)

func (a *app) limitCommand() *cobra.Command {
	var forGood, reset, asJSON bool
	cmd := &cobra.Command{
		Use:   "limit USER[/SERVER] [NAME=VALUE]...",
		Short: "Show or change the limits of a server that runs",
		Long: `Show or change the limits of a server that runs. What is given applies at once; without any the limits are shown.

NAME is memory, memory_high (sizes such as 4G), cpu (CPUs), tasks, cpu_weight or io_weight (1 to 10000). A limit can be lowered,
and raised up to what max in the configuration allows for its user.`,
		Example: `  jupyterhub limit alice
  jupyterhub limit alice memory=4G cpu=2
  jupyterhub limit alice/gpu tasks=512 --for-good
  jupyterhub limit alice --reset`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completes(serverNames, always(limitWords)),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			limits, err := parseLimits(args[1:])
			switch {
			case err != nil:
				return err
			case reset && !limits.IsZero():
				return fmt.Errorf("--reset goes back to the configuration, and takes no limits")
			}
			now, err := limit(cmd.Context(), systemdspawner.New(a.places.spawnd), serverOf(args[0]), limits, reset, forGood)
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.printJSON(now)
			}
			a.printLimits(now)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&forGood, "for-good", false, "at every later start as well")
	cmd.Flags().BoolVar(&reset, "reset", false, "back to what the configuration says; with --for-good for later starts too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with sizes in bytes")
	return cmd
}

// limitNames are the words for limits, with where each goes.
var limitNames = map[string]func(l *hub.Limits, value string) error{
	"memory":      func(l *hub.Limits, v string) error { return readSize(&l.MemoryMax, v) },
	"memory_high": func(l *hub.Limits, v string) error { return readSize(&l.MemoryHigh, v) },
	"tasks":       func(l *hub.Limits, v string) error { return readCount(&l.TasksMax, v) },
	"cpu_weight":  func(l *hub.Limits, v string) error { return readCount(&l.CPUWeight, v) },
	"io_weight":   func(l *hub.Limits, v string) error { return readCount(&l.IOWeight, v) },
	"cpu": func(l *hub.Limits, v string) (err error) {
		if l.CPUQuota, err = strconv.ParseFloat(v, 64); err != nil || !(l.CPUQuota > 0) {
			return fmt.Errorf("%q is no number of CPUs; write one such as 2 or 0.5", v)
		}
		return nil
	},
}

func readSize(to *int64, text string) error {
	n, err := config.ParseBytes(text)
	if err == nil && n == 0 {
		err = fmt.Errorf("0 is no limit that could be kept")
	}
	*to = int64(n)
	return err
}

func readCount(to *int64, text string) (err error) {
	if *to, err = strconv.ParseInt(text, 10, 64); err != nil || *to < 1 {
		return fmt.Errorf("%q is no number from 1 on", text)
	}
	return nil
}

func parseLimits(args []string) (l hub.Limits, err error) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		read, known := limitNames[name]
		if !known {
			return l, fmt.Errorf("%q is no limit; there are memory, memory_high, cpu, tasks, cpu_weight, io_weight, each with = and a value", arg)
		}
		if err := read(&l, value); err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
	}
	return l, nil
}

// limitWords lists what can be limited.
func limitWords(context.Context, *client.Client, string) (words []string, _ error) {
	for _, name := range slices.Sorted(maps.Keys(limitNames)) {
		words = append(words, name+"=")
	}
	return words, nil
}

// limit changes limits, if there is something to change, and returns those that hold.
func limit(ctx context.Context, spawnd *systemdspawner.Client, ref hub.ServerRef, limits hub.Limits, reset, forGood bool) (hub.Limits, error) {
	switch {
	case reset:
		return spawnd.Limit(ctx, ref, nil, forGood)
	case limits.IsZero():
		return limitsNow(ctx, spawnd, ref)
	}
	return spawnd.Limit(ctx, ref, &limits, forGood)
}

func limitsNow(ctx context.Context, spawnd *systemdspawner.Client, ref hub.ServerRef) (hub.Limits, error) {
	units, err := spawnd.Usage(ctx)
	if err != nil {
		return hub.Limits{}, err
	}
	for _, u := range units {
		if u.ServerRef == ref && u.Used != nil {
			return u.Used.Limits, nil
		}
	}
	return hub.Limits{}, hub.Errorf(hub.NotRunning, "the server %s does not run", strings.TrimSuffix(ref.String(), "/"))
}

func (a *app) printLimits(l hub.Limits) {
	size := func(n int64) string { return config.Bytes(n).String() }
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, row := range []struct {
		name string
		set  bool
		text string
	}{
		{"memory", l.MemoryMax > 0, size(l.MemoryMax)}, {"memory_high", l.MemoryHigh > 0, size(l.MemoryHigh)},
		{"cpu", l.CPUQuota > 0, strconv.FormatFloat(l.CPUQuota, 'g', -1, 64)}, {"tasks", l.TasksMax > 0, count(l.TasksMax)},
		{"cpu_weight", l.CPUWeight > 0, count(l.CPUWeight)}, {"io_weight", l.IOWeight > 0, count(l.IOWeight)},
	} {
		if row.set {
			a.printf("%s=%s\n", row.name, row.text)
		}
	}
}
