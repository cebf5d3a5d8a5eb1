package account

import (
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

func TestAliases(t *testing.T) {
	a := Aliases{`EXAMPLE\asmith`: "asmith", "alice": "bob", "bob": "alice", "carol": "dave"}
	for name, user := range map[string]string{`EXAMPLE\asmith`: "asmith", "alice": "bob", "bob": "alice", "carol": "dave", "eve": "eve"} {
		if got, err := a.User(name); err != nil || got != user {
			t.Errorf("%s is the user %q, %v", name, got, err)
		}
		if got, err := a.Account(user); err != nil || got != name {
			t.Errorf("the user %s is the account %q, %v", user, got, err)
		}
	}
	for _, name := range []string{"asmith", "dave"} { // an account of that name would come in as somebody else
		if got, err := a.User(name); hub.KindOf(err) != hub.Forbidden || got != "" {
			t.Errorf("the account %s is the user %q, %v", name, got, err)
		}
	}
	for _, user := range []string{`EXAMPLE\asmith`, "carol"} {
		if got, err := a.Account(user); hub.KindOf(err) != hub.NotFound || got != "" {
			t.Errorf("the user %s is the account %q, %v", user, got, err)
		}
	}
}

// Vulnerability: two accounts that are one user share servers, rights and files. Attack: any table that gives no
// name twice, and any two accounts. Verified: they are two users, and from each user leads the way back to the account and to no other.
func TestEveryAccountIsAUserOfItsOwn(t *testing.T) {
	name := rapid.SampledFrom([]string{"alice", "bob", "carol", "dave", "eve"})
	rapid.Check(t, func(t *rapid.T) {
		a := Aliases{}
		for user, name := range rapid.MapOf(name, name).Draw(t, "accounts of users") {
			if _, twice := a[name]; !twice {
				a[name] = user
			}
		}
		one, other := name.Draw(t, "one"), name.Draw(t, "other")
		user, err := a.User(one)
		if err != nil {
			return
		}
		if back, err := a.Account(user); err != nil || back != one {
			t.Fatalf("%v: %s is the user %s, who is %q, %v", a, one, user, back, err)
		}
		if second, err := a.User(other); err == nil && second == user && one != other {
			t.Fatalf("%v: %s and %s are both %s", a, one, other, user)
		}
	})
}
