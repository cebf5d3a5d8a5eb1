package main

import (
	"slices"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/hub/store"
)

// settle brings what the configuration says of users, groups and services into the store: at the start, and at each reload.
func settle(s *store.Store, c *config.Config, secrets secrets) error {
	return s.Update(func(tx *store.Tx) error {
		if err := settlePeople(tx, c); err != nil {
			return err
		}
		return settleServices(tx, c, secrets)
	})
}

// settlePeople makes the users and groups that roles and load_groups name, and admins of those who are to be. Nobody loses by it:
// who is no admin any more is said by the login, and who has a role by the policy.
func settlePeople(tx *store.Tx, c *config.Config) error {
	admins, _ := rolesAdmins(c)
	for _, r := range c.Hub.LoadRoles {
		for _, name := range r.Users {
			if err := ensureUser(tx, name); err != nil {
				return err
			}
		}
		for _, name := range r.Groups {
			if err := ensureGroup(tx, name, config.Group{}); err != nil {
				return err
			}
		}
	}
	for name, g := range c.Hub.LoadGroups {
		if err := ensureGroup(tx, name, g); err != nil {
			return err
		}
	}
	for _, name := range append(admins, c.Authenticator.AdminUsers...) {
		if err := ensureAdmin(tx, name); err != nil {
			return err
		}
	}
	return nil
}

func ensureUser(tx *store.Tx, name string) error {
	_, err := tx.User(name)
	if hub.KindOf(err) == hub.NotFound {
		_, err = tx.PutUser(hub.User{Name: name, UID: hub.NoUID})
	}
	return err
}

// ensureAdmin makes an admin of a user who is there; whoever is not becomes one at the first login.
func ensureAdmin(tx *store.Tx, name string) error {
	u, err := tx.User(name)
	if hub.KindOf(err) == hub.NotFound || err == nil && u.Admin {
		return nil
	}
	if err == nil {
		u.Admin = true
		_, err = tx.PutUser(u)
	}
	return err
}

func ensureGroup(tx *store.Tx, name string, want config.Group) error {
	g, err := tx.Group(name)
	fresh := hub.KindOf(err) == hub.NotFound
	if err != nil && !fresh {
		return err
	}
	members := len(g.Users)
	for _, user := range want.Users {
		if err := ensureUser(tx, user); err != nil {
			return err
		}
		if !slices.Contains(g.Users, user) {
			g.Users = append(g.Users, user)
		}
	}
	if !fresh && members == len(g.Users) && len(want.Properties) == 0 {
		return nil
	}
	if g.Name = name; len(want.Properties) > 0 {
		g.Properties = want.Properties
	}
	_, err = tx.PutGroup(g)
	return err
}
