package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/config"
)

// target is the unit whose drop-in is edited.
type target struct {
	unit  string // jupyter-alice.service
	table string // Service or Slice
	whose string // for people
}

func (a *app) editCommand() *cobra.Command {
	var server string
	var named, slice bool
	cmd := &cobra.Command{
		Use:   "edit USER",
		Short: "Edit the systemd drop-in of a user's server",
		Long: `Edit the systemd drop-in of a user's server with $EDITOR. What it says wins over the configuration. systemctl edit does the
same for a server that runs; this works for one that does not. An empty file removes the drop-in.

Without a flag it is for the user's default server, with --server for one named server, with --named for all named ones, with
--slice for all that the user's servers use together. For every user there is jupyter-.service.d.`,
		Example: `  jupyterhub edit alice
  jupyterhub edit alice --server gpu
  jupyterhub edit alice --slice`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completes(userNames, nil),
		PreRunE: func(*cobra.Command, []string) error {
			if named && slice || server != "" && (named || slice) {
				return errors.New("--server, --named and --slice exclude each other")
			}
			return nil
		},
		RunE: did(func(cmd *cobra.Command, args []string) error {
			who, err := a.person(cmd.Context(), args[0])
			if err != nil {
				return hinted(err, "getent passwd %s says what the name service knows", args[0])
			}
			if slice {
				return a.edit(cmd.Context(), target{who.slice(), "Slice", "all servers of " + who.user})
			}
			t, err := who.target(server, named)
			if err != nil {
				return err
			}
			return a.edit(cmd.Context(), t)
		}),
	}
	cmd.Flags().StringVar(&server, "server", "", "`name` of a named server")
	cmd.Flags().BoolVar(&named, "named", false, "all of the user's named servers")
	cmd.Flags().BoolVar(&slice, "slice", false, "the user's slice")
	return cmd
}

// person is whose server it is.
type person struct {
	user   string         // the hub's name
	groups []string       // of the account that servers run as
	conf   *config.Config // nil: it has mistakes, and says nothing
}

// person finds out whom an admin means by a name. Where nothing else is written the name service says how the hub spells it.
func (a *app) person(ctx context.Context, name string) (person, error) {
	conf, err := config.Load(a.places.config)
	if err != nil {
		acc, err := a.account(ctx, name)
		return person{user: acc.Name, groups: acc.Groups}, err
	}
	p := conf.Spawner.PolicyFor(name, nil, nil)
	if p.DynamicUsers {
		return person{user: name, conf: conf}, nil
	}
	own, err := account.Aliases(conf.Authenticator.UsernameMap).Account(name)
	if p.UsernameTemplate != "" {
		own, err = strings.NewReplacer("{username}", name, "{USERNAME}", name).Replace(p.UsernameTemplate), nil
	}
	if err != nil {
		return person{}, err
	}
	acc, err := a.account(ctx, own)
	if guests := guestsOf(conf); hub.KindOf(err) == hub.NotFound && own == name && guests.Known(name) {
		return person{user: name, groups: guests.Groups, conf: conf}, nil
	}
	who := person{user: name, groups: acc.Groups, conf: conf}
	if own == name {
		who.user = acc.Name
	}
	return who, err
}

// slice returns the slice of somebody's servers: in the slice of a group, where one decides.
func (p person) slice() string {
	if p.conf == nil {
		return hub.UserSlice(p.user, "")
	}
	return hub.UserSlice(p.user, p.conf.Spawner.PolicyFor(p.user, p.groups, nil).SliceGroup)
}

// target returns the unit of a server of somebody's, as one is called that is started from now on, or what reaches all that have names.
func (p person) target(server string, named bool) (target, error) {
	var names hub.UnitNames
	if p.conf != nil {
		var err error
		if names, err = hub.ParseUnitTemplate(p.conf.Spawner.UnitNameTemplate); err != nil {
			return target{}, err
		}
	}
	whose := p.user + "'s server"
	if server != "" {
		whose += " " + server
	}
	if !named {
		return target{names.Of(hub.ServerRef{User: p.user, Server: server}), "Service", whose}, nil
	}
	unit, is := names.Named(p.user)
	if !is {
		return target{}, hinted(fmt.Errorf("no drop-in reaches all named servers of %s: unit_name_template is %q", p.user, names.Template()),
			"--server NAME is for one of them")
	}
	return target{unit, "Service", "the named servers of " + p.user}, nil
}

// dropIn is the file's name in the unit's directory, the one that systemctl edit writes too.
const dropIn = "override.conf"

func (a *app) edit(ctx context.Context, t target) error {
	dir := filepath.Join(a.places.units, t.unit+".d")
	file := filepath.Join(dir, dropIn)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := a.letEdit(ctx, t, before)
	switch {
	case err != nil:
		return err
	case bytes.Equal(before, after):
		a.printf("nothing was changed\n")
		return nil
	case len(after) == 0:
		if err := os.Remove(file); err != nil {
			return err
		}
		_ = os.Remove(dir) // other drop-ins may be there, ignoring
		a.printf("removed %s\n", file)
	default:
		if err := put(dir, file, after); err != nil {
			return err
		}
		a.printf("wrote %s\n", file)
	}
	if _, err := a.systemctl(ctx, "daemon-reload"); err != nil {
		return hinted(err, "the file is in its place, but systemd has not read it; systemctl daemon-reload")
	}
	a.printf("Limits (MemoryMax=, CPUQuota=, TasksMax=, …) hold from now on, also for a server that runs.\n")
	if t.table == "Service" {
		a.printf("Everything else holds from the next start of %s.\n", t.whose)
	}
	return nil
}

// template is what a drop-in that is not there yet begins with. Lines with "#" go away when it is written.
const template = `# Drop-in of %s, which is the systemd unit of %s. What stands here wins over jupyterhub.toml.
# Lines that begin with "#" are left out; if nothing else is there, there will be no drop-in. See systemd.%s(5).

[%s]
#MemoryMax=4G
#CPUQuota=200%%
`

// letEdit lets a person change the text, and returns what is left of it: nothing if there are only comments and headings.
func (a *app) letEdit(ctx context.Context, t target, text []byte) ([]byte, error) {
	if len(text) == 0 {
		kind := map[string]string{"Service": "exec", "Slice": "resource-control"}[t.table]
		text = fmt.Appendf(nil, template, t.unit, t.whose, kind, t.table)
	}
	tmp, err := os.CreateTemp("", "jupyterhub-edit-*.conf")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		return nil, err
	}
	if err := tmp.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", editor()+` "$1"`, "sh", tmp.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	if err := cmd.Run(); err != nil {
		return nil, hinted(fmt.Errorf("the editor ended badly, and nothing was changed: %w", err), "EDITOR names the editor, as in EDITOR=nano jupyterhub edit …")
	}
	edited, err := os.ReadFile(tmp.Name())
	return meaning(edited), err
}

// meaning leaves comments out. Without a setting nothing is left.
func meaning(text []byte) []byte {
	var lines []string
	settings := false
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") || trimmed == "" {
			continue
		}
		settings = settings || strings.Contains(trimmed, "=")
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	if !settings {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// editor is a person's choice, or what the distribution offers.
func editor() string {
	for _, name := range []string{"SYSTEMD_EDITOR", "VISUAL", "EDITOR"} {
		if e := os.Getenv(name); e != "" {
			return e
		}
	}
	for _, e := range []string{"editor", "nano", "vi"} {
		if _, err := exec.LookPath(e); err == nil {
			return e
		}
	}
	return "vi"
}

func put(dir, file string, text []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := file + ".new"
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}
