package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/rbac"
)

// policyOfRoles makes roles and scopes of the configuration. Its error holds every mistake, each with its place.
func policyOfRoles(c *config.Config) (*rbac.Policy, error) {
	roles := []rbac.Role{cullerRole(c.Culler.CullUsers)}
	custom := customScopes(c)
	mistakes := scopeMistakes(c, custom)
	scopesStand := len(mistakes) == 0
	for _, r := range c.Hub.LoadRoles {
		role := rbac.Role{Name: r.Name, Description: r.Description, Scopes: r.Scopes, Users: r.Users, Services: r.Services, Groups: r.Groups}
		if err := only(role, custom); err != nil && scopesStand {
			mistakes = append(mistakes, mistakeAt(c, "hub.load_roles."+r.Name, err))
		}
		roles = append(roles, role)
	}
	roles = append(roles, extraRoles(c)...)
	mistakes = append(mistakes, grantMistakes(c, custom)...)
	if len(mistakes) > 0 {
		return nil, hub.Errorf(hub.Invalid, "%w", mistakes)
	}
	return rbac.New(roles, custom)
}

// extraRoles is the role that every user has, with extra_user_scopes in it besides.
func extraRoles(c *config.Config) []rbac.Role {
	if len(c.Hub.ExtraUserScopes) == 0 {
		return nil
	}
	scopes := []string{rbac.Self}
	for _, r := range c.Hub.LoadRoles {
		if r.Name == rbac.RoleUser && r.Scopes != nil {
			scopes = r.Scopes
		}
	}
	return []rbac.Role{{Name: rbac.RoleUser, Scopes: slices.Concat(scopes, c.Hub.ExtraUserScopes)}}
}

func customScopes(c *config.Config) []rbac.Custom {
	var custom []rbac.Custom
	for _, name := range slices.Sorted(maps.Keys(c.Hub.CustomScopes)) {
		s := c.Hub.CustomScopes[name]
		custom = append(custom, rbac.Custom{Name: name, Description: s.Description, Implies: s.Subscopes})
	}
	return custom
}

// only returns what is wrong with one role.
func only(role rbac.Role, custom []rbac.Custom) error {
	_, err := rbac.New([]rbac.Role{role}, custom)
	return err
}

func scopeMistakes(c *config.Config, custom []rbac.Custom) (mistakes config.Mistakes) {
	_, err := rbac.New(nil, custom)
	if err == nil {
		return nil
	}
	for line := range strings.Lines(err.Error()) {
		key := "hub.custom_scopes"
		for _, s := range custom {
			if strings.Contains(line, fmt.Sprintf("scope %q", s.Name)) {
				key = fmt.Sprintf("hub.custom_scopes.%q", s.Name)
			}
		}
		mistakes = append(mistakes, mistakeAt(c, key, errors.New(strings.TrimSpace(line))))
	}
	return mistakes
}

// grantMistakes are scopes that are named outside of roles and that there are not, and services in roles that there are not.
func grantMistakes(c *config.Config, custom []rbac.Custom) (mistakes config.Mistakes) {
	policy, _ := rbac.New(nil, custom) // what is wrong with the scopes themselves is told already, ignoring
	check := func(key string, scopes []string) {
		for _, s := range scopes {
			if err := policy.Check(s); err != nil {
				mistakes = append(mistakes, mistakeAt(c, key, err))
			}
		}
	}
	check("hub.extra_user_scopes", c.Hub.ExtraUserScopes)
	check("spawner.server_token_scopes", c.Spawner.ServerTokenScopes)
	check("spawner.oauth_client_allowed_scopes", c.Spawner.OAuthClientAllowedScopes)
	for _, s := range c.Hub.Services {
		check("hub.services."+s.Name+".oauth_client_allowed_scopes", s.OAuthAllowedScopes)
	}
	for _, r := range c.Hub.LoadRoles {
		for _, name := range r.Services {
			known := name == cullerService || slices.ContainsFunc(c.Hub.Services, func(s config.Service) bool { return s.Name == name })
			if !known {
				mistakes = append(mistakes, mistakeAt(c, "hub.load_roles."+r.Name+".services",
					hub.Errorf(hub.Invalid, "names the service %q, which is not in [[hub.services]]", name)))
			}
		}
	}
	return mistakes
}

// mistakeAt says where in the configuration an error comes from: at the key, or at what the key's table begins with.
func mistakeAt(c *config.Config, key string, err error) config.Mistake {
	at := c.Where(key)
	for _, sub := range []string{".scopes", ".name", ".description"} {
		if at == (config.Place{}) {
			at = c.Where(key + sub)
		}
	}
	if at.File == "" {
		at.File = c.Dir()
	}
	return config.Mistake{File: at.File, Line: at.Line, Key: key, Text: err.Error()}
}

// rolesAdmins are the users whom a role named admin makes admins.
func rolesAdmins(c *config.Config) (users, services []string) {
	for _, r := range c.Hub.LoadRoles {
		if r.Name == rbac.RoleAdmin {
			users, services = append(users, r.Users...), append(services, r.Services...)
		}
	}
	return users, services
}
