package account

import (
	"regexp"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// Guests are people who have no account here and are let in all the same, under names that root's configuration lists. Whoever asks
// about one has asked the name service first: an account of the name makes its holder an ordinary user.
type Guests struct {
	Names  []string // names, in which one * stands for any letters
	Groups []string // groups as whose members they are treated by root's rules for servers
}

// guestName is what a guest may be called: short, in ASCII and in lower case, so that no two spellings are two guests.
var guestName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// Spelled returns the name of a guest as it is spelled, whatever was typed. ok is false for who is none.
func (g Guests) Spelled(typed string) (name string, ok bool) {
	name = strings.ToLower(typed)
	if _, err := Clean(name); err != nil || !guestName.MatchString(name) {
		return "", false
	}
	return name, slices.ContainsFunc(g.Names, func(pattern string) bool { return matches(pattern, name) })
}

// Known reports whether name is a guest's, spelled as it should be.
func (g Guests) Known(name string) bool {
	spelled, ok := g.Spelled(name)
	return ok && spelled == name
}

// matches compares a name with one that may hold a star.
func matches(pattern, name string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	return len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}

// Guest returns what there is to know of a guest. It refuses, with NotFound, a name that is no guest's, and with Forbidden one that is
// blocked.
func (r Rules) Guest(name string) (hub.Account, error) {
	switch {
	case !r.Guests.Known(name):
		return hub.Account{}, hub.Errorf(hub.NotFound, "%q is no account, nor in guest_users", name)
	case r.Blocks(name):
		return hub.Account{}, hub.Errorf(hub.Forbidden, "%q is in blocked_users", name)
	}
	return hub.Account{Name: name, UID: hub.NoUID, GID: hub.NoUID, Groups: slices.Clone(r.Guests.Groups), Guest: true}, nil
}
