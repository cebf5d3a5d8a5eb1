package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner"
)

func (a *app) checkConfigCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Say everything that is wrong with the configuration and missing on the machine",
		Long: `Say everything that is wrong with the configuration, with file and line, and everything that is missing on the machine:
jupyterhub-singleuser, the PAM service, the accounts that the file names, resource controllers, certificates.

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
		d.Findings = append(append(d.Findings, a.findings(ctx, conf)...), a.askSpawnd(ctx)...)
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
func (a *app) findings(ctx context.Context, c *config.Config) []string {
	var list []string
	auth := c.Authenticator
	if err := a.service(auth.Service); err != nil {
		list = append(list, err.Error())
	}
	if len(auth.GuestUsers) > 0 {
		if err := a.guestService(auth.GuestService); err != nil {
			list = append(list, err.Error())
		}
	}
	if !auth.AllowAll && len(auth.AllowedUsers)+len(auth.AllowedGroups)+len(auth.GuestUsers) == 0 {
		list = append(list, "nobody may log in: set allow_all, allowed_users, allowed_groups or guest_users in [authenticator]")
	}
	list = append(list, a.strangers(ctx, c)...)
	return append(append(list, certificates(c.Proxy)...), uncovered(c)...)
}

// guestsOf are the people who need no account.
func guestsOf(conf *config.Config) account.Guests {
	return account.Guests{Names: conf.Authenticator.GuestUsers, Groups: conf.Authenticator.GuestGroups}
}

// certificates says which of the certificates cannot be used.
func certificates(p config.Proxy) (list []string) {
	pairs := map[string]string{}
	maps.Copy(pairs, p.TLSCertificates)
	if p.TLSCertificate != "" {
		pairs[p.TLSCertificate] = p.TLSKey
	}
	for _, chain := range slices.Sorted(maps.Keys(pairs)) {
		if _, err := tls.LoadX509KeyPair(chain, pairs[chain]); err != nil {
			list = append(list, fmt.Sprintf("the certificate cannot be used: %v", err))
		}
	}
	return list
}

// strangers says of every name that is compared with accounts' own names whether an account has it. One that has not is
// never met: somebody would be shut out, or let in, against what the file seems to say. Admins are known by the hub's names, and a
// guest needs no account.
func (a *app) strangers(ctx context.Context, conf *config.Config) (list []string) {
	auth := conf.Authenticator
	known := func(name string) string { return name }
	users := func(name string) string {
		own, err := account.Aliases(auth.UsernameMap).Account(name)
		if err != nil {
			return name
		}
		return own
	}
	for _, option := range []struct {
		key   string
		names []string
		own   func(string) string
	}{{"allowed_users", auth.AllowedUsers, known}, {"blocked_users", auth.BlockedUsers, known}, {"admin_users", auth.AdminUsers, users}} {
		for _, name := range option.names {
			acc, err := a.account(ctx, option.own(name))
			switch {
			case err == nil && acc.Name == option.own(name):
			case hub.KindOf(err) == hub.NotFound && (conf.Spawner.PolicyFor(name, nil, nil).DynamicUsers || guestsOf(conf).Known(name)):
			case err == nil:
				list = append(list, fmt.Sprintf("%s in [authenticator] names %q, a second name of the account %q: write %q, the name that is compared",
					option.key, name, acc.Name, acc.Name))
			case hub.KindOf(err) == hub.NotFound:
				list = append(list, fmt.Sprintf("%s in [authenticator] names %q, and getent passwd knows no such account: mend the name, or take it out",
					option.key, name))
			default:
				list = append(list, fmt.Sprintf("%s in [authenticator] names %q, which was not looked up: %v", option.key, name, err))
			}
		}
	}
	return list
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
