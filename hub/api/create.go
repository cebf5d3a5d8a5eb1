package api

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// maxNewUsers bounds one call; a request is one transaction.
const maxNewUsers = 5000

// createUsers answers POST /hub/api/users.
func (room *Room) createUsers(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var names []string
	if err := body.into("usernames", &names, "a list of names"); err != nil {
		return err
	}
	delete(body, "usernames")
	admin, err := readNewUser(body)
	if err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	created, err := room.AddUsers(a, names, admin)
	if err != nil {
		return err
	}
	models := []client.User{}
	for _, u := range created {
		auth.Concern(r, "user "+u.Name)
		models = append(models, room.userModel(readerOf(a), u, nil))
	}
	return writeJSON(w, http.StatusCreated, models)
}

// readNewUser reads what is said of a new user. All of it must be of its type, and only admin does something.
func readNewUser(body object) (admin bool, err error) {
	var name string
	var groups, roles []any
	var state map[string]any
	return admin, errors.Join(
		body.only("name", "admin", "groups", "roles", "auth_state"),
		body.must("admin", &admin, "true or false"),
		body.must("name", &name, "a string"),
		body.must("groups", &groups, "a list"),
		body.must("roles", &roles, "a list"),
		body.must("auth_state", &state, "an object"),
	)
}

// AddUsers makes users: all of them or, if a name is no name, none. Names are lower-cased, as a login would have them. Those
// that exist are passed over; if all do, that is a Conflict. Only an admin makes admins.
func (room *Room) AddUsers(a auth.Actor, names []string, admin bool) ([]hub.User, error) {
	names, err := room.newNames(names)
	if err != nil {
		return nil, err
	}
	if err := room.mayMake(a, admin); err != nil {
		return nil, err
	}
	created, err := room.addUsers(names, admin)
	if err == nil && len(created) == 0 {
		err = hub.Errorf(hub.Conflict, "All users already exist")
	}
	return created, err
}

// fits refuses what no user is called here.
func (room *Room) fits(name string) error {
	if _, err := account.Clean(name); err != nil {
		return err
	}
	if room.Names != nil && !room.Names.MatchString(name) {
		return hub.Errorf(hub.Invalid, "Invalid user name: %s does not match username_pattern", short(name))
	}
	return nil
}

// newNames checks names, and returns them as a login would have them (specification 1.5).
func (room *Room) newNames(names []string) ([]string, error) {
	switch {
	case len(names) == 0:
		return nil, hub.Errorf(hub.Invalid, "Must specify at least one user to create")
	case len(names) > maxNewUsers:
		return nil, hub.Errorf(hub.Invalid, "At most %d users at a time", maxNewUsers)
	}
	var out, invalid []string
	for _, name := range names {
		out = append(out, strings.ToLower(name))
		// A lone surrogate in JSON is read as U+FFFD, which nobody is called.
		if err := room.fits(strings.ToLower(name)); err != nil || strings.ContainsRune(name, utf8.RuneError) {
			invalid = append(invalid, short(name))
		}
	}
	if len(invalid) > 0 {
		return nil, hub.Errorf(hub.Invalid, "Invalid user names: %s", strings.Join(invalid[:min(len(invalid), 10)], ", "))
	}
	return out, nil
}

// addUsers makes those users that are not there yet.
func (room *Room) addUsers(names []string, admin bool) (created []hub.User, err error) {
	err = room.Store.Update(func(tx *store.Tx) error {
		created = nil
		for _, name := range names {
			u, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Admin: admin, Created: room.Now()})
			if hub.KindOf(err) == hub.Conflict {
				continue
			}
			if err != nil {
				return err
			}
			created = append(created, u)
		}
		return nil
	})
	return created, err
}

// createUser answers POST /hub/api/users/U. The name is taken as it is.
func (room *Room) createUser(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	if _, err := room.user(r.PathValue("user")); err == nil {
		return hub.Errorf(hub.Conflict, "User %s already exists", r.PathValue("user"))
	}
	admin, err := readNewUser(body)
	if err != nil {
		return err
	}
	name := r.PathValue("user")
	if err := room.fits(name); err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	if err := room.mayMake(a, admin); err != nil {
		return err
	}
	created, err := room.addUsers([]string{name}, admin)
	if err != nil {
		return err
	}
	if len(created) == 0 {
		return hub.Errorf(hub.Conflict, "User %s already exists", name)
	}
	return writeJSON(w, http.StatusCreated, room.userModel(readerOf(a), created[0], nil))
}
