package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

const (
	wikiToken = "0123456789abcdef0123456789abcdef"
	nextToken = "fedcba9876543210fedcba9876543210"
)

// site is a configuration's directory with a store beside it.
type site struct {
	t     *testing.T
	dir   string
	store *store.Store
}

func newSite(t *testing.T) *site {
	t.Helper()
	st := &site{t: t, dir: t.TempDir()}
	var err error
	if st.store, err = store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.store.Check(); err != nil {
			t.Error(err)
		}
		st.store.Close()
	})
	return st
}

func (st *site) write(name, text string, mode os.FileMode) string {
	st.t.Helper()
	path := filepath.Join(st.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		st.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		st.t.Fatal(err)
	}
	return path
}

func (st *site) load(text string) *config.Config {
	st.t.Helper()
	st.write("jupyterhub.toml", text, 0o644)
	c, err := config.Load(st.dir)
	if err != nil {
		st.t.Fatal(err)
	}
	return c
}

// settle brings a configuration into the store and returns its policy.
func (st *site) settle(text string) *rbac.Policy {
	st.t.Helper()
	c := st.load(text)
	policy, err := policyOfRoles(c)
	if err != nil {
		st.t.Fatal(err)
	}
	tokens, err := readSecrets(c)
	if err == nil {
		err = settle(st.store, c, tokens)
	}
	if err != nil {
		st.t.Fatal(err)
	}
	return policy
}

func (st *site) look(f func(tx *store.Tx)) {
	st.t.Helper()
	err := st.store.View(func(tx *store.Tx) error {
		f(tx)
		return nil
	})
	if err != nil {
		st.t.Fatal(err)
	}
}

// holds asks the policy what somebody in the store may do.
func (st *site) holds(p *rbac.Policy, o hub.Owner, scope string, about rbac.Resource) (may bool) {
	st.look(func(tx *store.Tx) {
		if o.Kind == hub.OwnerService {
			s, _ := tx.Service(o.Name)
			may = p.Service(s).Allows(scope, about, nil)
			return
		}
		u, _ := tx.User(o.Name)
		may = p.User(u, tx.GroupRoles(u.Groups), nil).Allows(scope, about, nil)
	})
	return may
}

const roles = `
[hub]
extra_user_scopes = ["shares!user"]
[hub.load_groups.class]
users = ["bob"]
properties = { year = 2 }
[hub.custom_scopes."custom:wiki:write"]
description = "write in the wiki"
[[hub.load_roles]]
name = "assistant"
scopes = ["list:users", "custom:wiki:write"]
users = ["alice"]
groups = ["class"]
services = ["wiki"]
[[hub.load_roles]]
name = "admin"
users = ["alice"]
[[hub.services]]
name = "wiki"
`

// A role is had by whom the configuration names, and by nobody whom it does not name any more.
func TestRolesAreHadByWhomTheConfigurationNames(t *testing.T) {
	st := newSite(t)
	policy := st.settle(roles)
	alice, bob, wiki := hub.Owner{Kind: "user", Name: "alice"}, hub.Owner{Kind: "user", Name: "bob"}, hub.Owner{Kind: "service", Name: "wiki"}
	for _, who := range []hub.Owner{alice, bob, wiki} {
		if !st.holds(policy, who, "list:users", rbac.Resource{}) || !st.holds(policy, who, "custom:wiki:write", rbac.Resource{}) {
			t.Errorf("%v does not have the role", who)
		}
	}
	if !st.holds(policy, bob, "shares", rbac.UserResource("bob")) || st.holds(policy, bob, "shares", rbac.UserResource("alice")) {
		t.Error("extra_user_scopes are not bob's, or too many")
	}
	st.look(func(tx *store.Tx) {
		u, err := tx.User("alice")
		g, _ := tx.Group("class")
		if err != nil || !u.Admin || u.UID != hub.NoUID || !slices.Equal(g.Users, []string{"bob"}) || g.Properties["year"] != float64(2) {
			t.Errorf("alice is %+v, %v; the class is %+v", u, err, g)
		}
	})
	policy = st.settle("")
	for _, who := range []hub.Owner{bob, wiki} {
		if st.holds(policy, who, "list:users", rbac.Resource{}) {
			t.Errorf("%v has the role still", who)
		}
	}
	st.look(func(tx *store.Tx) {
		if _, err := tx.Service("wiki"); hub.KindOf(err) != hub.NotFound {
			t.Errorf("the service is there still: %v", err)
		}
		if g, err := tx.Group("class"); err != nil || len(g.Users) != 1 {
			t.Errorf("load_groups takes nobody away, but the class is %+v, %v", g, err)
		}
	})
}

