package store

import (
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// Group returns the group of that name with its members.
func (tx *Tx) Group(name string) (hub.Group, error) {
	g, err := tx.storedGroup(name)
	if err != nil {
		return hub.Group{}, err
	}
	g.Users = tx.keys(indexMembers, key(name, ""))
	return g, nil
}

// storedGroup returns a group as the file has it, without members: who is in it stands in the users' records and in
// indexMembers, and nowhere else.
func (tx *Tx) storedGroup(name string) (hub.Group, error) {
	g, ok, err := load[hub.Group](tx, bucketGroups, []byte(name))
	if err != nil || !ok {
		return hub.Group{}, orMissing(err, "group", name)
	}
	return g, nil
}

// GroupRoles returns the roles of the named groups, without looking at who is in them.
func (tx *Tx) GroupRoles(groups []string) (roles []string) {
	for _, name := range groups {
		if g, err := tx.storedGroup(name); err == nil {
			roles = append(roles, g.Roles...)
		}
	}
	return roles
}

// GroupQuery says which groups a page has, in the order of their names.
type GroupQuery struct {
	Offset, Limit int                    // Limit 0 means no limit
	NameContains  string                 // case does not matter
	Keep          func(name string) bool // nil keeps all; called in the middle of the transaction, it must not use the store
}

func (q GroupQuery) keeps(name string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(q.NameContains)) && (q.Keep == nil || q.Keep(name))
}

// Groups returns a page of the groups that a query asks for, and how many there are on all pages.
func (tx *Tx) Groups(q GroupQuery) (page []hub.Group, total int, err error) {
	for name := range tx.walk(bucketGroups, false, func(k, _ []byte) string { return string(k) }) {
		if !q.keeps(name) {
			continue
		}
		if total++; total <= q.Offset || q.Limit > 0 && len(page) == q.Limit {
			continue
		}
		g, err := tx.Group(name)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, g)
	}
	return page, total, nil
}

// PutGroup stores a group: a new one if ID is zero, which fails with Conflict if the name is taken. Users becomes its exact
// membership; each must exist.
func (tx *Tx) PutGroup(g hub.Group) (hub.Group, error) {
	if err := checkName("group", g.Name); err != nil {
		return hub.Group{}, err
	}
	old, exists, err := load[hub.Group](tx, bucketGroups, []byte(g.Name))
	switch {
	case err != nil:
		return hub.Group{}, err
	case exists && g.ID == 0:
		return hub.Group{}, orTaken(nil, "group", g.Name)
	case exists && g.ID != old.ID, !exists && g.ID != 0:
		return hub.Group{}, orMissing(nil, "group", g.Name)
	}
	if g.ID == 0 {
		if g.ID, err = tx.bucket(bucketGroups).NextSequence(); err != nil {
			return hub.Group{}, err
		}
	}
	g.Users, g.Roles = sorted(g.Users), sorted(g.Roles)
	if lacks(g.Roles, old.Roles) {
		tx.narrow(g.Users...)
	}
	kept := g
	kept.Users = nil
	if err := save(tx, bucketGroups, []byte(g.Name), kept, nil, nil); err != nil {
		return hub.Group{}, err
	}
	return g, tx.setMembers(g.Name, g.Users)
}

// setMembers makes a group's membership exact. Both lists of names are sorted: groups may be as large as the hub.
func (tx *Tx) setMembers(group string, users []string) error {
	had := tx.keys(indexMembers, key(group, ""))
	for _, name := range had {
		if _, stays := slices.BinarySearch(users, name); !stays {
			if err := tx.changeGroups(name, func(g []string) []string { return without(g, group) }); err != nil {
				return err
			}
		}
	}
	for _, name := range users {
		if _, was := slices.BinarySearch(had, name); !was {
			if err := tx.changeGroups(name, func(g []string) []string { return append(g, group) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) changeGroups(user string, change func([]string) []string) error {
	u, err := tx.User(user)
	if err != nil {
		return err
	}
	u.Groups = change(u.Groups)
	_, err = tx.PutUser(u)
	return err
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// DeleteGroup removes a group and what was shared with it; its members stay.
func (tx *Tx) DeleteGroup(name string) error {
	if _, err := tx.storedGroup(name); err != nil {
		return err
	}
	if err := tx.setMembers(name, nil); err != nil {
		return err
	}
	if err := tx.deleteShares(tx.keys(indexShareWith, key("group", name, ""))); err != nil {
		return err
	}
	return tx.erase(bucketGroups, []byte(name), nil)
}
