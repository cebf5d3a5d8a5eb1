package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

// homeHelper is what pam_mkhomedir itself runs: it asks the name service whose home is where, copies /etc/skel, and gives it away. It
// does nothing where a home is.
const homeHelper = "/usr/sbin/mkhomedir_helper"

// homeTime bounds the making of one home, the mounting of where it lies included.
const homeTime = 60 * time.Second

// openTo returns what of the path of a home can be looked at as root, which a file system may forbid even to root (NFS with root_squash,
// FUSE): the home, or what is above it. Systemd would refuse to give back to a server what it cannot look at.
func openTo(home string) string {
	for home != "/" {
		if _, err := os.Stat(home); !errors.Is(err, fs.ErrPermission) {
			return home
		}
		home = filepath.Dir(home)
	}
	return home
}

// makeHome makes a home directory that is missing, where root's file says so. Somebody's second server waits for the first one's home,
// and nobody for another's. Whoever does not want to wait any more leaves; the home is made all the same.
func (l *Launcher) makeHome(ctx context.Context, b *bus, o Order) error {
	if !o.Settings.CreateHome || o.Person.Guest {
		return nil
	}
	account := o.Person.Account
	made := l.homes.DoChan(account.Name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), homeTime+grace)
		defer cancel()
		return nil, homeOf(ctx, b, account)
	})
	select {
	case m := <-made:
		return m.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// homeOf makes an account's home where there is none: by a unit of its own, since nothing that runs with our rights may write there.
// Whatever else is amiss with a home is told by the start.
func homeOf(ctx context.Context, b *bus, account hub.Account) error {
	if _, err := os.Stat(account.Home); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	name, done := fmt.Sprintf("jupyterhub-home-%d.service", account.UID), make(chan string, 1)
	if _, err := b.StartTransientUnitContext(ctx, name, "fail", homeUnit(account), done); err != nil {
		return busError(err, "start "+name)
	}
	job, err := b.await(ctx, done)
	if err != nil || job == "done" {
		return err
	}
	return refused(hub.Unknown, hub.CauseMissingHome, "Your home directory is missing and could not be made. Please tell the administrator of this machine.",
		fmt.Errorf("%s did not make %s (%s): journalctl -u %s", homeHelper, account.Home, job, name))
}

// homeUnit makes the home of an account. What has to be mounted there is mounted first: a home must not be made below it.
func homeUnit(a hub.Account) []sd.Property {
	const umask = "0077"
	return []sd.Property{
		prop("Description", "Home directory of "+a.Name),
		prop("Slice", "system-jupyterhub.slice"),
		prop("CollectMode", "inactive-or-failed"),
		prop("RequiresMountsFor", []string{plain(filepath.Dir(a.Home))}),
		prop("After", []string{"remote-fs.target", "nss-user-lookup.target"}),
		prop("Type", "oneshot"),
		prop("ExecStart", []command{{homeHelper, []string{homeHelper, a.Name, umask}, false}}),
		prop("TimeoutStartUSec", uint64(homeTime.Microseconds())),
		prop("CapabilityBoundingSet", uint64(1<<0|1<<1|1<<2|1<<3)), // CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
		prop("NoNewPrivileges", true),
		prop("PrivateDevices", true),
		prop("ProtectKernelModules", true),
		prop("ProtectKernelTunables", true),
		prop("RestrictNamespaces", uint64(0)),
	}
}
