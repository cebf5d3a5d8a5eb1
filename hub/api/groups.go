package api

import (
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// listGroups answers GET /hub/api/groups: those that the reader may list, and only these count.
func (room *Room) listGroups(w http.ResponseWriter, r *http.Request) error {
	p, err := room.pageOf(r)
	if err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	far := a.Scopes.Horizon("list:groups")
	var groups []hub.Group
	var total int
	err = room.Store.View(func(tx *store.Tx) error {
		if far.All {
			groups, total, err = tx.Groups(store.GroupQuery{Offset: p.offset, Limit: p.limit})
			return err
		}
		slices.Sort(far.Groups)
		for _, name := range far.Groups {
			g, err := tx.Group(name)
			if err == nil {
				groups = append(groups, g)
			} else if hub.KindOf(err) != hub.NotFound {
				return err
			}
		}
		total = len(groups)
		groups = cut(groups, p)
		return nil
	})
	if err != nil {
		return err
	}
	models := make([]client.Group, 0, len(groups))
	for _, g := range groups {
		models = append(models, room.groupModel(readerOf(a), g))
	}
	return writeJSON(w, http.StatusOK, p.of(models, total))
}

// showGroup answers GET /hub/api/groups/G.
func (room *Room) showGroup(w http.ResponseWriter, r *http.Request) error {
	var g hub.Group
	err := room.Store.View(func(tx *store.Tx) (err error) {
		g, err = tx.Group(r.PathValue("group"))
		return err
	})
	if err != nil {
		return err
	}
	return room.writeGroup(w, r, http.StatusOK, g)
}

func (room *Room) writeGroup(w http.ResponseWriter, r *http.Request, status int, g hub.Group) error {
	return writeJSON(w, status, room.groupModel(readerOf(auth.FromContext(r.Context())), g))
}

// createGroups answers POST /hub/api/groups: all of them, or none where JupyterHub would leave the first ones behind.
func (room *Room) createGroups(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err == nil {
		err = body.only("groups", "users")
	}
	if err != nil {
		return err
	}
	var names, users []string
	if err := body.into("groups", &names, "a list of names"); err != nil {
		return err
	}
	if err := body.into("users", &users, "a list of names"); err != nil {
		return err
	}
	for _, name := range names {
		auth.Concern(r, "group "+name)
	}
	groups, err := room.AddGroups(names, users)
	if err != nil {
		return err
	}
	models := []client.Group{}
	for _, g := range groups {
		models = append(models, room.groupModel(readerOf(auth.FromContext(r.Context())), g))
	}
	return writeJSON(w, http.StatusCreated, models)
}

// AddGroups makes groups, each with these users: Invalid if one of those is none, Conflict if a group is there.
func (room *Room) AddGroups(names, users []string) (groups []hub.Group, err error) {
	if len(names) == 0 {
		return nil, hub.Errorf(hub.Invalid, "Must specify at least one group to create")
	}
	err = room.Store.Update(func(tx *store.Tx) error {
		groups = nil
		for _, name := range names {
			g, err := putNewGroup(tx, hub.Group{Name: name, Users: users})
			if err != nil {
				return err
			}
			groups = append(groups, g)
		}
		return nil
	})
	return groups, err
}

func putNewGroup(tx *store.Tx, g hub.Group) (hub.Group, error) {
	var err error
	if g.Users, err = existing(tx, g.Users); err != nil {
		return g, err
	}
	return tx.PutGroup(g)
}

// existing returns the users that are named, as a login would name them if not as they stand, and refuses names of none.
func existing(tx *store.Tx, names []string) ([]string, error) {
	users := make([]string, len(names))
	for i, name := range names {
		u, err := tx.User(name)
		if hub.KindOf(err) == hub.NotFound {
			u, err = tx.User(strings.ToLower(name))
		}
		if hub.KindOf(err) == hub.NotFound {
			err = hub.Errorf(hub.Invalid, "No such user: %s", short(name))
		}
		if err != nil {
			return nil, err
		}
		users[i] = u.Name
	}
	return users, nil
}

// knownGroup returns NotFound for a group that does not exist.
func (room *Room) knownGroup(name string) error {
	return room.Store.View(func(tx *store.Tx) error {
		_, err := tx.Group(name)
		return err
	})
}

// createGroup answers POST /hub/api/groups/G, whose body may be empty.
func (room *Room) createGroup(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err == nil {
		err = body.only("name", "users", "roles")
	}
	if err != nil {
		return err
	}
	g := hub.Group{Name: r.PathValue("group")}
	if err := body.into("users", &g.Users, "a list of names"); err != nil {
		return err
	}
	if err := room.giveRoles(auth.FromContext(r.Context()), body, &g); err != nil {
		return err
	}
	err = room.Store.Update(func(tx *store.Tx) error {
		g, err = putNewGroup(tx, g)
		return err
	})
	if err != nil {
		return err
	}
	return room.writeGroup(w, r, http.StatusCreated, g)
}

// giveRoles reads the roles of a new group. Only an admin gives rights away by it; JupyterHub gives none, whatever is asked.
func (room *Room) giveRoles(a auth.Actor, body object, g *hub.Group) error {
	if err := body.into("roles", &g.Roles, "a list of roles"); err != nil {
		return err
	}
	if len(g.Roles) > 0 && !room.wholeAdmin(a) {
		return hub.Errorf(hub.Forbidden, "Only admins can give roles to a group")
	}
	for _, name := range g.Roles {
		if _, err := room.Policy().Role(name); err != nil {
			return hub.Errorf(hub.Invalid, "No such role: %s", short(name))
		}
	}
	return nil
}

// deleteGroup answers DELETE /hub/api/groups/G.
func (room *Room) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	if err := room.RemoveGroup(r.PathValue("group")); err != nil {
		return err
	}
	return nothing(w)
}

