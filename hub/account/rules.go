package account

import (
	"regexp"
	"slices"

	"jupyterhubd/hub"
)

// Uids that no rule admits, or only by name.
const (
	root         = 0
	overflow16   = 65535       // (uid_t) -1 of 16-bit interfaces
	nobody       = 65534       // the overflow uid
	dynamicFirst = 61184       // systemd's DynamicUser= range (systemd.io/UIDS-GIDS): services, the hub's own culler among
	dynamicLast  = 65519       // them, never people
	defaultMin   = int64(1000) // UID_MIN where login.defs says nothing
)

// Rules are what root's configuration says about who may use the hub. The zero value admits nobody.
type Rules struct {
	AllowAll      bool     // every account that is not a system account
	AllowedUsers  []string // canonical names
	AllowedGroups []string // names of NSS groups
	BlockedUsers  []string // names, canonical or not; beats everything above
	MinUID        int64    // lowest uid of a person, from login.defs; zero means 1000
	Guests        Guests   // who may come in without an account

	Names *regexp.Regexp // of username_pattern: what the hub's names of users match; nil: any
}

// Admit returns nil if the rules admit the account, and otherwise a Forbidden error whose sentence is for the log: whoever
// is refused must hear the same as with a wrong password.
func (r Rules) Admit(a hub.Account) error {
	switch {
	case r.system(a.UID):
		return hub.Errorf(hub.Forbidden, "%q (uid %d) is a system account, and these never log in", a.Name, a.UID)
	case r.Blocks(a.Name):
		return hub.Errorf(hub.Forbidden, "%q is in blocked_users", a.Name)
	case slices.Contains(r.AllowedUsers, a.Name):
		return nil
	case slices.ContainsFunc(a.Groups, func(g string) bool { return slices.Contains(r.AllowedGroups, g) }):
		return nil
	case r.AllowAll && !Dynamic(a.UID):
		return nil
	case r.AllowAll:
		return hub.Errorf(hub.Forbidden, "%q (uid %d) is in systemd's range for services: allow_all does not reach it, "+
			"allowed_users would", a.Name, a.UID)
	}
	return hub.Errorf(hub.Forbidden, "%q is neither in allowed_users nor in one of allowed_groups, and allow_all is false", a.Name)
}

// Blocks reports whether blocked_users holds the name. Whoever has the name as it was typed asks for that too: a second
// name of an account that an admin blocked by this name stays blocked.
func (r Rules) Blocks(name string) bool { return slices.Contains(r.BlockedUsers, name) }

func (r Rules) system(uid int64) bool {
	lowest := r.MinUID
	if lowest <= 0 {
		lowest = defaultMin
	}
	return uid == root || uid < lowest || uid == nobody || uid == overflow16
}

// AdmitName is Admit for a name that is no account's: nothing is known but the name, and no group admits it.
func (r Rules) AdmitName(name string) error {
	switch {
	case r.Blocks(name):
		return hub.Errorf(hub.Forbidden, "%q is in blocked_users", name)
	case r.AllowAll || slices.Contains(r.AllowedUsers, name) || r.Guests.Known(name):
		return nil
	}
	return hub.Errorf(hub.Forbidden, "%q is neither in allowed_users nor in guest_users, and allow_all is false", name)
}

// Names is what a pattern of the configuration's admits, anchored as Python's re.match does it; nil, of an empty one: any name. The
// configuration was checked: it panics with a pattern that is none.
func Names(pattern string) *regexp.Regexp {
	if pattern == "" {
		return nil
	}
	return regexp.MustCompile(`^(?:` + pattern + `)`)
}

// AdmitUser returns nil if username_pattern admits a name, which is the hub's and not the account's.
func (r Rules) AdmitUser(user string) error {
	if r.Names == nil || r.Names.MatchString(user) {
		return nil
	}
	return hub.Errorf(hub.Forbidden, "%q does not match username_pattern", user)
}

// Dynamic reports whether a uid is one of those that systemd gives to users that it makes up.
func Dynamic(uid int64) bool { return uid >= dynamicFirst && uid <= dynamicLast }
