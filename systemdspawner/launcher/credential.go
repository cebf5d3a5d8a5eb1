package launcher

import (
	"context"
	"time"

	sdunit "github.com/coreos/go-systemd/v22/unit"

	"jupyterhubd/hub"
)

// credentialMount is the unit in which systemd keeps the mount that holds a unit's credentials, in everybody's view.
func credentialMount(unit string) string {
	return sdunit.UnitNamePathEscape("/run/credentials/"+unit) + ".mount"
}

// tries are when systemd is asked to unmount a credential. It reads the kernel's table a few times a second at most, so there
// may be a mount of which it does not know yet.
var tries = []time.Duration{0, time.Second, 2 * time.Second}

// unmount lets systemd take away the mount of a unit's credential once the server listens. By then its first process has read
// the credential, and sees it in a mount of its own. The other one would stay as long as the unit, in the machine's table and
// in the view of every unit that starts later, and each start goes through the whole table some dozen times.
//
// A unit that systemd started anew has a new mount, so this is asked for whenever a unit is looked at; mostly there is none.
func (l *Launcher) unmount(ctx context.Context, name string) {
	for _, pause := range tries {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		e, _ := l.roster.named(name)
		b, err := l.live()
		if err != nil || e.unit.State != hub.UnitActive || !e.unit.Listening {
			return // whoever looks at it next asks again
		}
		_, err = b.StopUnitContext(ctx, credentialMount(name), "replace", nil)
		if !isBusError(err, noSuchUnit) {
			if err != nil && ctx.Err() == nil {
				l.o.Report("unmount a credential", name, err)
			}
			return
		}
	}
}
