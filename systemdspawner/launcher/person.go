package launcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
)

// Person is whose server it is: a user of the hub, and the account that it runs as. Which account that is root's file says, and the
// hub has no word in it.
type Person struct {
	User    string // the hub's name
	Account hub.Account
	Other   bool // the account is not the one that logs in: root's file names another, or it is a guest's
	Guest   bool // systemd makes a user up for the time (DynamicUser=); Account.Name is that user's, its uid not known
}

// other is the name of the account where it is not the one that logs in.
func (p Person) other() string {
	if !p.Other {
		return ""
	}
	return p.Account.Name
}

// RunsAs is as whom a user's servers run.
type RunsAs struct {
	Account string // the name of the account
	Other   bool   // it is not the one that logs in
	Guest   bool   // none
}

// runsAs returns what root's file says, and without a word of it the account of the user's own name.
func (p *Policy) runsAs(user string) (RunsAs, error) {
	if p.RunsAs == nil {
		return RunsAs{Account: user}, nil
	}
	return p.RunsAs(user)
}

// person finds out as whom a user's servers run, and asks root's rules. The hub names users by one spelling; where another one leads
// to the same account it is refused, so that one account cannot have two units of one server.
func (l *Launcher) person(ctx context.Context, policy *Policy, user string) (Person, error) {
	if _, err := account.Clean(user); err != nil {
		return Person{}, unknownAccount(err)
	}
	if err := policy.Rules.AdmitUser(user); err != nil {
		return Person{}, notAdmitted(err)
	}
	as, err := policy.runsAs(user)
	switch {
	case err != nil:
		return Person{}, unknownAccount(err)
	case policy.Rules.Blocks(user):
		return Person{}, notAdmitted(fmt.Errorf("%q is in blocked_users", user))
	case as.Guest:
		return l.guest(ctx, policy, user)
	case (as.Other || as.Account == user) && policy.Rules.Guests.Known(user):
		if _, err := l.o.Lookup(ctx, user, false); hub.KindOf(err) == hub.NotFound {
			return l.guest(ctx, policy, user)
		}
	}
	a, err := l.lookup(ctx, policy, as.Account)
	if err != nil {
		return Person{}, err
	}
	if a.Name != as.Account {
		return Person{}, notAdmitted(fmt.Errorf("%q is another name of the account %q", as.Account, a.Name))
	}
	if err := policy.Rules.Admit(a); err != nil {
		return Person{}, notAdmitted(err)
	}
	if !absolute(a.Home) {
		return Person{}, refused(hub.Unknown, hub.CauseMissingHome, "Your account has no home directory.",
			fmt.Errorf("the home directory of %q is %q", a.Name, a.Home))
	}
	return Person{User: user, Account: a, Other: as.Other}, nil
}

func (l *Launcher) lookup(ctx context.Context, policy *Policy, name string) (hub.Account, error) {
	a, err := l.o.Lookup(ctx, name, policy.needsGroups())
	switch hub.KindOf(err) {
	case hub.NotFound, hub.Invalid:
		return hub.Account{}, unknownAccount(err)
	}
	return a, err
}

func unknownAccount(err error) error {
	return refused(hub.KindOf(err), hub.CauseAccount, "The system does not know your account.", err)
}

func notAdmitted(err error) error {
	return refused(hub.Forbidden, hub.CauseAccount, "Your account may not have a server here.", err)
}

// Where guests' homes are, and what the users are called that systemd makes up for them. A name of useradd's making is not so long.
const (
	guestHomes = "/var/lib"
	guestState = "jupyter-guests/"
	guestUser  = "jupyter-guest-"
)

// guest admits a guest: by the rules for the account, if there is one of the name, and else by the hub's name alone.
func (l *Launcher) guest(ctx context.Context, policy *Policy, user string) (Person, error) {
	own, err := l.lookup(ctx, policy, user)
	switch {
	case err == nil:
		err = policy.Rules.Admit(own)
	case hub.KindOf(err) == hub.NotFound:
		if err = policy.Rules.AdmitName(user); policy.Rules.Guests.Known(user) {
			own.Groups = policy.Rules.Guests.Groups
		}
	default:
		return Person{}, err
	}
	if err != nil {
		return Person{}, notAdmitted(err)
	}
	a := guestAccount(user, own.Groups)
	// A real account of that name would be taken in the place of a made-up one (systemd.exec(5), DynamicUser=).
	switch real, err := l.o.Lookup(ctx, a.Name, false); {
	case err == nil && !account.Dynamic(real.UID):
		return Person{}, refused(hub.Forbidden, hub.CauseNameClash, "Servers are not set up correctly here.",
			fmt.Errorf("there is an account %q, and guests are called so: remove it", a.Name))
	case err != nil && hub.KindOf(err) != hub.NotFound:
		return Person{}, err
	}
	return Person{User: user, Account: a, Other: true, Guest: true}, nil
}

// guestAccount is what is known of a guest before there is one. The name is a hash's, because a name of the hub's may be one that no
// account can have; the home says whose it is as well.
func guestAccount(user string, groups []string) hub.Account {
	sum := sha256.Sum256([]byte(user))
	hash := hex.EncodeToString(sum[:hashBytes])
	return hub.Account{
		Name: guestUser + hash, UID: hub.NoUID, GID: hub.NoUID, Groups: groups, Shell: "/bin/sh",
		Home: guestHomes + "/" + guestState + readable(user) + "-" + hash,
	}
}

// readable keeps of a name what any file's name can hold.
func readable(name string) string {
	kept := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
	return kept[:min(len(kept), 32)]
}
