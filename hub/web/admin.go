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
	adminFrame
	pager
	Search   string
	Sort     string
	Sorts    []sortLink
	Rows     []adminRow
	Size     int   // rows of a page at most
	Sizes    []int // to choose from
	Picks    bool  // users may be picked by what runs
	Active   bool  // only those with a server that runs are shown
	Usage    bool  // what servers use may be seen
	Adds     bool  // users may be added
	Halts    bool  // all servers may be stopped
	Starts   bool  // some server on the page may be started
	Shutdown bool  // the hub may be ended
	Query    string
	Version  string
	Groups   string // of the machine, which decide who is an admin; empty where it is decided here
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
	Opens         bool  // it runs, and the reader may enter
	Starts, Stops bool  // there is such a button: the reader may, and it makes sense as far as the reader may know
	Deletes       bool  // likewise; a named server alone
	Memory        int64 // -1 unknown
	CPU           int64
	Tasks         int64
	Read, Written int64 // bytes of disks
}

// mostRows is the longest page of users that can be asked for.
const mostRows = 200

// admin answers GET /hub/admin?search=&sort=&offset=&limit=&state=. Search, order and paging are the store's work; the page never
// holds more users than its limit.
func (room *Room) admin(w http.ResponseWriter, r *http.Request) error {
	return room.showAdmin(w, r, http.StatusOK, r.URL.Query(), adminFrame{})
}

func (room *Room) showAdmin(w http.ResponseWriter, r *http.Request, status int, q url.Values, frame adminFrame) error {
	a := auth.FromContext(r.Context())
	p := adminPage{adminFrame: frame, Search: q.Get("search"), Sort: order(a, q.Get("sort")), Usage: a.Has("admin:server_state"), Picks: a.Has("read:servers")}
	offset := numberOf(q, "offset")
	p.sizes(room.PageSize, numberOf(q, "limit"))
	find := store.UserQuery{Offset: offset, Limit: p.Size, NameContains: p.Search, Sort: p.Sort}
	reach := a.Scopes.Horizon("list:users")
	if !reach.All {
		find.Keep = func(name string) bool { return reach.ShowsUser(name, a.Groups(name)) }
	}
	var users []hub.User
	if p.Active = p.Picks && q.Get("state") == "active"; p.Active {
		find.Only = ownersOf(room.Workshop.Active())
	}
	p.Version = hub.Version + ", API of JupyterHub " + hub.APIVersion
	p.Groups = strings.Join(room.AdminGroups, ", ")
	p.Adds, p.Halts, p.Shutdown = a.Has("admin:users"), a.Has("delete:servers"), room.Shutdown != nil && a.Has("shutdown")
	err := room.Store.View(func(tx *store.Tx) (err error) {
		users, p.Total, err = tx.Users(find)
		return err
	})
	if err != nil {
		return err
	}
	p.Layout, p.Parts = room.layout(w, r, "admin", "Administration"), room.adminParts(a, "Users")
	room.fill(r, &p, users)
	p.turn(offset, p.Size, len(p.Rows), func(offset int) string { return p.address(room.hub+"admin", p.Sort, offset, room.PageSize) })
	p.sorts(room.hub+"admin", offset, room.PageSize)
	if p.Usage {
		p.Scripts = append(p.Scripts, "admin.js")
	}
	return room.show(w, status, "admin", p)
}

// numberOf reads a number of a page's address; anything else is 0.
func numberOf(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// sizes settles how many users are on a page, and what there is to choose from.
func (p *adminPage) sizes(usual, asked int) {
	p.Size = usual
	if asked > 0 {
		p.Size = min(asked, mostRows)
	}
	p.Sizes = []int{usual, p.Size, 50, 100, mostRows}
	slices.Sort(p.Sizes)
	p.Sizes = slices.Compact(p.Sizes)
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
				s.Memory, s.CPU, s.Tasks = unit.Memory, unit.CPU, unit.Tasks
				if unit.Used != nil {
					s.Read, s.Written = unit.Used.IORead, unit.Used.IOWritten
				}
			}
			p.Starts = p.Starts || i == 0 && s.Seen && s.Starts
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
		s := adminServer{Live: live, Seen: a.May("read:servers", what), Memory: -1, CPU: -1, Tasks: -1, Read: -1, Written: -1}
		s.Starts, s.Stops = a.May("start:servers", what), a.May("delete:servers", what)
		if s.Seen {
			s.Deletes = s.Stops && !live.State.Active() && i > 0
			s.Opens = live.State.Ready() && a.May("access:servers", what)
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

// address is that of the page with another order, from another user on.
func (p *adminPage) address(at, sort string, offset, usual int) string {
	q := url.Values{}
	for key, value := range map[string]string{"search": p.Search, "sort": sort} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if p.Active {
		q.Set("state", "active")
	}
	if p.Size != usual {
		q.Set("limit", strconv.Itoa(p.Size))
	}
	if offset > 0 {
		q.Set("offset", strconv.Itoa(offset))
	}
	return at + "?" + q.Encode()
}

// sorts works out the addresses of the other orders.
func (p *adminPage) sorts(at string, offset, usual int) {
	for _, s := range [][2]string{{"User", "name"}, {"Last activity", "last_activity"}} {
		link := sortLink{Label: s[0], Href: p.address(at, s[1], 0, usual)}
		switch p.Sort {
		case s[1]:
			link.Sort, link.Href = "ascending", p.address(at, "-"+s[1], 0, usual)
		case "-" + s[1]:
			link.Sort = "descending"
		}
		p.Sorts = append(p.Sorts, link)
	}
	_, p.Query, _ = strings.Cut(p.address(at, p.Sort, offset, usual), "?")
}
