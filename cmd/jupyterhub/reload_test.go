package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// spawnd is the helper of a reload, which remembers what it was asked.
type spawnd struct {
	mu    sync.Mutex
	asked []string
}

func (s *spawnd) methods(check error, changes ...string) map[string]varlink.Handler {
	note := func(what string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, what)
	}
	return map[string]varlink.Handler{
		"CheckConfiguration": func(_ context.Context, r *varlink.Request) error {
			note("check")
			if check != nil {
				return check
			}
			return r.Reply(struct{}{})
		},
		"Reload": func(_ context.Context, r *varlink.Request) error {
			note("reload")
			return r.Reply(map[string]any{"changes": changes})
		},
	}
}

func TestReloadAsksEverybodyAndThenTellsEverybody(t *testing.T) {
	m := newMachine(t, "")
	var s spawnd
	m.varlink("spawnd.sock", varlink.Spawner, s.methods(nil, `spawner.mem_limit: "2G" is now "4G", from a server's next start`))
	m.http("proxy.sock", map[string]string{"POST /api/reload?check=1": `{"changes":[]}`, "POST /api/reload": `{"changes":["the certificate was read again"]}`})
	m.http("admin.sock", map[string]string{
		"POST /hub/api/reload?check=1": `{"changes":["hub.shutdown_on_logout: false is now true"]}`,
		"POST /hub/api/reload":         `{"changes":["hub.shutdown_on_logout: false is now true", "the certificate was read again"]}`,
	})
	compare(t, m.run("reload", "--check"), `
hub.shutdown_on_logout: false is now true
[0]
`)
	compare(t, m.run("reload"), `
spawner.mem_limit: "2G" is now "4G", from a server's next start
the certificate was read again
hub.shutdown_on_logout: false is now true
[0]
`)
	compare(t, m.run("reload", "--check", "--json"), `
[
  "hub.shutdown_on_logout: false is now true"
]
[0]
`)
	if !slices.Equal(s.asked, []string{"check", "check", "reload", "check"}) {
		t.Errorf("spawnd was asked to %v", s.asked)
	}
}

// Vulnerability: half a reload leaves daemons that disagree about who may do what. Attack: a file that one of them refuses.
// Verified: everybody is asked, all mistakes are told once, and nobody is told to reload.
func TestOneRefusalKeepsAllAsTheyAre(t *testing.T) {
	m := newMachine(t, "")
	var s spawnd
	m.varlink("spawnd.sock", varlink.Spawner, s.methods(hub.Errorf(hub.Invalid, "a.toml:1: spawner.sandbox.X: is no property\nb.toml:2: hub.y: is wrong")))
	m.http("proxy.sock", map[string]string{"POST /api/reload?check=1": `{"status":400,"message":"/etc/cert.pem: is no certificate"}`})
	m.http("admin.sock", map[string]string{"POST /hub/api/reload?check=1": `{"status":400,"message":"b.toml:2: hub.y: is wrong"}`})
	compare(t, m.run("reload"), `
jupyterhub: error: a.toml:1: spawner.sandbox.X: is no property
jupyterhub: error: b.toml:2: hub.y: is wrong
jupyterhub: error: /etc/cert.pem: is no certificate
jupyterhub: hint: nothing was changed; the daemons keep the configuration that they have
[1]
`)
	if !slices.Equal(s.asked, []string{"check"}) {
		t.Errorf("spawnd was asked to %v", s.asked)
	}
}

func TestReloadWithMistakesAsksNobody(t *testing.T) {
	m := newMachine(t, "[hub]\nx = 1\n")
	compare(t, m.run("reload"), `
jupyterhub: error: DIR/jupyterhub.toml:2: hub.x: is no key of [hub]; jupyterhub.toml(5) lists them
jupyterhub: hint: nothing was changed; the daemons keep the configuration that they have
[1]
`)
}

func TestADaemonThatIsAwayStopsTheReload(t *testing.T) {
	m := newMachine(t, "")
	var s spawnd
	m.varlink("spawnd.sock", varlink.Spawner, s.methods(nil))
	m.http("admin.sock", map[string]string{"POST /hub/api/reload?check=1": `{"changes":[]}`})
	compare(t, m.run("reload"), `
jupyterhub: error: jupyterhub-proxy: cannot connect: dial unix DIR/proxy.sock: connect: no such file or directory
jupyterhub: hint: nothing was changed; the daemons keep the configuration that they have
[1]
`)
	if !slices.Equal(s.asked, []string{"check"}) {
		t.Errorf("spawnd was asked to %v", s.asked)
	}
}
