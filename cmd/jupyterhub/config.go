package main

import (
	"github.com/spf13/cobra"

	"jupyterhubd/hub/config"
)

func (a *app) showConfigCommand() *cobra.Command {
	var asJSON, set bool
	cmd := &cobra.Command{
		Use:   "show-config",
		Short: "Print every option with the value that holds, and the file and line that says so",
		Long: `Print every option with the value that holds, and the file and line that says so.

What is printed is a configuration file itself. It is read from the files: a daemon that has not been reloaded since they
changed has the older values.`,
		Example: `  jupyterhub show-config
  jupyterhub show-config --set
  jupyterhub show-config --json | jq '.[] | select(.section == "spawner")'`,
		Args: cobra.NoArgs,
		RunE: did(func(*cobra.Command, []string) error {
			c, err := config.Load(a.places.config)
			if err != nil {
				return err
			}
			list := c.Settings()
			if set {
				list = inFiles(list)
			}
			if asJSON {
				return a.printJSON(list)
			}
			return config.WriteTOML(a.out, list)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&set, "set", false, "print only what a file sets")
	return cmd
}

func inFiles(list []config.Setting) []config.Setting {
	out := []config.Setting{}
	for _, s := range list {
		if s.File != "" {
			out = append(out, s)
		}
	}
	return out
}
