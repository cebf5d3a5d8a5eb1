package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

func (a *app) serversCommand() *cobra.Command {
	return noun("servers", "List, show, start, stop, restart, add and remove servers of users", "  jupyterhub servers start alice",
		a.serversList(), a.serversShow(), a.serversUsage(), a.serversStart(), a.serversStop(), a.serversRestart(), a.serversAdd(), a.serversRemove())
}

const serverIs = "USER is the default server of a user, USER/SERVER a named one."

var serverHead = []string{"SERVER", "STATE", "SINCE", "ACTIVE", "UNIT"}

func serverLine(s client.Server) []string {
	return []string{s.FullName, stateOf(s), moment(s.Started), moment(s.LastActivity), s.State.Value.Unit}
}

func oneServer(s client.Server, err error) (answer, error) {
	out := answer{value: s, head: serverHead, rows: [][]string{serverLine(s)}}
	if s.Failure != nil {
		out.text = tame(s.Failure.Message) + "\n"
	}
	return out, err
}

func (a *app) serversList() *cobra.Command {
	var all bool
	cmd := a.command(verb{
		use: "list [USER]", short: "List servers, of one user or of all", args: cobra.MaximumNArgs(1), names: userNames,
		example: "  jupyterhub servers list\n  jupyterhub servers list alice --all",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			list, out := []client.Server{}, answer{head: serverHead}
			q := client.UserQuery{Sort: "name", IncludeStopped: all}
			if !all {
				q.State = "active"
			}
			if len(args) > 0 {
				q.NameFilter = args[0]
			}
			err := h.EachUser(ctx, q, func(u client.User) error {
				for _, name := range slices.Sorted(maps.Keys(u.Servers.Value)) {
					if len(args) == 0 || args[0] == u.Name {
						s := u.Servers.Value[name]
						list, out.rows = append(list, s), append(out.rows, serverLine(s))
					}
				}
				return nil
			})
			out.value = list
			return out, err
		},
	})
	cmd.Flags().BoolVar(&all, "all", false, "stopped ones as well")
	return cmd
}

func (a *app) serversShow() *cobra.Command {
	return a.command(verb{
		use: "show USER[/SERVER]", short: "Show a server, and why it failed if it did", long: "Show a server, and why it failed if it did. " + serverIs,
		args: cobra.ExactArgs(1), names: serverNames,
		example: "  jupyterhub servers show alice/gpu",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			return oneServer(h.Server(ctx, serverOf(args[0])))
		},
	})
}

func (a *app) serversStart() *cobra.Command {
	var options string
	cmd := a.command(verb{
		use: "start USER[/SERVER]", short: "Start a server and wait until it is ready",
		long: "Start a server and wait until it is ready, telling on standard error what happens. " + serverIs, args: cobra.ExactArgs(1), names: serverNames, slow: true,
		example: `  jupyterhub servers start alice/gpu --options '{"profile": "gpu"}'`,
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			r := client.StartRequest{UserOptions: json.RawMessage(options)}
			if options != "" && !json.Valid(r.UserOptions) {
				return answer{}, hub.Errorf(hub.Invalid, "--options is no JSON")
			}
			return a.start(ctx, h, serverOf(args[0]), r)
		},
	})
	cmd.Flags().StringVar(&options, "options", "", "options of the start, a `JSON` object; default those of the last start")
	return cmd
}

func (a *app) start(ctx context.Context, h *client.Client, ref hub.ServerRef, r client.StartRequest) (answer, error) {
	ready, err := h.StartServer(ctx, ref, r)
	return a.follow(ctx, h, ref, ready, err)
}

// follow tells how the start of a server goes on that is not ready yet.
func (a *app) follow(ctx context.Context, h *client.Client, ref hub.ServerRef, ready bool, err error) (answer, error) {
	if err == nil && !ready {
		err = h.Progress(ctx, ref, func(e hub.Event) error {
			if e.Failed && e.Last() {
				return &hub.Error{Kind: hub.Unavailable, Text: e.Message, Cause: e.Cause}
			}
			fmt.Fprintf(a.err, "%3d %% %s\n", e.Progress, tame(e.Message))
			return nil
		})
	}
	if err != nil {
		return answer{}, err
	}
	s, err := h.Server(ctx, ref)
	return said(s), err
}

func (a *app) serversStop() *cobra.Command {
	return a.command(verb{
		use: "stop USER[/SERVER]...", short: "Stop servers", long: "Stop servers. One that takes long to stop goes on doing so. " + serverIs,
		args: cobra.MinimumNArgs(1), names: serverNames, more: always(serverNames), slow: true,
		example: "  jupyterhub servers stop alice alice/gpu",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			return stopAll(ctx, h, args, false)
		},
	})
}

func stopAll(ctx context.Context, h *client.Client, args []string, remove bool) (answer, error) {
	for _, name := range args {
		if _, err := h.StopServer(ctx, serverOf(name), remove); err != nil {
			return answer{}, err
		}
	}
	return said(args), nil
}

func (a *app) serversRestart() *cobra.Command {
	return a.command(verb{
		use: "restart USER[/SERVER]", short: "Stop a server that runs, start it again with the same options, and wait until it is ready",
		long: "Stop a server that runs, start it again with the same options, and wait until it is ready. Kernels that run in it are lost. " + serverIs,
		args: cobra.ExactArgs(1), names: serverNames, slow: true, example: "  jupyterhub servers restart alice",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			ready, err := h.RestartServer(ctx, serverOf(args[0]))
			return a.follow(ctx, h, serverOf(args[0]), ready, err)
		},
	})
}

func (a *app) serversAdd() *cobra.Command {
	var r client.StartRequest
	var display string
	cmd := a.command(verb{
		use: "add USER/SERVER", short: "Add a named server without starting it", args: cobra.ExactArgs(1),
		example: "  jupyterhub servers add alice/gpu --display-name \"With a GPU\"",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			if display != "" {
				r.DisplayName = &display
			}
			s, err := h.CreateServer(ctx, serverOf(args[0]), r)
			return said(s), err
		},
	})
	cmd.Flags().StringVar(&display, "display-name", "", "`name` that people see")
	return cmd
}

func (a *app) serversRemove() *cobra.Command {
	return a.command(verb{
		use: "remove USER/SERVER...", short: "Stop named servers and forget them", args: cobra.MinimumNArgs(1), names: serverNames, more: always(serverNames), slow: true,
		example: "  jupyterhub servers remove alice/gpu",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			return stopAll(ctx, h, args, true)
		},
	})
}
