package config

import "fmt"

// Role is one [[hub.load_roles]]: scopes with a name, and who has them.
type Role struct {
	Name        string
	Description string
	Scopes      []string // nil: a role that always exists keeps its own
	Users       []string
	Services    []string
	Groups      []string
}

var roleOptions = []row[Role]{
	option("name", text, "", func(r *Role) *string { return &r.Name },
		"What the role is called; user, server and token can be changed, of admin only who has it; must be there."),
	option("description", text, "", func(r *Role) *string { return &r.Description }, "What it is for."),
	option("scopes", texts, nil, func(r *Role) *[]string { return &r.Scopes },
		"What it allows, such as \"list:users\" or \"read:servers!group=class\"."),
	option("users", texts, nil, func(r *Role) *[]string { return &r.Users }, "Users who have it.", every(accountName)),
	option("services", texts, nil, func(r *Role) *[]string { return &r.Services }, "Services that have it."),
	option("groups", texts, nil, func(r *Role) *[]string { return &r.Groups },
		"Groups of the hub, never of the system, whose members have it.", every(accountName)),
}

// Scope is one [hub.custom_scopes."custom:…"]: a scope that means something to services.
type Scope struct {
	Description string
	Subscopes   []string
}

var scopeOptions = []row[Scope]{
	option("description", text, "", func(s *Scope) *string { return &s.Description },
		"What it allows, as people read it who are asked for it; must be there."),
	option("subscopes", texts, nil, func(s *Scope) *[]string { return &s.Subscopes }, "Custom scopes that it includes."),
}

// Group is one [hub.load_groups.NAME]: a group of the hub that is made at the start.
type Group struct {
	Users      []string
	Properties map[string]any
}

var groupOptions = []row[Group]{
	option("users", texts, nil, func(g *Group) *[]string { return &g.Users },
		"Users who become members; who is one already stays one.", every(accountName)),
	option("properties", anything, nil, func(g *Group) *map[string]any { return &g.Properties },
		"What the API tells of the group, in place of what it told before; none leaves that."),
}

// pageVariables are what template_vars may say: JupyterHub's own templates know these.
var pageVariables = map[string]bool{"announcement": true, "announcement_login": true, "announcement_home": true,
	"announcement_spawn": true, "announcement_logout": true}

func announcements(table map[string]string) error {
	for name := range table {
		if !pageVariables[name] {
			return fmt.Errorf("holds %q; pages know announcement, and announcement_login, _home, _spawn and _logout", name)
		}
	}
	return nil
}
