package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
)

func (a *app) backupCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the hub's database while it runs",
		Long: `Write a consistent copy of the hub's database, taken while it runs. FILE is there whole or not at all, with mode 0600.

To restore it: systemctl stop jupyterhub.target, put it in the place of /var/lib/jupyterhub/jupyterhub.db with the same owner and
mode, systemctl start jupyterhub. Servers that run go on.`,
		Example: `  jupyterhub backup /var/backups/jupyterhub-$(date +%F).db`,
		Args:    cobra.ExactArgs(1),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			return a.backup(cmd.Context(), args[0], force)
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return cmd
}

func (a *app) backup(ctx context.Context, file string, force bool) (err error) {
	if _, err := os.Lstat(file); err == nil && !force {
		return exists(file)
	}
	h, err := a.hub()
	if err != nil {
		return err
	}
	defer h.Close()
	// The copy itself may take its time; whether anybody answers is known soon.
	err = a.within(ctx, func(ctx context.Context) error { _, err := h.Version(ctx); return err })
	if err != nil {
		return err
	}
	// CreateTemp makes it 0600, beside FILE so that it can be moved there at a stroke.
	tmp, err := os.CreateTemp(filepath.Dir(file), ".jupyterhub-backup-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	n, err := h.Backup(ctx, tmp)
	if err == nil {
		err = errors.Join(tmp.Sync(), tmp.Close())
	}
	if err != nil {
		return err
	}
	if err := settle(tmp.Name(), file, force); err != nil {
		return err
	}
	a.printf("%s: %d bytes\n", file, n)
	return nil
}

// settle puts the finished file into its place. A link, unlike a rename, never replaces what came there meanwhile.
func settle(tmp, file string, force bool) error {
	if force {
		if err := os.Rename(tmp, file); err != nil {
			return err
		}
	} else if err := os.Link(tmp, file); errors.Is(err, fs.ErrExist) {
		return exists(file)
	} else if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("settle %s: %w", file, err)
	}
	return nil
}

func exists(file string) error {
	return hinted(hub.Errorf(hub.Conflict, "%s is there already", file), "name another file, or say --force to replace it")
}