// RemoveGroup forgets a group; its members stay users.
func (room *Room) RemoveGroup(name string) error {
	return room.Store.Update(func(tx *store.Tx) error { return tx.DeleteGroup(name) })
}

// addMembers answers POST /hub/api/groups/G/users.
func (room *Room) addMembers(w http.ResponseWriter, r *http.Request) error {
	return room.members(w, r, room.AddMembers)
}

// removeMembers answers DELETE /hub/api/groups/G/users, whose body names them too.
func (room *Room) removeMembers(w http.ResponseWriter, r *http.Request) error {
	return room.members(w, r, room.RemoveMembers)
}

func (room *Room) members(w http.ResponseWriter, r *http.Request, change func(auth.Actor, string, []string) (hub.Group, error)) error {
	if err := room.knownGroup(r.PathValue("group")); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var names []string
	if err := body.into("users", &names, "a list of names"); err != nil {
		return err
	}
	if !body.has("users") {
		return hub.Errorf(hub.Invalid, "Must specify users: a list of names")
	}
	for _, name := range names {
		auth.Concern(r, "user "+name)
	}
	g, err := change(auth.FromContext(r.Context()), r.PathValue("group"), names)
	if err != nil {
		return err
	}
	return room.writeGroup(w, r, http.StatusOK, g)
}

// AddMembers puts users into a group: Invalid if one is none. Only an admin says who is in a group of admins.
func (room *Room) AddMembers(a auth.Actor, group string, names []string) (hub.Group, error) {
	return room.changeMembers(a, group, names, func(g *hub.Group, names []string) { g.Users = append(g.Users, names...) })
}

// RemoveMembers takes users out of a group, as AddMembers puts them in.
func (room *Room) RemoveMembers(a auth.Actor, group string, names []string) (hub.Group, error) {
	return room.changeMembers(a, group, names, func(g *hub.Group, names []string) {
		g.Users = slices.DeleteFunc(g.Users, func(u string) bool { return slices.Contains(names, u) })
	})
}

func (room *Room) changeMembers(a auth.Actor, group string, names []string, change func(*hub.Group, []string)) (hub.Group, error) {
	whole := room.wholeAdmin(a)
	return room.changeGroup(group, func(tx *store.Tx, g *hub.Group) error {
		if slices.Contains(room.rolesOfGroup(*g), rbac.RoleAdmin) && !whole {
			return hub.Errorf(hub.Forbidden, "Only admins can change who is in a group of admins")
		}
		found, err := existing(tx, names)
		if err == nil {
			change(g, found)
		}
		return err
	})
}

// setProperties answers PUT /hub/api/groups/G/properties: the body takes the place of what was there.
func (room *Room) setProperties(w http.ResponseWriter, r *http.Request) error {
	if err := room.knownGroup(r.PathValue("group")); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	g, err := room.putProperties(r.PathValue("group"), body)
	if err != nil {
		return err
	}
	return room.writeGroup(w, r, http.StatusOK, g)
}

// SetProperties gives a group the properties of a JSON object in the place of those that it has.
func (room *Room) SetProperties(group, raw string) error {
	body, err := parseObject([]byte(raw))
	if err == nil {
		_, err = room.putProperties(group, body)
	}
	return err
}

func (room *Room) putProperties(group string, body object) (g hub.Group, err error) {
	if body == nil {
		return g, hub.Errorf(hub.Invalid, "The properties must be a JSON object")
	}
	properties := make(map[string]any, len(body))
	for name := range body {
		var value any
		if err := body.into(name, &value, "JSON"); err != nil {
			return g, err
		}
		properties[name] = value
	}
	return room.changeGroup(group, func(_ *store.Tx, g *hub.Group) error {
		g.Properties = properties
		return nil
	})
}

func (room *Room) changeGroup(name string, change func(*store.Tx, *hub.Group) error) (g hub.Group, err error) {
	err = room.Store.Update(func(tx *store.Tx) error {
		if g, err = tx.Group(name); err != nil {
			return err
		}
		if err = change(tx, &g); err != nil {
			return err
		}
		g, err = tx.PutGroup(g)
		return err
	})
	return g, err
}
