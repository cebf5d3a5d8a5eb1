package web

import (
	"net/http"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// adminUserPage is about one user, as far as the reader's scopes show one.
type adminUserPage struct {
	adminFrame
	Who        adminRow
	Created    *time.Time // nil: may not be seen
	SeesGroups bool
	InGroups   []string
	SeesRoles  bool
	Roles      []string // besides user and admin
	Renames    bool     // the user may get another name
	MayRename  bool     // and no server that runs carries the old one
	Asks       bool     // there is something to choose at a start
	Machine    string   // groups of the machine that decide who is an admin; empty where it is decided here
}

// seeUser are the scopes that show something of a user each, as at the API.
var seeUser = []string{"read:users", "read:users:name", "read:servers", "read:users:groups", "read:users:activity", "read:roles:users"}

// adminUser answers GET /hub/admin/users/U.
func (room *Room) adminUser(w http.ResponseWriter, r *http.Request) error {
	return room.showAdminUser(w, r, http.StatusOK, adminFrame{})
}

func (room *Room) showAdminUser(w http.ResponseWriter, r *http.Request, status int, frame adminFrame) error {
	a, name := auth.FromContext(r.Context()), r.PathValue("user")
	who := rbac.UserResource(name)
	if err := a.Authorize(seeUser, who); err != nil {
		return err
	}
	var u hub.User
	err := room.Store.View(func(tx *store.Tx) (err error) {
		u, err = tx.User(name)
		return err
	})
	if err != nil {
		return err
	}
	p := adminUserPage{adminFrame: frame, Who: userRow(a, u), Machine: strings.Join(room.AdminGroups, ", ")}
	p.Layout, p.Parts = room.layout(w, r, "admin", "User "+u.Name), room.adminParts(a, "")
	if a.May("read:users", who) {
		p.Created = &u.Created
	}
	if p.SeesGroups = a.May("read:users:groups", who); p.SeesGroups {
		p.InGroups = u.Groups
	}
	if p.SeesRoles = a.May("read:roles:users", who); p.SeesRoles {
		p.Roles = append(append([]string{}, u.Roles...), room.Porter.Policy().Configured(rbac.User, u.Name)...)
	}
	def, named, err := room.serversOf(u.Name)
	if err != nil {
		return err
	}
	p.Who.Servers = serverRows(a, def, named)
	p.Asks = room.asks(room.offers(r.Context(), u.Name))
	p.Renames = a.May("admin:users", who) && (!u.Admin || a.Admin())
	p.MayRename = p.Renames && !anyActive(append(named, def))
	return room.show(w, status, "admin-user", p)
}

func anyActive(servers []hub.Live) bool {
	for _, live := range servers {
		if live.State.Active() {
			return true
		}
	}
	return false
}

// changeAdminUser answers POST /hub/admin/users/U. What is refused is told on the page, with what was typed.
func (room *Room) changeAdminUser(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name, action := r.PathValue("user"), r.PostForm.Get("action")
	auth.Concern(r, "action "+action)
	to := room.path("admin", "users", name)
	var err error
	switch action {
	case "rename":
		var u hub.User
		u, err = room.rename(r, name, strings.TrimSpace(r.PostForm.Get("name")))
		to = room.path("admin", "users", u.Name)
	case "remove":
		to = room.hub + "admin"
		fallthrough
	default:
		err = room.userAction(r, name, action)
	}
	if err == nil {
		return redirect(w, http.StatusSeeOther, to)
	}
	if status, frame, ok := mendable(r, err); ok {
		return room.showAdminUser(w, r, status, frame)
	}
	return err
}

func (room *Room) rename(r *http.Request, old, name string) (hub.User, error) {
	auth.Concern(r, "user "+old)
	auth.Concern(r, "to "+name)
	a := auth.FromContext(r.Context())
	if err := a.Authorize([]string{"admin:users"}, rbac.UserResource(old)); err != nil {
		return hub.User{}, err
	}
	return room.Directory.RenameUser(a, old, name)
}
