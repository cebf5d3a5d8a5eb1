package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

type adminPage struct {
	Layout
	Search  string
	Sort    string
	Sorts   []sortLink
	Rows    []adminRow
	Total   int
	First   int // number of the first row on the page, from 1
	Last    int
	Earlier string // addresses of the neighbouring pages; empty where there are none
	Later   string
	Running int
	Usage   bool // memory and CPU may be seen
	Query   string
}

type sortLink struct {
	Label string
	Href  string
	Sort  string // "ascending", "descending" or ""
}

type adminRow struct {
	User    hub.User
	Self    bool
	Servers []adminServer
}

type adminServer struct {
	hub.Live
	Memory int64 // -1 unknown
	CPU    int64
}

// admin answers GET /hub/admin?search=&sort=&offset=. Search, order and paging are the store's work; the page never holds more
// than PageSize users.
func (room *Room) admin(w http.ResponseWriter, r *http.Request) error {
	q, a := r.URL.Query(), auth.FromContext(r.Context())
	offset, _ := strconv.Atoi(q.Get("offset")) // anything else is the first page
	offset = max(offset, 0)
	find := store.UserQuery{Offset: offset, Limit: room.PageSize, NameContains: q.Get("search"), Sort: order(q.Get("sort"))}
	reach := a.Scopes.Horizon("list:users")
	if !reach.All {
		find.Keep = func(name string) bool { return reach.ShowsUser(name, a.Groups(name)) }
	}
	var users []hub.User
	p := adminPage{Search: find.NameContains, Sort: find.Sort, Usage: a.Has("admin:server_state")}
	err := room.Store.View(func(tx *store.Tx) (err error) {
		users, p.Total, err = tx.Users(find)
		return err
	})
	if err != nil {
		return err
	}
	p.Layout = room.layout(w, r, "admin", "Administration")
	room.fill(r, &p, users)
	p.paging(room.hub+"admin", offset, room.PageSize)
	if p.Usage {
		p.Scripts = append(p.Scripts, "admin.js")
	}
	return room.show(w, http.StatusOK, "admin", p)
}

// order returns a sort that the store knows.
func order(sort string) string {
	switch strings.TrimPrefix(sort, "-") {
	case "name", "last_activity", "id":
		return sort
	}
	return "name"
}

func (room *Room) fill(r *http.Request, p *adminPage, users []hub.User) {
	var used map[hub.ServerRef]hub.Unit
	if p.Usage {
		used, _ = room.Workshop.Usage(r.Context()) // the page is of use without numbers, ignoring
	}
	for _, u := range users {
		row := adminRow{User: u, Self: u.Name == p.User}
		def, named, err := room.serversOf(u.Name)
		if err == nil {
			for _, live := range append([]hub.Live{def}, named...) {
				s := adminServer{live, -1, -1}
				if unit, ok := used[live.ServerRef]; ok {
					s.Memory, s.CPU = unit.Memory, unit.CPU
				}
				if live.State.Active() {
					p.Running++
				}
				row.Servers = append(row.Servers, s)
			}
		}
		p.Rows = append(p.Rows, row)
	}
}

// paging works out the addresses of the other pages and orders.
func (p *adminPage) paging(at string, offset, size int) {
	address := func(sort string, offset int) string {
		q := url.Values{}
		for key, value := range map[string]string{"search": p.Search, "sort": sort} {
			if value != "" {
				q.Set(key, value)
			}
		}
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		return at + "?" + q.Encode()
	}
	p.First, p.Last = offset+1, offset+len(p.Rows)
	if offset > 0 {
		p.Earlier = address(p.Sort, max(offset-size, 0))
	}
	if p.Last < p.Total && len(p.Rows) > 0 {
		p.Later = address(p.Sort, offset+size)
	}
	for _, s := range [][2]string{{"User", "name"}, {"Last activity", "last_activity"}} {
		link := sortLink{Label: s[0], Href: address(s[1], 0)}
		switch p.Sort {
		case s[1]:
			link.Sort, link.Href = "ascending", address("-"+s[1], 0)
		case "-" + s[1]:
			link.Sort = "descending"
		}
		p.Sorts = append(p.Sorts, link)
	}
	_, p.Query, _ = strings.Cut(address(p.Sort, offset), "?")
}

// administer answers POST /hub/admin.
func (room *Room) administer(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := room.adminAction(r); err != nil {
		return err
	}
	to := room.hub + "admin"
	if q, err := url.ParseQuery(r.PostForm.Get("query")); err == nil && len(q) > 0 {
		to += "?" + q.Encode()
	}
	return redirect(w, http.StatusSeeOther, to)
}

func (room *Room) adminAction(r *http.Request) error {
	a, user := auth.FromContext(r.Context()), r.PostForm.Get("user")
	switch action := r.PostForm.Get("action"); action {
	case "add":
		admin := r.PostForm.Get("admin") != ""
		if err := a.Authorize([]string{"admin:users"}, rbac.Resource{}); err != nil {
			return err
		}
		_, err := room.Directory.AddUsers(a, lines(r.PostForm.Get("usernames")), admin)
		return err
	case "remove":
		if err := a.Authorize([]string{"delete:users"}, rbac.UserResource(user)); err != nil {
			return err
		}
		return room.Directory.RemoveUser(r.Context(), a, user)
	case "stop-all":
		if err := a.Authorize([]string{"delete:servers"}, rbac.Resource{}); err != nil {
			return err
		}
		_, err := room.Workshop.StopAll(r.Context())
		return err
	default:
		return room.act(r, hub.ServerRef{User: user, Server: r.PostForm.Get("server")}, action)
	}
}

// lines splits a field of names, one a line: a name may hold spaces.
func lines(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	return names
}
