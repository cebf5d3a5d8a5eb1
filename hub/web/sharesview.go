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

type sharesPage struct {
	Layout
	Made    string // the link just made, shown this once
	Refused string
	Asked   url.Values // what was refused

	Mine    bool          // what one shares may be seen
	Shares  bool          // one's own servers may be shared
	ByName  bool          // with users or groups by name
	Groups  bool          // there is a choice between the two
	Own     hub.ServerRef // one's default server
	Servers []hub.ServerRef
	Rights  []right
	Lives   []life
	Given   shareList[shareRow]
	Codes   shareList[codeRow]

	Taken shareList[takenRow]
	Sees  bool // what others share may be seen

	Search string // in the names that are shown
	Long   bool   // there is enough to search in
	Return string // the page's address, with what is looked at
}

// right is what may be shared besides the way into a server.
type right struct{ Key, Scope, Label string }

// rights are the choices of the page. Programs may share other scopes, which the page shows as they are.
var rights = []right{
	{"see", "read:servers", "see whether it runs"},
	{"start", "start:servers", "start it"},
	{"stop", "delete:servers", "stop it"},
}

// sharedRights reads what a form shares: the way in, and what is ticked.
func sharedRights(form url.Values) []string {
	scopes := []string{"access:servers"}
	for _, r := range rights {
		if slices.Contains(form["right"], r.Scope) {
			scopes = append(scopes, r.Scope)
		}
	}
	return scopes
}

// inWords says what scopes of a share permit.
func inWords(scopes []string) []string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = s
		if s == "access:servers" {
			words[i] = "work in it"
		}
		for _, r := range rights {
			if r.Scope == s {
				words[i] = r.Label
			}
		}
	}
	return words
}

// shareForm is the part that both forms of the page have: of which server they share what.
type shareForm struct {
	Page sharesPage
	Form string // begins the ids of its fields
}

type shareRow struct {
	hub.Share
	Words []string
}

type codeRow struct {
	hub.ShareCode
	Number string // the id, as the API writes it
	Words  []string
}

// takenRow is what somebody shares with the reader.
type takenRow struct {
	shareRow
	URL    string // where the server is; empty if it does not run, or may not be entered
	Start  string // where it can be started; empty if the reader may not
	Leaves bool   // it can be given up
}

// ofWhom names a server for people who have only servers of their own, or of somebody else.
func ofWhom(ref hub.ServerRef) string {
	if ref.Server == "" {
		return "default server"
	}
	return ref.Server
}

func (room *Room) showShares(w http.ResponseWriter, r *http.Request, status int, p sharesPage) error {
	u, err := me(r)
	if err != nil {
		return err
	}
	a := auth.FromContext(r.Context())
	self := rbac.UserResource(u.Name)
	look := lookOf(r, room.hub+"shares")
	p.Search, p.Return = look.search, look.at("", 0)
	p.Mine, p.Shares, p.Sees = a.May("read:shares", self), a.May("shares", self), a.May("read:users:shares", self)
	users, groups := reachesOthers(a, "read:users:name", u.Name), reachesOthers(a, "read:groups:name", "")
	p.ByName, p.Groups = users || groups, groups
	p.Own, p.Rights, p.Lives = hub.ServerRef{User: u.Name}, rights, shareLives
	err = room.Store.View(func(tx *store.Tx) error {
		for _, s := range tx.Servers(u.Name) {
			p.Servers = append(p.Servers, s.ServerRef)
		}
		if p.Mine {
			p.given(tx, u.Name, look)
		}
		return nil
	})
	var taken []hub.Share
	if err == nil {
		taken, err = room.sharedWith(r, u)
	}
	if err != nil {
		return err
	}
	found := pageOf(look, "taken", taken, func(s hub.Share) string { return s.Server.String() + " " + s.Group })
	p.Taken = shareList[takenRow]{found.pager, room.takenRows(r, found.Rows)}
	p.Long = p.Search != "" || p.Taken.Pages > 1 || p.Given.Pages > 1 || p.Codes.Pages > 1
	p.Layout = room.layout(w, r, "shares", "Sharing")
	return room.show(w, status, "shares", p)
}

// reachesOthers reports whether a scope shows anybody besides oneself.
func reachesOthers(a auth.Actor, scope, self string) bool {
	h := a.Scopes.Horizon(scope)
	return h.All || len(h.Groups) > 0 || slices.ContainsFunc(h.Users, func(name string) bool { return name != self })
}

func (p *sharesPage) given(tx *store.Tx, user string, look sharesLook) {
	shares := pageOf(look, "given", tx.SharesOf(user), func(s hub.Share) string { return ofWhom(s.Server) + " " + s.User + s.Group })
	p.Given.pager = shares.pager
	for _, s := range shares.Rows {
		p.Given.Rows = append(p.Given.Rows, shareRow{s, inWords(s.Scopes)})
	}
	codes := pageOf(look, "codes", tx.ShareCodesOf(user), func(c hub.ShareCode) string { return ofWhom(c.Server) })
	p.Codes.pager = codes.pager
	for _, c := range codes.Rows {
		p.Codes.Rows = append(p.Codes.Rows, codeRow{c, "sc_" + strconv.FormatUint(c.ID, 10), inWords(c.Scopes)})
	}
}

// sharedWith returns what others share with who asks, by the names of the owners, if that may be seen.
func (room *Room) sharedWith(r *http.Request, u hub.User) (shares []hub.Share, err error) {
	if !auth.FromContext(r.Context()).May("read:users:shares", rbac.UserResource(u.Name)) {
		return nil, nil
	}
	err = room.Store.View(func(tx *store.Tx) error {
		shares = tx.SharedWith(u.Name, u.Groups)
		return nil
	})
	shares = slices.DeleteFunc(shares, func(s hub.Share) bool { return s.Server.User == u.Name }) // with a group of one's own
	slices.SortStableFunc(shares, func(a, b hub.Share) int { return strings.Compare(a.Server.String(), b.Server.String()) })
	return shares, err
}

// takenRows shows shares to who asks. A server that cannot be looked up does not run.
func (room *Room) takenRows(r *http.Request, shares []hub.Share) (rows []takenRow) {
	a := auth.FromContext(r.Context())
	for _, s := range shares {
		row := takenRow{shareRow: shareRow{s, inWords(s.Scopes)}, Leaves: s.Group == "" && a.May("users:shares", rbac.UserResource(s.User))}
		what := rbac.ServerResource(s.Server)
		live, err := room.Workshop.Server(s.Server)
		if err == nil && live.State.Ready() && a.May("access:servers", what) {
			row.URL = live.URL
		}
		if err == nil && !live.State.Active() && a.May("start:servers", what) {
			row.Start = room.toSpawn(s.Server)
		}
		rows = append(rows, row)
	}
	return rows
}

// shareLives are the lifetimes of a link to choose from; the first is JupyterHub's.
var shareLives = []life{{strconv.Itoa(int(24 * time.Hour / time.Second)), "1 day"}, {"3600", "1 hour"}, {"604800", "1 week"}, {"2592000", "30 days"}, {"31536000", "1 year"}}

// Ticked reports whether a right was ticked in what was refused.
func (p sharesPage) Ticked(r right) bool { return slices.Contains(p.Asked["right"], r.Scope) }

// Was reports whether a field held a value in what was refused.
func (p sharesPage) Was(field, value string) bool { return p.Asked.Get(field) == value }
