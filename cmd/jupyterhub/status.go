package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what runs, since when, and what it uses",
		Long: `Say what runs, since when, and what memory and CPU time it uses: our daemons as systemd sees them, users' servers as the
hub does. Where the hub does not answer, servers are told as systemd sees them. Exit status 3 means that a daemon or a door
of ours is not there.`,
		Example: `  jupyterhub status
  jupyterhub status --json | jq '.servers[] | select(.memory_bytes > 1e9)'`,
		Args: cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error { return a.showStatus(cmd.Context(), asJSON) }),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// daemons are the units of ours of which status tells, and whether each has to be active all the time.
var daemons = []struct {
	unit   string
	always bool
}{
	{"jupyterhub.service", true},
	{"jupyterhub-proxy.service", true},
	{"jupyterhub-spawnd.service", false}, // started by its socket
	{"jupyterhub-proxy.socket", true},
	{"jupyterhub-spawnd.socket", true},
	{"jupyterhub-pam.socket", true},
	{"jupyterhub-idle-culler.timer", true},
}

// part is a daemon as systemd sees it.
type part struct {
	Unit   string    `json:"unit"`
	State  string    `json:"state"` // ActiveState
	Since  time.Time `json:"since,omitzero"`
	Memory *int64    `json:"memory_bytes,omitempty"`
	CPU    *int64    `json:"cpu_nanoseconds,omitempty"`
	always bool
}

// running is a user's server that is not stopped.
type running struct {
	User   string    `json:"user"`
	Server string    `json:"server"`
	State  string    `json:"state"`
	Since  time.Time `json:"since,omitzero"`
	Active time.Time `json:"last_activity,omitzero"`
	Unit   string    `json:"unit,omitempty"`
	Memory *int64    `json:"memory_bytes,omitempty"`
	CPU    *int64    `json:"cpu_nanoseconds,omitempty"`
}

type overview struct {
	Daemons []part    `json:"daemons"`
	Servers []running `json:"servers"`
}

func (a *app) showStatus(ctx context.Context, asJSON bool) error {
	parts, err := a.daemons(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.always && p.State != "active" {
			a.status = exitNotRunning
		}
	}
	var servers []running
	hubErr := a.within(ctx, func(ctx context.Context) (err error) {
		servers, err = a.servers(ctx)
		return err
	})
	if hubErr != nil && ctx.Err() == nil {
		servers = a.units(ctx)
	}
	if asJSON {
		if err := a.printJSON(overview{parts, servers}); err != nil {
			return err
		}
		return hubErr
	}
	a.printDaemons(parts)
	if hubErr == nil || len(servers) > 0 {
		a.printServers(servers)
	}
	return hubErr
}

// units asks root's side for the servers that run. Who may not ask there, or finds nobody, is told of none.
func (a *app) units(ctx context.Context) []running {
	list := []running{}
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	units, _ := systemdspawner.New(a.places.spawnd).Usage(ctx) // the hub's error is told already, ignoring
	for _, u := range units {
		list = append(list, running{
			User: u.User, Server: u.Server, State: string(u.State), Since: u.Since, Unit: u.Name, Memory: known(u.Memory), CPU: known(u.CPU),
		})
	}
	sortServers(list)
	return list
}

// known is nil for what a unit does not tell.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// daemons asks systemd once for all of them.
func (a *app) daemons(ctx context.Context) ([]part, error) {
	args := []string{"show", "--timestamp=unix", "--property=Id,ActiveState,ActiveEnterTimestamp,MemoryCurrent,CPUUsageNSec"}
	for _, d := range daemons {
		args = append(args, d.unit)
	}
	out, err := a.systemctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	said := map[string]part{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
		p := parsePart(block)
		said[p.Unit] = p
	}
	parts := make([]part, len(daemons))
	for i, d := range daemons {
		parts[i] = said[d.unit]
		parts[i].Unit, parts[i].always = d.unit, d.always
		if parts[i].State == "" {
			parts[i].State = "unknown"
		}
	}
	return parts, nil
}

// parsePart reads one unit's block of what systemctl show prints.
func parsePart(block string) part {
	var p part
	for line := range strings.SplitSeq(block, "\n") {
		key, value, _ := strings.Cut(line, "=")
		n, err := strconv.ParseInt(strings.TrimPrefix(value, "@"), 10, 64) // systemd's "not known" is 2^64-1, and no int64
		switch {
		case key == "Id":
			p.Unit = value
		case key == "ActiveState":
			p.State = value
		case err != nil:
		case key == "ActiveEnterTimestamp":
			p.Since = time.Unix(n, 0).UTC()
		case key == "MemoryCurrent":
			p.Memory = &n
		case key == "CPUUsageNSec":
			p.CPU = &n
		}
	}
	if p.State != "active" {
		p.Since = time.Time{}
	}
	return p
}

// servers asks the hub for the servers that are active, and for what they use; without the latter it is still worth telling.
func (a *app) servers(ctx context.Context) ([]running, error) {
	list := []running{}
	h, err := a.hub()
	if err != nil {
		return list, err
	}
	defer h.Close()
	err = h.EachUser(ctx, client.UserQuery{State: "active"}, func(u client.User) error {
		for name, s := range u.Servers.Value {
			r := running{User: u.Name, Server: name, State: stateOf(s), Since: s.Started.Time, Active: s.LastActivity.Time}
			r.Unit = s.State.Value.Unit
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return list, err
	}
	usage, _ := h.Usage(ctx) // an error leaves the columns empty, ignoring
	for i, r := range list {
		list[i].Memory, list[i].CPU = usage[r.User+"/"+r.Server].Memory, usage[r.User+"/"+r.Server].CPU
	}
	sortServers(list)
	return list, nil
}

func sortServers(list []running) {
	sort.Slice(list, func(i, j int) bool {
		return list[i].User+"/"+list[i].Server < list[j].User+"/"+list[j].Server
	})
}

func stateOf(s client.Server) string {
	switch {
	case s.State.Value.State != "":
		return s.State.Value.State
	case s.Pending != "":
		return string(s.Pending)
	case s.Ready:
		return "ready"
	}
	return "stopped"
}

func (a *app) printDaemons(parts []part) {
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "UNIT\tSTATE\tSINCE\tMEMORY\tCPU")
	for _, p := range parts {
		state := p.State
		if p.always && state != "active" {
			state += " (!)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Unit, state, since(p.Since), memory(p.Memory), cpu(p.CPU))
	}
	t.Flush()
}

func (a *app) printServers(list []running) {
	if len(list) == 0 {
		a.printf("\nno server runs\n")
		return
	}
	a.printf("\n")
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "USER\tSERVER\tSTATE\tSINCE\tMEMORY\tCPU\tACTIVE\tUNIT")
	for _, r := range list {
		name := r.Server
		if name == "" {
			name = "(default)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.User, name, r.State, since(r.Since), memory(r.Memory), cpu(r.CPU), since(r.Active), orDash(r.Unit))
	}
	t.Flush()
}

func since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func memory(n *int64) string {
	if n == nil {
		return "-"
	}
	return config.Bytes(*n >> 20 << 20).String()
}

func cpu(n *int64) string {
	if n == nil {
		return "-"
	}
	return time.Duration(*n).Round(10 * time.Millisecond).String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
