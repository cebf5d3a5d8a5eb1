package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
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

func (a *app) checkConfigCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Say everything that is wrong with the configuration and missing on the machine",
		Long: `Say everything that is wrong with the configuration, with file and line, and everything that is missing on the machine:
jupyterhub-singleuser, the PAM service, resource controllers, certificates.

Exit status 0 means that all is well, 1 that something was printed.`,
		Example: `  jupyterhub check-config
  jupyterhub check-config --config ./etc/jupyterhub`,
		Args: cobra.NoArgs,
		RunE: did(func(cmd *cobra.Command, _ []string) error { return a.checkConfig(cmd.Context(), asJSON) }),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// diagnosis is what check-config prints.
type diagnosis struct {
	Mistakes config.Mistakes `json:"mistakes"`
	Findings []string        `json:"findings"`
}

func (a *app) checkConfig(ctx context.Context, asJSON bool) error {
	d := diagnosis{Mistakes: config.Mistakes{}, Findings: []string{}}
	conf, err := config.Load(a.places.config)
	if err != nil && !errors.As(err, &d.Mistakes) {
		return err
	}
	if err == nil {
		d.Findings = append(append(d.Findings, a.findings(conf)...), a.askSpawnd(ctx)...)
	}
	if len(d.Mistakes)+len(d.Findings) > 0 {
		a.status = exitFailed
	}
	if asJSON {
		return a.printJSON(d)
	}
	for _, m := range d.Mistakes {
		a.printf("%s\n", m)
	}
	for _, f := range d.Findings {
		a.printf("%s\n", f)
	}
	if a.status == exitDone {
		a.printf("%s and the machine are in order\n", filepath.Join(a.places.config, config.MainFile))
	}
	return nil
}

// findings is what is missing on the machine as far as this program can see.
func (a *app) findings(c *config.Config) []string {
	var list []string
	if finding := a.missingPAM(c.Authenticator.Service); finding != "" {
		list = append(list, finding)
	}
	if auth := c.Authenticator; !auth.AllowAll && len(auth.AllowedUsers)+len(auth.AllowedGroups) == 0 {
		list = append(list, "nobody may log in: set allow_all, allowed_users or allowed_groups in [authenticator]")
	}
	if c.Proxy.TLSCertificate != "" {
		if _, err := tls.LoadX509KeyPair(c.Proxy.TLSCertificate, c.Proxy.TLSKey); err != nil {
			list = append(list, fmt.Sprintf("the certificate cannot be used: %v", err))
		}
	}
	return list
}

func (a *app) missingPAM(service string) string {
	for _, dir := range a.places.pamFiles {
		if _, err := os.Stat(filepath.Join(dir, service)); err == nil {
			return ""
		}
	}
	return fmt.Sprintf("there is no PAM service %q: put a file of that name into %s; the package ships one as pam.d/jupyterhub", service, a.places.pamFiles[0])
}

// askSpawnd asks root's helper, which knows best what users' servers need.
func (a *app) askSpawnd(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	spawnd := systemdspawner.New(a.places.spawnd)
	findings, err := spawnd.Check(ctx)
	if err == nil {
		err = spawnd.CheckConfiguration(ctx)
	}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrPermission):
		findings = append(findings, "jupyterhub-spawnd was not asked what is missing: run this as root")
	case hub.KindOf(err) == hub.Unavailable:
		findings = append(findings, fmt.Sprintf("jupyterhub-spawnd was not asked what is missing: systemctl start jupyterhub-spawnd.socket (%v)", err))
	default:
		findings = append(findings, err.Error())
	}
	return findings
}
