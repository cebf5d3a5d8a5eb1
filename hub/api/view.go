package api

import (
	"encoding/json"
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/rbac"
)

// reader is who a model is shown to. What a model holds follows from the reader's scopes for the thing shown, key by key
// (specification 1.3), and from nothing else.
type reader struct {
	scopes rbac.Set
	groups rbac.GroupsOf
	used   map[hub.ServerRef]hub.Unit // what servers use, if the reader asks and may know
}

func readerOf(a auth.Actor) reader { return reader{scopes: a.Scopes, groups: a.Groups} }

// may reports whether the reader holds any of the scopes for a resource.
func (by reader) may(r rbac.Resource, scopes ...string) bool {
	for _, s := range scopes {
		if by.scopes.Allows(s, r, by.groups) {
			return true
		}
	}
	return false
}

// sight is what a reader may see of one user. For who has no filtered scopes it is the same for all users.
type sight struct{ all, name, roles, groups, activity, authState, servers bool }

func (by reader) sightOf(user string) sight {
	who := rbac.UserResource(user)
	return sight{
		all: by.may(who, "read:users"), name: by.may(who, "read:users:name"), roles: by.may(who, "read:roles:users"), groups: by.may(who, "read:users:groups"),
		activity: by.may(who, "read:users:activity"), authState: by.may(who, "admin:auth_state"), servers: by.may(who, "read:servers"),
	}
}

// userModel shows a user with those of their servers that are given.
func (room *Room) userModel(by reader, u hub.User, servers []hub.Live) client.User {
	return room.userSeen(by, by.sightOf(u.Name), u, servers)
}

func (room *Room) userSeen(by reader, sees sight, u hub.User, servers []hub.Live) client.User {
	null := json.RawMessage(nil)
	m := client.User{Kind: "user", Name: u.Name}
	if sees.all || sees.name || sees.roles {
		m.Admin = client.Show(u.Admin)
	}
	if sees.all || sees.name {
		m.UserInfo = client.Show(null)
	}
	if sees.all || sees.roles {
		m.Roles = client.Show(room.rolesOf(u))
	}
	if sees.all || sees.groups {
		m.Groups = client.Show(orEmpty(u.Groups))
	}
	if sees.all {
		m.Created = client.Show(client.At(u.Created))
		m.Server, m.Pending = defaultServer(servers)
	}
	if sees.all || sees.activity {
		m.LastActivity = client.Show(client.At(u.LastActivity))
	}
	if sees.authState {
		m.AuthState = client.Show(null)
	}
	m.Servers = room.visible(by, sees, servers)
	return m
}

