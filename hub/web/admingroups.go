package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

type groupsPage struct {
	adminFrame
	pager
	Search string
	Rows   []groupRow
	Adds   bool // groups may be made
}

// groupRow is a group as far as the reader's scopes show one.
type groupRow struct {
	Name    string
	Sees    bool // its members may be seen
	Members int
}

// groups answers GET /hub/admin/groups?search=&offset=.
func (room *Room) groups(w http.ResponseWriter, r *http.Request) error {
	return room.showGroups(w, r, http.StatusOK, adminFrame{})
}

func (room *Room) showGroups(w http.ResponseWriter, r *http.Request, status int, frame adminFrame) error {
	a, q := auth.FromContext(r.Context()), r.URL.Query()
	if err := a.Authorize([]string{"list:groups"}, rbac.ListOf(rbac.Group)); err != nil {
		return err
	}
	p := groupsPage{adminFrame: frame, Search: q.Get("search"), Adds: a.Has("admin:groups")}
	offset := numberOf(q, "offset")
	find := store.GroupQuery{Offset: offset, Limit: room.PageSize, NameContains: p.Search}
	if reach := a.Scopes.Horizon("list:groups"); !reach.All {
		find.Keep = func(name string) bool { return slices.Contains(reach.Groups, name) }
	}
	var found []hub.Group
	err := room.Store.View(func(tx *store.Tx) (err error) {
		found, p.Total, err = tx.Groups(find)
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range found {
		row := groupRow{Name: g.Name, Sees: a.May("read:groups", rbac.GroupResource(g.Name))}
		if row.Sees {
			row.Members = len(g.Users)
		}
		p.Rows = append(p.Rows, row)
	}
	p.Layout, p.Parts = room.layout(w, r, "admin", "Groups"), room.adminParts(a, "Groups")
	p.turn(offset, room.PageSize, len(p.Rows), pagesOf(room.path("admin", "groups"), p.Search))
	return room.show(w, status, "admin-groups", p)
}

// pagesOf returns the addresses of the pages of what was searched for.
func pagesOf(at, search string) func(offset int) string {
	return func(offset int) string {
		q := url.Values{}
		if search != "" {
			q.Set("search", search)
		}
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		return at + "?" + q.Encode()
	}
}

// makeGroups answers POST /hub/admin/groups. What is refused is told on the page, with what was typed.
func (room *Room) makeGroups(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	names, users := lines(r.PostForm.Get("groups")), lines(r.PostForm.Get("usernames"))
	auth.Concern(r, "action add")
	for _, name := range names {
		auth.Concern(r, "group "+name)
	}
	err := auth.FromContext(r.Context()).Authorize([]string{"admin:groups"}, rbac.Resource{})
	if err == nil {
		_, err = room.Directory.AddGroups(names, users)
	}
	if err == nil {
		return redirect(w, http.StatusSeeOther, room.path("admin", "groups"))
	}
	if status, frame, ok := mendable(r, err); ok {
		return room.showGroups(w, r, status, frame)
	}
	return err
}
