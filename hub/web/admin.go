package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Page    int // from 1
	Pages   int
	Start   string // addresses of other pages; empty where there are none
	Earlier string
	Later   string
	End     string
	Running int
	Picks   bool // users may be picked by what runs
	Active  bool // only those with a server that runs are shown
	Usage   bool // memory and CPU may be seen
	Adds    bool // users may be added
	Halts   bool // all servers may be stopped
	Query   string
	Groups  string // of the machine, which decide who is an admin; empty where it is decided here
}

type sortLink struct {
	Label string
	Href  string
	Sort  string // "ascending", "descending" or ""
}

// adminRow is a user as far as the reader's scopes show one: what may not be read is not there. Servers has at least one
// element, for its actions.
type adminRow struct {
	Name     string
	Admin    bool
	Activity *time.Time // nil: may not be seen
	Removes  bool       // the user may be removed
	Promotes bool       // the user may be made an admin, or be one no more
	Servers  []adminServer
}

type adminServer struct {
	hub.Live
	Seen          bool  // state and failure may be seen
	Starts, Stops bool  // there is such a button: the reader may, and it makes sense as far as the reader may know
	Memory        int64 // -1 unknown
	CPU           int64
}

// admin answers GET /hub/admin?search=&sort=&offset=. Search, order and paging are the store's work; the page never holds more
// than PageSize users.
func (room *Room) admin(w http.ResponseWriter, r *http.Request) error {
	q, a := r.URL.Query(), auth.FromContext(r.Context())
	offset, err := strconv.Atoi(q.Get("offset"))
	if err != nil || offset < 0 {
		offset = 0 // anything else is the first page
	}
	find := store.UserQuery{Offset: offset, Limit: room.PageSize, NameContains: q.Get("search"), Sort: order(a, q.Get("sort"))}
	reach := a.Scopes.Horizon("list:users")
	if !reach.All {
		find.Keep = func(name string) bool { return reach.ShowsUser(name, a.Groups(name)) }
	}
	var users []hub.User
	p := adminPage{Search: find.NameContains, Sort: find.Sort, Usage: a.Has("admin:server_state"), Picks: a.Has("read:servers")}
	if p.Active = p.Picks && q.Get("state") == "active"; p.Active {
		find.Only = ownersOf(room.Workshop.Active())
	}
	p.Groups = strings.Join(room.AdminGroups, ", ")
	p.Adds, p.Halts = a.Has("admin:users"), a.Has("delete:servers")
	err = room.Store.View(func(tx *store.Tx) (err error) {
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

// ownersOf names whose servers these are, which is nobody and not everybody where there are none.
func ownersOf(servers []hub.Live) []string {
	names := make([]string, 0, len(servers))
	for _, live := range servers {
		names = append(names, live.User)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// order returns a sort that the store knows. The order of activity tells as much as the times do.
func order(a auth.Actor, sort string) string {
	switch strings.TrimPrefix(sort, "-") {
	case "last_activity":
		if a.Has("read:users:activity") {
			return sort
		}
	case "name", "id":
		return sort
	}
	return "name"
}

func (room *Room) fill(r *http.Request, p *adminPage, users []hub.User) {
	var used map[hub.ServerRef]hub.Unit
	if p.Usage {
		used, _ = room.Workshop.Usage(r.Context()) // the page is of use without numbers, ignoring
	}
	a := auth.FromContext(r.Context())
	for _, u := range users {
		row := userRow(a, u)
		if def, named, err := room.serversOf(u.Name); err == nil {
			row.Servers = serverRows(a, def, named)
		}
		for i := range row.Servers {
			s := &row.Servers[i]
			if unit, ok := used[s.ServerRef]; ok {
				s.Memory, s.CPU = unit.Memory, unit.CPU
			}
			if s.Seen && s.State.Active() {
				p.Running++
			}
		}
		p.Rows = append(p.Rows, row)
	}
}

// userRow shows what the API's model of a user shows to the same reader.
func userRow(a auth.Actor, u hub.User) adminRow {
	who := rbac.UserResource(u.Name)
	row := adminRow{Name: u.Name, Removes: u.Name != a.Owner.Name && a.May("delete:users", who)}
	row.Promotes = u.Name != a.Owner.Name && a.Admin() && a.May("admin:users", who)
	row.Admin = u.Admin && (a.May("read:users:name", who) || a.May("read:roles:users", who))
	if a.May("read:users:activity", who) {
		row.Activity = &u.LastActivity
	}
	return row
}

// serverRows shows the servers that may be read. The default server is there for its buttons, even where it may not be read.
func serverRows(a auth.Actor, def hub.Live, named []hub.Live) (rows []adminServer) {
	for i, live := range append([]hub.Live{def}, named...) {
		what := rbac.ServerResource(live.ServerRef)
		s := adminServer{Live: live, Seen: a.May("read:servers", what), Memory: -1, CPU: -1}
		s.Starts, s.Stops = a.May("start:servers", what), a.May("delete:servers", what)
		if s.Seen {
			s.Starts, s.Stops = s.Starts && !live.State.Active(), s.Stops && live.State.Active() && live.State != hub.Stopping
		} else {
			s.Live = hub.Live{Server: hub.Server{ServerRef: live.ServerRef}}
		}
		if s.Seen || i == 0 {
			rows = append(rows, s)
		}
	}
	return rows
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
		if p.Active {
			q.Set("state", "active")
		}
		if offset > 0 {
			q.Set("offset", strconv.Itoa(offset))
		}
		return at + "?" + q.Encode()
	}
	p.First, p.Last = offset+1, offset+len(p.Rows)
	p.Page, p.Pages = offset/size+1, (p.Total+size-1)/size
	if offset > 0 {
		p.Start, p.Earlier = address(p.Sort, 0), address(p.Sort, max(offset-size, 0))
	}
	if p.Last < p.Total && len(p.Rows) > 0 {
		p.Later, p.End = address(p.Sort, offset+size), address(p.Sort, (p.Pages-1)*size)
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
	auth.Concern(r, "action "+r.PostForm.Get("action"))
	switch action := r.PostForm.Get("action"); action {
	case "add":
		admin := r.PostForm.Get("admin") != ""
		if err := a.Authorize([]string{"admin:users"}, rbac.Resource{}); err != nil {
			return err
		}
		made, err := room.Directory.AddUsers(a, lines(r.PostForm.Get("usernames")), admin)
		for _, u := range made {
			auth.Concern(r, "user "+u.Name)
		}
		return err
	case "remove":
		auth.Concern(r, "user "+user)
		if err := a.Authorize([]string{"delete:users"}, rbac.UserResource(user)); err != nil {
			return err
		}
		return room.Directory.RemoveUser(r.Context(), a, user)
	case "promote", "demote":
		auth.Concern(r, "user "+user)
		if err := a.Authorize([]string{"admin:users"}, rbac.UserResource(user)); err != nil {
			return err
		}
		return room.Directory.SetAdmin(a, user, action == "promote")
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
