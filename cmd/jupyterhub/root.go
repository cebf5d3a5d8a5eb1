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
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // they are hints, see usageHint
		// Two letters are enough for a suggestion.
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().StringVar(&a.places.config, "config", a.places.config, "`directory` of jupyterhub.toml and jupyterhub.toml.d")
	root.AddCommand(a.usersCommand(), a.groupsCommand(), a.serversCommand(), a.sharesCommand(), a.tokensCommand(), a.rolesCommand(), a.servicesCommand())
	root.AddCommand(a.statusCommand(), a.tokenCommand(), a.checkConfigCommand(), a.showConfigCommand(), a.checkLoginCommand(),
		a.editCommand(), a.explainCommand(), a.limitCommand(), a.usageCommand(), a.doctorCommand(), a.reloadCommand(), a.backupCommand(),
		a.versionCommand())
	return root
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the JupyterHub release whose API the hub speaks",
		Args:  cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error {
			cmd.Printf("jupyterhub %s (API of JupyterHub %s)\n", hub.Version, hub.APIVersion)
			return nil
		}),
	}
}
