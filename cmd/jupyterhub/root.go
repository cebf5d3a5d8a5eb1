package main

import (
	"github.com/spf13/cobra"

	"jupyterhubd/hub"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "jupyterhub",
		Short: "Look after the JupyterHub of this machine",
		Long: `Look after the JupyterHub of this machine.

Users' servers are systemd units: systemctl status 'jupyter-*', journalctl -u jupyter-alice, systemctl stop jupyter-alice.
The daemons are jupyterhub, jupyterhub-proxy and jupyterhub-spawnd: systemctl restart jupyterhub.

Exit status: 0 done, 1 it went wrong or the configuration has mistakes, 2 wrong command line, 3 not everything runs (status).`,
		Example: `  jupyterhub status
  jupyterhub check-config && systemctl reload jupyterhub
  jupyterhub token alice --expires-in 30d
  jupyterhub backup /var/backups/jupyterhub.db`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		DisableSuggestions:         true, // they are hints, see usageHint
		SuggestionsMinimumDistance: nearEnough,
	}
	root.PersistentFlags().StringVar(&a.places.config, "config", a.places.config, "`directory` of jupyterhub.toml and jupyterhub.toml.d")
	section(root, "hub", "What the hub knows:", a.usersCommand(), a.groupsCommand(), a.serversCommand(), a.sharesCommand(), a.tokensCommand(),
		a.rolesCommand(), a.servicesCommand(), a.tokenCommand())
	section(root, "machine", "What runs on the machine:", a.statusCommand(), a.doctorCommand(), a.usageCommand(), a.limitCommand(), a.explainCommand(),
		a.editCommand(), a.backupCommand())
	section(root, "configuration", "The configuration:", a.checkConfigCommand(), a.showConfigCommand(), a.checkLoginCommand(), a.reloadCommand())
	root.AddCommand(a.versionCommand())
	return root
}

// nearEnough is how many letters may be wrong in a command for it to be suggested.
const nearEnough = 2

// section adds commands that stand together in the help.
func section(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = id
	}
	root.AddCommand(commands...)
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the JupyterHub release whose API the hub speaks",
		Args:  cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return a.printJSON(map[string]string{"version": hub.Version, "api": hub.APIVersion})
			}
			a.printf("jupyterhub %s (API of JupyterHub %s)\n", hub.Version, hub.APIVersion)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
