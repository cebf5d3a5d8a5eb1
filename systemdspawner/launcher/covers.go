package launcher

import (
	"slices"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

// What systemd keeps to lay over paths that nobody shall reach: without a mode, and root's.
const (
	emptyDirectory = "/run/systemd/inaccessible/dir"
	deadSocket     = "/run/systemd/inaccessible/sock"
)

// everywhere are paths of every machine that InaccessiblePaths= of the default sandbox names, with what covers them.
var everywhere = map[string]string{
	"/run/dbus/system_bus_socket": deadSocket,
	"/run/user":                   emptyDirectory,
}

// coversFor hides the hub's doors, and what is everywhere of the InaccessiblePaths= of a table, which loses it. It mounts by itself
// what InaccessiblePaths= would mount: for each path of that, systemd 252 reads the whole table of mounts three to five times more, to
// find mounts below and to make it read-only, which it is to a user for whom it has no mode.
//
// In another tree nothing of this is there, and nothing can be made: there it stays InaccessiblePaths=, which passes over what is missing.
func coversFor(l Layout, o Order, table map[string]any) []sd.Property {
	var covers []bind
	var hidden []string
	for _, path := range l.Hidden {
		hidden = append(hidden, "-"+path)
		covers = append(covers, bind{From: emptyDirectory, To: path})
	}
	if o.Settings.Software.other() {
		return one("InaccessiblePaths", hidden)
	}
	named, _ := texts(table["InaccessiblePaths"]) // what is no list is told when the table is read
	left := slices.DeleteFunc(slices.Clone(named), func(entry string) bool {
		path := strings.TrimPrefix(entry, "-")
		cover, is := everywhere[path]
		if is {
			covers = append(covers, bind{From: cover, To: path})
		}
		return is
	})
	if len(left) < len(named) {
		table["InaccessiblePaths"] = left
	}
	if len(named) > 0 && len(left) == 0 {
		delete(table, "InaccessiblePaths")
	}
	return one("BindPaths", covers)
}
