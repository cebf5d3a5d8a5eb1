package web

import (
	"context"
	"encoding/json"
	"html/template"
	"net/url"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/store"
)

// Workshop runs servers. *spawner.Manager is one.
type Workshop interface {
	Create(ref hub.ServerRef, displayName string) (hub.Live, error)
	Start(ctx context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Live, error)
	Wait(ctx context.Context, ref hub.ServerRef) (hub.Live, error)
	Stop(ctx context.Context, ref hub.ServerRef) (hub.Live, error)
	Remove(ctx context.Context, ref hub.ServerRef) error
	StopAll(ctx context.Context) (int, error)
	Server(ref hub.ServerRef) (hub.Live, error)
	Servers(user string) []hub.Live
	Active() []hub.Live
	Usage(ctx context.Context) (map[hub.ServerRef]hub.Unit, error)
}

// Directory changes users, groups, tokens and shares by the API's rules. *api.Room is one. Whether the actor may is asked before.
type Directory interface {
	// NewToken makes a token of user. Nil scopes mean the owner's own; life 0 means as long as the admin allows.
	NewToken(a auth.Actor, user, note string, life time.Duration, scopes []string) (value string, _ hub.Token, err error)
	RevokeToken(user, id string) error
	AddUsers(a auth.Actor, names []string, admin bool) ([]hub.User, error)
	SetAdmin(a auth.Actor, user string, admin bool) error
	RenameUser(a auth.Actor, old, name string) (hub.User, error)
	RemoveUser(ctx context.Context, a auth.Actor, name string) error
	AddGroups(names, users []string) ([]hub.Group, error)
	RemoveGroup(name string) error
	AddMembers(a auth.Actor, group string, users []string) (hub.Group, error)
	RemoveMembers(a auth.Actor, group string, users []string) (hub.Group, error)
	// SetProperties takes a JSON object, in the place of the properties that there are.
	SetProperties(group, properties string) error
	// Share shares a server with a user or a group, by name: Forbidden for more than the actor holds, or whom they may not see.
	Share(a auth.Actor, wish hub.Share) (hub.Share, error)
	Unshare(wish hub.Share) (left hub.Share, some bool, err error)
	LeaveShare(ref hub.ServerRef, user, group string) error
	NewShareCode(a auth.Actor, ref hub.ServerRef, scopes []string, life time.Duration) (value string, _ hub.ShareCode, err error)
	RevokeShareCode(ref hub.ServerRef, id string) error
	// Offer returns what a code for a share offers a user: NotFound, or Forbidden for one of their own.
	Offer(user, code string) (hub.ShareCode, error)
	AcceptShare(user, code string) (hub.Share, error)
}

// Profile is a way to start a server that may be chosen. Whether it may be had is decided on root's side, at the start.
type Profile struct {
	Name        string
	DisplayName string // empty means Name
	Description string
}

// Options are what the room is furnished with.
type Options struct {
	Store     *store.Store
	Porter    *auth.Porter
	Workshop  Workshop
	Directory Directory
	Shutdown  func(stopServers bool) // ends the hub's process soon; nil where that cannot be asked for

	BaseURL          string // "/" or "/jupyter/"
	Hosts            hosts.Hosts
	DefaultURL       string // where a login leads if not to the server; empty means what RedirectToServer says
	RedirectToServer bool   // a login leads to the user's server, which starts if need be; otherwise to the home page
	NamedServers     bool
	NamedServerLimit int // that one user may have; 0: as many as they like
	ShutdownOnLogout bool
	AdminGroups      []string // of the machine: who is in one is an admin from the next login on, and nobody else
	InsecureHTTP     bool     // passwords may be typed over plain HTTP from other machines
	Profiles         []Profile
	OptionsForm      string                                                      // HTML with the fields to ask at a start, in place of the form made from Profiles
	SimpleOptions    bool                                                        // one answer of a field is no list, and "on" is true (options_from_form)
	Offers           func(ctx context.Context, user string) ([]hub.Offer, error) // which of these a user may choose; nil: all
	// DefaultServerName is the named server that user-redirect leads to; empty is the default server.
	DefaultServerName string
	ImplicitSpawn     time.Duration     // after which the page of a server that does not run starts it; 0: never
	LogoFile          string            // a picture in place of JupyterHub's; empty for none
	Announcements     map[string]string // announcement, announcement_home, _login, _spawn, _logout: JupyterHub's template_vars
	TokenMax          time.Duration     // longest life of a token; 0 means no limit
	PageSize          int               // rows of the admin page; 0 means 50
	Now               func() time.Time
}

// Room answers people.
type Room struct {
	Options
	hub   string // BaseURL + "hub/"
	pages map[string]*template.Template
	files assets

	picture file          // the logo
	form    template.HTML // the fields of OptionsForm
}

// New opens the room. It fails if an embedded template is broken.
func New(o Options) (*Room, error) {
	if o.BaseURL == "" {
		o.BaseURL = "/"
	}
	if o.PageSize <= 0 {
		o.PageSize = 50
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	room := &Room{Options: o, hub: o.BaseURL + "hub/"}
	var err error
	if room.files, err = readAssets(); err != nil {
		return nil, err
	}
	if room.picture, err = room.readLogo(); err != nil {
		return nil, err
	}
	if room.form, err = readOptionsForm(room.OptionsForm); err != nil {
		return nil, err
	}
	room.pages, err = room.readTemplates()
	return room, err
}

// path joins escaped segments to the hub's URL; empty ones at the end are left out.
func (room *Room) path(segments ...string) string {
	p := room.hub
	for i, s := range segments {
		if s == "" {
			break
		}
		if i > 0 {
			p += "/"
		}
		p += url.PathEscape(s)
	}
	return p
}

// toSpawn is the address that starts a server.
func (room *Room) toSpawn(ref hub.ServerRef) string { return room.path("spawn", ref.User, ref.Server) }

// toPending is the address that shows how its start goes.
func (room *Room) toPending(ref hub.ServerRef) string {
	return room.path("spawn-pending", ref.User, ref.Server)
}

// withNext adds next= to an address, unless there is none to add.
func withNext(address, next string) string {
	if next == "" {
		return address
	}
	return address + "?next=" + url.QueryEscape(next)
}
