package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// groupPage is about one group, as far as the reader's scopes show one.
type groupPage struct {
	adminFrame
	pager
	Name       string
	Sees       bool // members and properties may be seen
	Search     string
	Members    []string // those on this page
	Properties string   // JSON
	SeesRoles  bool
	Roles      []string
	Changes    bool // members and properties may be changed
	Deletes    bool
}

// seeGroup are the scopes that show something of a group each, as at the API.
var seeGroup = []string{"read:groups", "read:groups:name", "read:roles:groups"}

// group answers GET /hub/admin/groups/G?search=&offset=.
func (room *Room) group(w http.ResponseWriter, r *http.Request) error {
	return room.showGroup(w, r, http.StatusOK, adminFrame{})
}

func (room *Room) showGroup(w http.ResponseWriter, r *http.Request, status int, frame adminFrame) error {
	a, what := auth.FromContext(r.Context()), rbac.GroupResource(r.PathValue("group"))
	if err := a.Authorize(seeGroup, what); err != nil {
		return err
	}
	var g hub.Group
	err := room.Store.View(func(tx *store.Tx) (err error) {
		g, err = tx.Group(what.Name)
		return err
	})
	if err != nil {
		return err
	}
	p := groupPage{adminFrame: frame, Name: g.Name, Sees: a.May("read:groups", what), Changes: a.May("groups", what), Deletes: a.May("delete:groups", what)}
	p.Layout, p.Parts = room.layout(w, r, "admin", "Group "+g.Name), room.adminParts(a, "")
	if p.SeesRoles = a.May("read:roles:groups", what); p.SeesRoles {
		p.Roles = append(append([]string{}, g.Roles...), room.Porter.Policy().Configured(rbac.Group, g.Name)...)
	}
	if p.Sees {
		p.members(r, g.Users, room.PageSize, room.path("admin", "groups", g.Name))
		p.Properties = pretty(g.Properties)
	}
	if typed := frame.Asked.Get("properties"); typed != "" {
		p.Properties = typed
	}
	return room.show(w, status, "admin-group", p)
}

// members cuts out of all members those that are on the page.
func (p *groupPage) members(r *http.Request, all []string, size int, at string) {
	p.Search = r.URL.Query().Get("search")
	contains := strings.ToLower(p.Search)
	found := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !strings.Contains(strings.ToLower(name), contains) })
	offset := min(numberOf(r.URL.Query(), "offset"), len(found))
	p.Total, p.Members = len(found), found[offset:min(offset+size, len(found))]
	p.turn(offset, size, len(p.Members), pagesOf(at, p.Search))
}

// pretty writes properties for people to read and change.
func pretty(properties map[string]any) string {
	if len(properties) == 0 {
		return "{}"
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // the template does that
	e.SetIndent("", "  ")
	if e.Encode(properties) != nil {
		return "{}" // they came as JSON
	}
	return strings.TrimSpace(text.String())
}

// changeGroup answers POST /hub/admin/groups/G. What is refused is told on the page, with what was typed.
func (room *Room) changeGroup(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	err := room.groupAction(r, r.PathValue("group"), r.PostForm.Get("action"))
	switch {
	case err == nil && r.PostForm.Get("action") == "delete":
		return redirect(w, http.StatusSeeOther, room.path("admin", "groups"))
	case err == nil:
		return redirect(w, http.StatusSeeOther, room.path("admin", "groups", r.PathValue("group")))
	}
	if status, frame, ok := mendable(r, err); ok {
		return room.showGroup(w, r, status, frame)
	}
	return err
}

func (room *Room) groupAction(r *http.Request, name, action string) error {
	auth.Concern(r, "action "+action)
	auth.Concern(r, "group "+name)
	scope, known := map[string]string{"add": "groups", "leave": "groups", "properties": "groups", "delete": "delete:groups"}[action]
	if !known {
		return hub.Errorf(hub.Invalid, "There is no button %q", action)
	}
	a := auth.FromContext(r.Context())
	if err := a.Authorize([]string{scope}, rbac.GroupResource(name)); err != nil {
		return err
	}
	users := lines(r.PostForm.Get("usernames"))
	for _, user := range users {
		auth.Concern(r, "user "+user)
	}
	var err error
	switch action {
	case "add":
		if len(users) == 0 {
			return hub.Errorf(hub.Invalid, "Who is to be in the group? The names are missing")
		}
		_, err = room.Directory.AddMembers(a, name, users)
	case "leave":
		_, err = room.Directory.RemoveMembers(a, name, users)
	case "properties":
		err = room.Directory.SetProperties(name, r.PostForm.Get("properties"))
	case "delete":
		err = room.Directory.RemoveGroup(name)
	}
	return err
}
