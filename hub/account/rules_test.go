package account

import (
	"testing"

	"jupyterhubd/hub"
)

func TestAdmit(t *testing.T) {
	alice := hub.Account{Name: "alice", UID: 1000, Groups: []string{"alice", "staff"}}
	for what, c := range map[string]struct {
		rules Rules
		who   hub.Account
		want  bool
	}{
		"nobody by default":                {Rules{}, alice, false},
		"everyone":                         {Rules{AllowAll: true}, alice, true},
		"by name":                          {Rules{AllowedUsers: []string{"alice"}}, alice, true},
		"by group":                         {Rules{AllowedGroups: []string{"staff"}}, alice, true},
		"another's name":                   {Rules{AllowedUsers: []string{"bob"}, AllowedGroups: []string{"sudo"}}, alice, false},
		"names are compared whole":         {Rules{AllowedUsers: []string{"alic", "alicex", "Alice"}}, alice, false},
		"blocked beats everything":         {Rules{AllowAll: true, AllowedUsers: []string{"alice"}, BlockedUsers: []string{"alice"}}, alice, false},
		"root, even by name":               {Rules{AllowAll: true, AllowedUsers: []string{"root"}, MinUID: -1}, hub.Account{Name: "root"}, false},
		"a second root":                    {Rules{AllowAll: true}, hub.Account{Name: "toor"}, false},
		"a system account, even by name":   {Rules{AllowedUsers: []string{"www-data"}}, hub.Account{Name: "www-data", UID: 33}, false},
		"just below UID_MIN":               {Rules{AllowAll: true, MinUID: 2000}, hub.Account{Name: "bob", UID: 1999}, false},
		"nobody, even by name":             {Rules{AllowAll: true, AllowedUsers: []string{"nobody"}}, hub.Account{Name: "nobody", UID: 65534}, false},
		"a directory's uid":                {Rules{AllowAll: true}, hub.Account{Name: "carol", UID: 1678401103}, true},
		"a service's dynamic uid":          {Rules{AllowAll: true}, hub.Account{Name: "jupyterhub-idle-culler", UID: 61184}, false},
		"the same uid, named by root":      {Rules{AllowedUsers: []string{"carol"}}, hub.Account{Name: "carol", UID: 61184}, true},
		"a group of the hub means nothing": {Rules{AllowedGroups: []string{""}}, hub.Account{Name: "bob", UID: 1001}, false},
	} {
		err := c.rules.Admit(c.who)
		if (err == nil) != c.want || (err != nil && hub.KindOf(err) != hub.Forbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// username_pattern begins where a name begins and ends where it likes, as Python's re.match does.
func TestAdmitUser(t *testing.T) {
	rules := Rules{Names: Names("[a-z]+|x1")}
	for user, want := range map[string]bool{"alice": true, "alice7": true, "7alice": false, "Alice": false, "": false} {
		if err := rules.AdmitUser(user); (err == nil) != want || err != nil && hub.KindOf(err) != hub.Forbidden {
			t.Errorf("%s: %v", user, err)
		}
	}
	if err := (Rules{}).AdmitUser("7 Alice"); err != nil {
		t.Errorf("without a pattern: %v", err)
	}
}
