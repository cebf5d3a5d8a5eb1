package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jupyterhub.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigurationBecomesOptions(t *testing.T) {
	c := load(t, `
[hub]
base_url = "/jh/"
public_url = "https://jupyter.example.org/jh/"
allow_named_servers = true
named_server_limit_per_user = 3
concurrent_spawn_limit = 7
cookie_max_age_days = 0.5
[spawner]
start_timeout = "90s"
[[spawner.profile]]
name = "always"
start_at_boot = true
[[spawner.profile]]
name = "gpu"
`)
	p := policyOf(c)
	if p.StartTimeout != 90*time.Second || !p.AllowNamedServers || p.NamedServerLimitPerUser != 3 || p.ConcurrentSpawnLimit != 7 {
		t.Errorf("the workshop goes by %+v", p)
	}
	if !slices.Equal(p.StartAtBoot, []string{"always"}) {
		t.Errorf("at boot start %q", p.StartAtBoot)
	}
	u := urlsOf(c)
	if u.Base != "/jh/" || u.Public != "https://jupyter.example.org" || u.API != "http://127.0.0.1:8081" ||
		u.Hub != "http+unix://%2Frun%2Fjupyterhub%2Fhub.sock" {
		t.Errorf("addresses are %+v", u)
	}
	if tokenLife(c) != 12*time.Hour {
		t.Errorf("a visitor's token lasts %s", tokenLife(c))
	}
}

// With hosts below the hub's all parts are told the same of them; over https the names of cookies are such as no other host can plant.
func TestSubdomainsBecomeOptions(t *testing.T) {
	for _, tt := range []struct {
		text, public string
		prefix       bool
	}{
		{"subdomain_host = \"https://hub.example.org/\"\nbase_url = \"/jh/\"", "https://hub.example.org/jh/", true},
		{"subdomain_host = \"http://hub.example.org:8000\"", "http://hub.example.org:8000/", false},
		{"public_url = \"https://hub.example.org/\"", "https://hub.example.org/", false},
		{"", "", false},
	} {
		c := load(t, "[hub]\n"+tt.text+"\n")
		u := urlsOf(c)
		if publicOf(c) != tt.public || u.Public != strings.TrimSuffix(strings.TrimSuffix(tt.public, "jh/"), "/") || hostPrefix(c) != tt.prefix || u.CookieHostPrefix != tt.prefix {
			t.Errorf("%s: %s, %t, %+v", tt.text, publicOf(c), hostPrefix(c), u)
		}
		if apart := strings.Contains(tt.text, "subdomain"); u.Hosts.Apart() != apart || hostsOf(c) != u.Hosts {
			t.Errorf("%s: %+v", tt.text, u.Hosts)
		}
	}
}

// The culler may do what its job takes and nothing else, more only where the admin lets it remove users.
func TestCullersRole(t *testing.T) {
	for _, removesUsers := range []bool{false, true} {
		c := load(t, "")
		c.Culler.CullUsers = removesUsers
		rules, err := rulesOf(c)
		if err != nil {
			t.Fatal(err)
		}
		holds := rules.Policy.Service(hub.Service{Name: cullerService, Roles: []string{cullerService}})
		for scope, want := range map[string]bool{
			"list:users": true, "read:servers": true, "delete:servers": true, "delete:users": removesUsers,
			"admin-ui": false, "access:servers": false, "tokens": false, "start:servers": false,
		} {
			if got := holds.Allows(scope, rbac.Resource{}, nil); got != want {
				t.Errorf("removes users %t: %s is %t", removesUsers, scope, got)
			}
		}
	}
}

func TestActiveUsersAreCounted(t *testing.T) {
	now := time.Now()
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, age := range map[string]time.Duration{"alice": time.Hour, "bob": 48 * time.Hour, "mallory": 20 * 24 * time.Hour, "carol": 99 * 24 * time.Hour} {
		err := s.Update(func(tx *store.Tx) error {
			_, err := tx.PutUser(hub.User{Name: name, LastActivity: now.Add(-age)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	active := &activeUsers{store: s, now: func() time.Time { return now }}
	if got := active.count(now); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("active within 24 h, 7 d, 30 d: %d", got)
	}
}
