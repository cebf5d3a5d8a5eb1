package compat

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// site is what both hubs are configured with: testdata/site.json.
type site struct {
	Services     []siteService        `json:"services"`
	Roles        []siteRole           `json:"roles"`
	CustomScopes map[string]siteScope `json:"custom_scopes"`
	People       []string             `json:"people"`
}

type siteService struct {
	Name        string `json:"name"`
	Token       string `json:"api_token"`
	RedirectURI string `json:"oauth_redirect_uri"`
	NoConfirm   bool   `json:"oauth_no_confirm"`
}

type siteScope struct {
	Description string   `json:"description"`
	Subscopes   []string `json:"subscopes"`
}

type siteRole struct {
	rbac.Role
	Services []string `json:"services"`
	Users    []string `json:"users"`
}

func readSite(t *testing.T) (s site) {
	t.Helper()
	text, err := os.ReadFile("testdata/site.json")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// policy is the site's roles and scopes.
func (s site) policy() (*rbac.Policy, error) {
	var roles []rbac.Role
	for _, r := range s.Roles {
		if r.Name != rbac.RoleAdmin {
			roles = append(roles, r.Role)
		}
	}
	var custom []rbac.Custom
	for name, c := range s.CustomScopes {
		custom = append(custom, rbac.Custom{Name: name, Description: c.Description, Implies: c.Subscopes})
	}
	return rbac.New(roles, custom)
}

// move puts the site's services into a store.
func (s site) move(tx *store.Tx) error {
	for _, service := range s.Services {
		v := hub.Service{Name: service.Name, Display: true, Configured: true, NoConfirm: service.NoConfirm}
		for _, r := range s.Roles {
			for _, name := range r.Services {
				if name == service.Name {
					v.Roles, v.Admin = append(v.Roles, r.Name), v.Admin || r.Name == rbac.RoleAdmin
				}
			}
		}
		err := tx.PutService(v)
		if err == nil {
			_, err = tx.PutTokenValue(hub.Token{Owner: hub.Owner{Kind: hub.OwnerService, Name: v.Name}, Scopes: []string{"inherit"}}, service.Token)
		}
		if err == nil && service.RedirectURI != "" {
			err = tx.PutClient(hub.Client{ID: "service-" + v.Name, Service: v.Name, RedirectURI: service.RedirectURI, NoConfirm: v.NoConfirm,
				Description: "JupyterHub service " + v.Name}, service.Token)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plays is a machine whose servers do what their options say, as those of testdata/jupyterhub_config.py do.
type plays struct{ *spawnertest.Fake }

func (m plays) Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Unit, error) {
	var script spawnertest.Script
	switch {
	case strings.Contains(string(options), `"fail"`):
		script.Refuse = &hub.Error{Kind: hub.Unknown, Text: "The play says so.", Cause: &hub.Cause{Kind: hub.CauseExited, Message: "The play says so."}}
	case strings.Contains(string(options), `"hang"`):
		script.StartDelay = time.Hour
	}
	m.Script(ref, script)
	return m.Fake.Start(ctx, ref, profile, options)
}

// startOurs opens a hub of ours for the same site.
func startOurs(t *testing.T, log io.Writer, all hosts.Hosts) *side {
	t.Helper()
	s := readSite(t)
	doors := authtest.NewDouble()
	for _, name := range s.People {
		uid := int64(1000 + len(name)) // as the machine of these plays has it
		state := ""
		if name == "bob" { // as testdata/jupyterhub_config.py has it
			state = `{"pam_environment": {"FROM": "login"}}`
		}
		doors.Put(authtest.Account{State: state, Account: hub.Account{Name: name, UID: uid, GID: uid, Home: "/home/" + name, Groups: []string{name}}, Password: "secret"})
	}
	h := openHouse(t, plan{machine: plays{spawnertest.NewFake()}, table: spawnertest.NewRouter(), now: time.Now, probe: answersAtOnce, site: s, users: []string{"admin"}, doors: doors, log: log, hosts: all})
	at := strings.TrimPrefix(h.browser, "http://")
	return newSide(t, "ours", func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", at) })
}