// A service has the token that its file holds, and none that the file held before; its OAuth client's secret is the same.
func TestAServiceHasTheTokenOfItsFile(t *testing.T) {
	st := newSite(t)
	file := st.write("wiki.token", wikiToken+"\n", 0o640)
	text := "[[hub.services]]\nname = 'wiki'\nurl = 'http://127.0.0.1:9000'\noauth_no_confirm = true\napi_token_file = '" + file + "'\n"
	st.settle(text)
	st.settle(text)
	st.look(func(tx *store.Tx) {
		c, err := tx.Client("service-wiki")
		if err != nil || c.RedirectURI != "/services/wiki/oauth_callback" || !c.NoConfirm || tx.CheckClientSecret(c.ID, wikiToken) != nil {
			t.Errorf("the client is %+v, %v", c, err)
		}
		if tokens := tx.Tokens(hub.Owner{Kind: "service", Name: "wiki"}); len(tokens) != 1 {
			t.Errorf("tokens are %+v", tokens)
		}
	})
	st.write("wiki.token", nextToken, 0o640)
	st.settle(text)
	st.look(func(tx *store.Tx) {
		if _, err := tx.TokenByValue(wikiToken); hub.KindOf(err) != hub.NotFound {
			t.Errorf("the former token opens: %v", err)
		}
		if _, err := tx.TokenByValue(nextToken); err != nil || tx.CheckClientSecret("service-wiki", nextToken) != nil {
			t.Errorf("the new token does not open: %v", err)
		}
	})
	st.settle("[[hub.services]]\nname = 'wiki'\napi_token_file = '" + file + "'\n")
	st.look(func(tx *store.Tx) {
		if _, err := tx.Client("service-wiki"); hub.KindOf(err) != hub.NotFound {
			t.Errorf("the client of a service without a url: %v", err)
		}
	})
}

// A service that was made over the API stays when a configuration does not know it, and gives way to one of its name.
func TestConfiguredServicesAndThoseOfTheAPI(t *testing.T) {
	st := newSite(t)
	err := st.store.Update(func(tx *store.Tx) error {
		for _, name := range []string{"wiki", "other"} {
			if err := tx.PutService(hub.Service{Name: name, Admin: true}); err != nil {
				return err
			}
			if _, _, err := tx.NewToken(hub.Token{Owner: hub.Owner{Kind: "service", Name: name}, Scopes: []string{"inherit"}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	st.settle("[[hub.services]]\nname = 'wiki'\n")
	st.look(func(tx *store.Tx) {
		if s, err := tx.Service("other"); err != nil || s.Configured || !s.Admin {
			t.Errorf("the API's own is %+v, %v", s, err)
		}
		s, err := tx.Service("wiki")
		if err != nil || !s.Configured || s.Admin || len(tx.Tokens(hub.Owner{Kind: "service", Name: "wiki"})) > 0 {
			t.Errorf("the configured one is %+v, %v, with tokens of the other", s, err)
		}
	})
}

func TestMistakesInRolesAndServicesAreToldWithTheirPlaces(t *testing.T) {
	st := newSite(t)
	open := st.write("open.token", wikiToken, 0o644)
	short := st.write("short.token", "secret", 0o600)
	c := st.load(`
[hub]
extra_user_scopes = ["read:minds"]
[hub.custom_scopes."custom:x:y"]
description = ""
[[hub.load_roles]]
name = "reader"
scopes = ["read:everything"]
services = ["nobody"]
[[hub.load_roles]]
name = "admin"
scopes = ["proxy"]
[[hub.services]]
name = "open"
api_token_file = "` + open + `"
[[hub.services]]
name = "short"
api_token_file = "` + short + `"
[[hub.services]]
name = "none"
url = "http://127.0.0.1:1"
`)
	_, err := policyOfRoles(c)
	_, secretErr := readSecrets(c)
	said := err.Error() + "\n" + secretErr.Error()
	for _, want := range []string{":5: hub.custom_scopes", "needs a description", ":3: hub.extra_user_scopes", `"read:minds"`,
		":9: hub.load_roles.reader.services", ":15: hub.services.open.api_token_file", "chmod o= " + open,
		":18: hub.services.short.api_token_file", ":20: hub.services.none", "api_token_file"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q:\n%s", want, said)
		}
	}
	for text, want := range map[string]string{
		"[[hub.load_roles]]\nname='reader'\nscopes=['read:everything']\n": ":3: hub.load_roles.reader: role \"reader\": no such scope",
		"[[hub.load_roles]]\nname='admin'\nscopes=['proxy']\n":            "cannot be changed",
	} {
		if _, err := policyOfRoles(st.load(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
