package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say everything that is amiss, in the configuration, on the machine and among the daemons",
		Long: `Say everything that is amiss: what check-config says of the configuration and of the machine, what the kernel and systemd
cannot do here and what is done instead, which of our daemons and doors do not run, and what the machine lacks for one more
server. Each line names the remedy. It changes nothing.

Exit status 0 means that all is well, 1 that something was printed.`,
		Example: `  jupyterhub doctor
  jupyterhub doctor --json`,
		Args: cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), asJSON) }),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	amiss := []string{}
	conf, err := config.Load(a.places.config)
	var mistakes config.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			amiss = append(amiss, m.String())
		}
	case err != nil:
		return err
	default:
		amiss = append(append(append(amiss, a.findings(ctx, conf)...), a.askSpawnd(ctx)...), a.room(ctx, conf)...)
		amiss = append(amiss, a.adrift(ctx, conf)...)
	}
	amiss = append(amiss, a.absent(ctx)...)
	if len(amiss) > 0 {
		a.status = exitFailed
	}
	if asJSON {
		return a.printJSON(map[string][]string{"amiss": amiss})
	}
	for _, line := range amiss {
		a.printf("%s\n", line)
	}
	if len(amiss) == 0 {
		a.printf("nothing is amiss\n")
	}
	return nil
}

// absent says which daemons and doors of ours do not run, and whether the hub answers.
func (a *app) absent(ctx context.Context) (list []string) {
	parts, err := a.daemons(ctx)
	if err != nil {
		return []string{fmt.Sprintf("systemd was not asked what runs: %v", err)}
	}
	for _, p := range parts {
		if p.always && p.State != "active" {
			list = append(list, fmt.Sprintf("%s is %s: systemctl start %s; journalctl -u %s says why it does not run", p.Unit, p.State, p.Unit, p.Unit))
		}
	}
	err = a.within(ctx, func(ctx context.Context) error {
		h, err := a.hub()
		if err == nil {
			_, err = h.Version(ctx)
		}
		return err
	})
	if err != nil {
		list = append(list, fmt.Sprintf("the hub does not answer: %v", err))
	}
	return list
}

// room says what keeps the next start waiting.
func (a *app) room(ctx context.Context, c *config.Config) []string {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	left, err := systemdspawner.New(a.places.spawnd).Headroom(ctx)
	if err != nil {
		return nil // askSpawnd has said that it does not answer
	}
	return lacking(left, c.Hub)
}

func lacking(left hub.Headroom, h config.Hub) (list []string) {
	if left.Memory >= 0 && left.Memory < int64(h.SpawnMemoryReserve) {
		list = append(list, fmt.Sprintf("starts wait: %s of memory are free, and spawn_memory_reserve is %s; stop servers, or add memory",
			memory(&left.Memory), h.SpawnMemoryReserve))
	}
	for _, p := range []struct {
		option          string
		pressure, limit float64
	}{
		{"spawn_memory_pressure", left.MemoryPressure, h.SpawnMemoryPressure},
		{"spawn_io_pressure", left.IOPressure, h.SpawnIOPressure},
		{"spawn_cpu_pressure", left.CPUPressure, h.SpawnCPUPressure},
	} {
		switch {
		case p.limit > 0 && p.pressure > p.limit:
			list = append(list, fmt.Sprintf("starts wait: the pressure is %g, and %s is %g", p.pressure, p.option, p.limit))
		case p.limit > 0 && p.pressure < 0:
			list = append(list, fmt.Sprintf("%s does nothing here: this kernel has no /proc/pressure; boot it with psi=1, or set the option to 0", p.option))
		}
	}
	return list
}