// orEmpty keeps a list from being null on the wire.
func orEmpty(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// rolesOf returns a user's direct roles, the implied and the configured ones among them.
func (room *Room) rolesOf(u hub.User) []string {
	roles := append(room.Policy().Configured(rbac.User, u.Name), u.Roles...)
	if u.Admin {
		roles = append(roles, rbac.RoleAdmin)
	}
	return once(append(roles, rbac.RoleUser))
}

func (room *Room) rolesOfGroup(g hub.Group) []string {
	return once(append(room.Policy().Configured(rbac.Group, g.Name), g.Roles...))
}

func (room *Room) rolesOfService(s hub.Service) []string {
	roles := append(room.Policy().Configured(rbac.Service, s.Name), s.Roles...)
	if s.Admin {
		roles = append(roles, rbac.RoleAdmin)
	}
	return once(roles)
}

// once returns names sorted and without repetition; none is an empty list.
func once(names []string) []string {
	slices.Sort(names)
	return append([]string{}, slices.Compact(names)...)
}

func defaultServer(servers []hub.Live) (url, pending client.Field[client.Text]) {
	url, pending = client.Show(client.Text("")), client.Show(client.Text(""))
	for _, l := range servers {
		if l.Server.Server != "" {
			continue
		}
		if l.State.Ready() {
			url.Value = client.Text(l.URL)
		}
		pending.Value = client.Text(l.State.Pending())
	}
	return url, pending
}

// visible shows the servers that the reader may see. Who may see all of a user's servers sees an empty object where there
// are none; who may see single ones sees no key at all.
func (room *Room) visible(by reader, sees sight, servers []hub.Live) client.Field[map[string]client.Server] {
	if len(servers) == 0 && !sees.servers {
		return client.Field[map[string]client.Server]{}
	}
	shown := map[string]client.Server{}
	for _, l := range servers {
		if sees.servers || by.may(rbac.ServerResource(l.ServerRef), "read:servers") {
			shown[l.Server.Server] = room.serverModel(by, l)
		}
	}
	if len(shown) > 0 || sees.servers {
		return client.Show(shown)
	}
	return client.Field[map[string]client.Server]{}
}

// serverModel shows a server to who may see it.
func (room *Room) serverModel(by reader, l hub.Live) client.Server {
	m := client.Server{
		Name: l.Server.Server, DisplayName: &l.DisplayName, FullName: l.ServerRef.String(),
		LastActivity: client.At(l.LastActivity), Pending: client.Text(l.State.Pending()),
		Ready: l.State.Ready(), Stopped: !l.State.Active(), URL: l.URL,
		UserOptions: optionsOf(l), ProgressURL: room.progressPath(l.ServerRef), Failure: by.cause(l.ServerRef, l.Failure),
	}
	if l.State.Active() {
		m.Started = client.At(l.Started)
	}
	m.FullURL, m.FullProgressURL = room.full(m.URL), room.full(m.ProgressURL)
	if by.may(rbac.ServerResource(l.ServerRef), "admin:server_state") {
		m.State = client.Show(client.ServerState{Unit: l.Unit.Name, State: string(l.State), UID: l.Unit.UID, Profile: l.Profile})
		if unit, ok := by.used[l.ServerRef]; ok {
			fillUsage(&m.State.Value, unit)
		}
	}
	return m
}

// full is an address with scheme and host, if it is known how browsers reach us. Where users have hosts, it had them already.
func (room *Room) full(address string) client.Text {
	switch {
	case room.PublicOrigin == "":
		return ""
	case strings.HasPrefix(address, "/"):
		return client.Text(room.PublicOrigin + address)
	}
	return client.Text(address)
}

// optionsOf are the options of the last start, which may have had none; null only of what was never made or started.
func optionsOf(l hub.Live) json.RawMessage {
	if l.Options == nil && !l.Created.IsZero() {
		return json.RawMessage("{}")
	}
	return l.Options
}

func (room *Room) progressPath(ref hub.ServerRef) string {
	if ref.Server == "" {
		return room.pathOf("users", ref.User, "server", "progress")
	}
	return room.pathOf("users", ref.User, "servers", ref.Server, "progress")
}

// cause shows why a server failed. What it printed is for those who may use it, or see its state.
func (by reader) cause(ref hub.ServerRef, c *hub.Cause) *hub.Cause {
	if c == nil || by.may(rbac.ServerResource(ref), "access:servers", "admin:server_state") {
		return c
	}
	short := *c
	short.Journal = nil
	return &short
}

// groupModel shows a group.
func (room *Room) groupModel(by reader, g hub.Group) client.Group {
	what := rbac.GroupResource(g.Name)
	m := client.Group{Kind: "group", Name: g.Name}
	if by.may(what, "read:groups") {
		m.Users = client.Show(append([]string{}, g.Users...))
		if g.Properties == nil {
			g.Properties = map[string]any{}
		}
		m.Properties = client.Show(g.Properties)
	}
	if by.may(what, "read:roles:groups") {
		m.Roles = client.Show(room.rolesOfGroup(g))
	}
	return m
}

// serviceModel shows a service. Process ids are systemd's here, so there is none.
func (room *Room) serviceModel(by reader, s hub.Service) client.Service {
	what := rbac.ServiceResource(s.Name)
	m := client.Service{Kind: "service", Name: s.Name}
	all := by.may(what, "read:services")
	if all || by.may(what, "read:services:name", "read:roles:services") {
		m.Admin = client.Show(s.Admin)
	}
	if by.may(what, "read:roles:services") {
		m.Roles = client.Show(room.rolesOfService(s))
	}
	if !all {
		return m
	}
	if s.Info == nil {
		s.Info = map[string]any{}
	}
	prefix := ""
	if s.URL != "" {
		prefix = room.BaseURL + "services/" + escape(s.Name) + "/"
	}
	m.URL, m.Prefix = client.Show(s.URL), client.Show(prefix)
	m.Command, m.PID = client.Show(append([]string{}, s.Command...)), client.Show(0)
	m.Info, m.Display = client.Show(s.Info), client.Show(s.Display)
	return m
}
