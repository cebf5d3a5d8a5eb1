package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
)

var usageHead = []string{"SERVER", "MEMORY", "PEAK", "SWAP", "TASKS", "PEAK", "CPU", "CPUS NOW", "READ", "PER S", "WRITTEN", "PER S"}

// longestLook is how long a look at what servers use may last.
const longestLook = time.Hour

func (a *app) serversUsage() *cobra.Command {
	var over time.Duration
	cmd := a.command(verb{
		use: "usage", short: "Say what servers use at this moment, and the most that they have used", args: cobra.NoArgs, slow: true,
		long: `Say what servers use at this moment, and the most that they have used: memory, tasks, processor time, and what they read from
disks and wrote to them since they were started. What is there now of processors and disks is seen by two looks; the kernel keeps no
most of these two. Nothing is looked at while nobody asks.`,
		example: "  jupyterhub servers usage\n  watch jupyterhub servers usage --over 5s\n  jupyterhub servers usage --over 0 --json",
		ask: func(ctx context.Context, h *client.Client, _ []string) (answer, error) {
			if over < 0 || over > longestLook {
				return answer{}, hub.Errorf(hub.Invalid, "--over is a span from 0 to %s", longestLook)
			}
			return lookTwice(ctx, h, over)
		},
	})
	cmd.Flags().DurationVar(&over, "over", time.Second, "`span` between the two looks; 0 looks once")
	return cmd
}

// lookTwice asks what servers use, and asks again after a while.
func lookTwice(ctx context.Context, h *client.Client, over time.Duration) (answer, error) {
	before, err := h.Usage(ctx)
	if err != nil || over == 0 {
		return usageAnswer(nil, before, 0), err
	}
	began := time.Now()
	select {
	case <-time.After(over):
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	after, err := h.Usage(ctx)
	return usageAnswer(before, after, time.Since(began)), err
}

func usageAnswer(before, now map[string]client.ServerState, span time.Duration) answer {
	out := answer{value: now, head: usageHead}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, s := before[name], now[name]
		out.rows = append(out.rows, []string{
			name, memory(s.Memory), memory(s.MemoryPeak), memory(s.Swap), number(s.Tasks), number(s.TasksPeak),
			cpu(s.CPU), processors(was.CPU, s.CPU, span),
			memory(s.IORead), pace(was.IORead, s.IORead, span), memory(s.IOWritten), pace(was.IOWritten, s.IOWritten, span),
		})
	}
	return out
}

func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// perSecond returns how fast a counter moves; a run that began in between has none yet.
func perSecond(was, now *int64, span time.Duration) (float64, bool) {
	if was == nil || now == nil || *now < *was || span <= 0 {
		return 0, false
	}
	return float64(*now-*was) / span.Seconds(), true
}

// processors is how many processors are at work.
func processors(was, now *int64, span time.Duration) string {
	v, known := perSecond(was, now, span)
	if !known {
		return "-"
	}
	return fmt.Sprintf("%.2f", v/1e9)
}

// pace is how many bytes come a second.
func pace(was, now *int64, span time.Duration) string {
	v, known := perSecond(was, now, span)
	if !known {
		return "-"
	}
	return config.Bytes(int64(v) >> 10 << 10).String()
}
