package launcher

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
)

// house is a launcher with some accounts, and a policy.
func house(p Policy, accounts ...hub.Account) (*Launcher, *Policy) {
	if p.RunsAs == nil {
		p.RunsAs = func(user string) (RunsAs, error) {
			switch {
			case strings.HasPrefix(user, "guest"):
				return RunsAs{Other: true, Guest: true}, nil
			case strings.HasPrefix(user, "course"):
				return RunsAs{Account: strings.TrimPrefix(user, "course-"), Other: true}, nil
			}
			return RunsAs{Account: user}, nil
		}
	}
	l := &Launcher{}
	l.o.Lookup = func(_ context.Context, name string, _ bool) (hub.Account, error) {
		if _, err := account.Clean(name); err != nil {
			return hub.Account{}, err
		}
		for _, a := range accounts {
			if strings.EqualFold(a.Name, name) {
				return a, nil
			}
		}
		return hub.Account{}, hub.Errorf(hub.NotFound, "there is no such account")
	}
	return l, &p
}

func TestPerson(t *testing.T) {
	root, nobody := hub.Account{Name: "root", Home: "/root"}, hub.Account{Name: "nobody", UID: 65534, Home: "/nonexistent"}
	squatted := hub.Account{Name: guestAccount("guest-squatted", nil).Name, UID: 1234, Home: "/home/x"}
	back := hub.Account{Name: guestAccount("guest-back", nil).Name, UID: 61200, Home: "/"}
	homeless := hub.Account{Name: "homeless", UID: 1777}
	l, all := house(Policy{Rules: account.Rules{AllowAll: true, BlockedUsers: []string{"guest-blocked", "course-blocked"}}},
		alice, bob, root, nobody, squatted, back, homeless, hub.Account{Name: "guestd", UID: 7, Home: "/"})
	for _, play := range []struct {
		user    string
		account string
		uid     int64
		other   bool
		guest   bool
		why     hub.Kind
	}{
		{"alice", "alice", 1000, false, false, 0},
		{"course-alice", "alice", 1000, true, false, 0},
		{"guest-1", guestAccount("guest-1", nil).Name, hub.NoUID, true, true, 0},
		{"guest-back", back.Name, hub.NoUID, true, true, 0},
		{"ALICE", "", 0, false, false, hub.Forbidden},
		{"course-ALICE", "", 0, false, false, hub.Forbidden},
		{"course-root", "", 0, false, false, hub.Forbidden},
		{"course-nobody", "", 0, false, false, hub.Forbidden},
		{"course-blocked", "", 0, false, false, hub.Forbidden},
		{"course-eve", "", 0, false, false, hub.NotFound},
		{"course-", "", 0, false, false, hub.Invalid},
		{"guest-blocked", "", 0, false, false, hub.Forbidden},
		{"guest-squatted", "", 0, false, false, hub.Forbidden},
		{"guestd", "", 0, false, false, hub.Forbidden}, // a system account of that name
		{"guest/1", "", 0, false, false, hub.Invalid},
		{"guest\n", "", 0, false, false, hub.Invalid},
		{"homeless", "", 0, false, false, hub.Unknown},
	} {
		p, err := l.person(t.Context(), all, play.user)
		if play.account == "" {
			if err == nil || hub.KindOf(err) != play.why || causeOf(err) == nil {
				t.Errorf("%q: %+v, %v", play.user, p, err)
			}
			continue
		}
		if err != nil || p.User != play.user || p.Account.Name != play.account || p.Account.UID != play.uid || p.Other != play.other || p.Guest != play.guest {
			t.Errorf("%q: %+v, %v", play.user, p, err)
		}
	}
	_, few := house(Policy{Rules: account.Rules{AllowedUsers: []string{"guest-1"}, AllowedGroups: []string{"gpu"}}})
	for user, admitted := range map[string]bool{"guest-1": true, "guest-2": false, "course-alice": false, "course-bob": true} {
		if _, err := l.person(t.Context(), few, user); (err == nil) != admitted {
			t.Errorf("few are admitted; %s: %v", user, err)
		}
	}
}

// Who is a guest at the login is one here: by root's names, without an account, whatever template makes of the others.
func TestWhoLogsInAsAGuest(t *testing.T) {
	account7 := hub.Account{Name: "visitor-7", UID: 1007, Home: "/home/visitor-7"}
	rules := account.Rules{BlockedUsers: []string{"visitor-9"}, AllowedUsers: []string{"visitor-7"},
		Guests: account.Guests{Names: []string{"visitor-*", "templated-*", "aliased-*"}, Groups: []string{"visitors"}}}
	l, p := house(Policy{Rules: rules}, account7, alice)
	p.RunsAs = func(user string) (RunsAs, error) {
		switch {
		case strings.HasPrefix(user, "templated"):
			return RunsAs{Account: "course-" + user, Other: true}, nil
		case strings.HasPrefix(user, "aliased"):
			return RunsAs{Account: "alice"}, nil // by username_map
		}
		return RunsAs{Account: user}, nil
	}
	for _, user := range []string{"visitor-1", "templated-1"} {
		a, err := l.person(t.Context(), p, user)
		if err != nil || !a.Guest || a.Account.Name != guestAccount(user, nil).Name || len(a.Account.Groups) != 1 || a.Account.Groups[0] != "visitors" {
			t.Errorf("%s: %+v, %v", user, a, err)
		}
	}
	if a, err := l.person(t.Context(), p, "visitor-7"); err != nil || a.Guest || a.Account.UID != 1007 {
		t.Errorf("a guest's name that an account has: %+v, %v", a, err)
	}
	for user, why := range map[string]hub.Kind{"visitor-9": hub.Forbidden, "Visitor-1": hub.NotFound, "aliased-1": hub.Forbidden, "mallory": hub.NotFound} {
		if a, err := l.person(t.Context(), p, user); hub.KindOf(err) != why {
			t.Errorf("%s: %+v, %v", user, a, err)
		}
	}
}

// Vulnerability: a guest who gets another one's home, or one that leads out of where homes are. Attack: any names.
// Verified: different names have different users and homes, and a home is one directory below the guests'.
func TestGuestsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := rapid.String().Draw(t, "one"), rapid.String().Draw(t, "other")
		a, b := guestAccount(one, nil), guestAccount(other, nil)
		if one != other && (a.Name == b.Name || a.Home == b.Home) {
			t.Fatalf("%q and %q are both %s at %s", one, other, a.Name, a.Home)
		}
		below, is := strings.CutPrefix(a.Home, guestHomes+"/"+guestState)
		if !is || strings.Trim(below, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || len(a.Name) > 31 {
			t.Fatalf("%q is %s at %s", one, a.Name, a.Home)
		}
	})
}
