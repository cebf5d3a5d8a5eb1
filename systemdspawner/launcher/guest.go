package launcher

import (
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

// guest lets systemd make up the user, and give it a home that outlives the unit. The uid is known when the unit's first process
// begins; that one waits until the socket's directory has become its own (Launcher.giveSocketDir).
func guest(o Order) []sd.Property {
	return []sd.Property{
		prop("DynamicUser", true),
		prop("User", o.Person.Account.Name),
		prop("StateDirectory", []string{strings.TrimPrefix(o.Person.Account.Home, guestHomes+"/")}),
		prop("StateDirectoryMode", uint32(0o700)),
		prop("ProtectHome", "yes"), // nobody's home is theirs; the configuration can say otherwise
	}
}

// nowhere keeps guests from writing anywhere but at home and in their own /tmp, as DynamicUser= does where nothing else is said: what
// they would leave elsewhere could be another guest's later, who gets the same uid.
func nowhere(o Order) []sd.Property {
	if !o.Person.Guest {
		return nil
	}
	return []sd.Property{prop("ProtectSystem", "strict"), prop("PrivateTmp", true)}
}

// giveSocketDir gives a guest the socket directory of its unit, once systemd has said who the guest is.
func (l *Launcher) giveSocketDir(s seen, unit string) {
	if uid := s.uid(); s.flag("DynamicUser") && uid > 0 {
		if err := l.sockets.give(unit, uid); err != nil {
			l.o.Report("give a guest the socket directory", unit, err)
		}
	}
}
