package rbac

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"jupyterhubd/hub"
)

// Role is a named list of scopes that users, groups and services can hold.
type Role struct {
	Name        string
	Description string
	Scopes      []string // as written, filters unresolved

	// Who has the role because the configuration says so, beside those of whom a record says it.
	Users, Services, Groups []string
}

// Custom is a scope that the admin defines for services of theirs. The hub hands it out and reports it, and asks for it
// nowhere.
type Custom struct {
	Name        string // custom:…
	Description string // required: the confirm page shows it
	Implies     []string
}

// The names of the roles that always exist.
const (
	RoleUser   = "user"   // every user
	RoleAdmin  = "admin"  // users and services whose admin flag is set
	RoleServer = "server" // the template of a server's own token
	RoleToken  = "token"  // the template of a token made without a word about scopes
)

// defaults are the roles that always exist (specification 2.1).
var defaults = []Role{
	{Name: RoleUser, Description: "Everything a user may do with their own things", Scopes: []string{Self}},
	{Name: RoleAdmin, Description: "Everything", Scopes: []string{"admin-ui", "admin:users", "admin:servers", "admin:services", "tokens", "admin:groups",
		"list:services", "read:services", "read:hub", "proxy", "shutdown", "access:services", "access:servers", "read:roles",
		"read:metrics", "shares"}},
	{Name: RoleServer, Description: "What a server may do for its user", Scopes: []string{"users:activity!user", "access:servers!server"}},
	{Name: RoleToken, Description: "Whatever the token's owner may do", Scopes: []string{Inherit}},
}

var (
	roleName   = regexp.MustCompile(`^[a-z][a-z0-9\-_~.]+[a-z0-9]$`) // and 255 bytes: said here, each would be states of its own
	customName = regexp.MustCompile(`^custom:[a-z0-9][a-z0-9_\-*:]+[a-z0-9_*]$`)
)

// Policy is the catalogue together with the roles. It never changes once made.
type Policy struct {
	cat   *catalogue
	roles map[string]Role
	held  map[Kind]map[string][]string // by kind and name: the roles that the configuration gives
}

// New makes a policy of the built-in scopes and roles and the configured ones. A configured role replaces a default one of
// its name; what it leaves out it keeps, and of admin it can only say who has it. Every mistake is returned, joined.
func New(roles []Role, custom []Custom) (*Policy, error) {
	rows, mistakes := withCustom(custom)
	p := &Policy{cat: newCatalogue(rows), roles: make(map[string]Role, len(defaults)+len(roles)), held: map[Kind]map[string][]string{}}
	for _, r := range defaults {
		p.roles[r.Name] = r
	}
	for _, r := range roles {
		mistakes = append(mistakes, p.addRole(r)...)
	}
	return p, errors.Join(mistakes...)
}

// withCustom returns the catalogue's rows with the valid custom scopes appended.
func withCustom(custom []Custom) (rows []Scope, mistakes []error) {
	rows = slices.Clone(builtin)
	defined := make(map[string]bool, len(custom))
	for _, c := range custom {
		defined[c.Name] = true
	}
	seen := make(map[string]bool, len(custom))
	for _, c := range custom {
		err := checkCustom(c, defined)
		switch {
		case err != nil:
			mistakes = append(mistakes, err)
			delete(defined, c.Name)
		case seen[c.Name]:
			mistakes = append(mistakes, hub.Errorf(hub.Invalid, "scope %q is defined twice", c.Name))
		case len(rows) == maxScopes:
			return rows, append(mistakes, hub.Errorf(hub.Invalid, "more than %d custom scopes", maxScopes-len(builtin)))
		default:
			seen[c.Name] = true
			rows = append(rows, Scope(c))
		}
	}
	for i, row := range rows[len(builtin):] {
		rows[len(builtin)+i].Implies = slices.DeleteFunc(slices.Clone(row.Implies), func(n string) bool { return !seen[n] })
	}
	return rows, mistakes
}

func checkCustom(c Custom, defined map[string]bool) error {
	if !customName.MatchString(c.Name) {
		return hub.Errorf(hub.Invalid, "scope %q: a custom scope's name begins with %q and goes on in lower-case letters, digits and _-*:", c.Name, customPrefix)
	}
	if strings.TrimSpace(c.Description) == "" {
		return hub.Errorf(hub.Invalid, "scope %q needs a description: people see it when a service asks for the scope", c.Name)
	}
	for _, sub := range c.Implies {
		if !defined[sub] {
			return hub.Errorf(hub.Invalid, "scope %q: subscope %q is not a defined custom scope", c.Name, sub)
		}
	}
	return nil
}

func (p *Policy) addRole(r Role) (mistakes []error) {
	if r.Name == RoleAdmin && r.Scopes != nil {
		return []error{hub.Errorf(hub.Invalid, "role %q cannot be changed, it allows everything; define another role", r.Name)}
	}
	if !roleName.MatchString(r.Name) || len(r.Name) > 255 {
		return []error{hub.Errorf(hub.Invalid, "role %q: a role's name has 3 to 255 lower-case letters, digits and -_~., begins with a letter and ends in a letter or digit", r.Name)}
	}
	for _, s := range r.Scopes {
		if err := p.Check(s); err != nil {
			mistakes = append(mistakes, hub.Errorf(hub.Invalid, "role %q: %w", r.Name, err))
		}
	}
	if base, known := p.roles[r.Name]; known {
		if r.Scopes == nil {
			r.Scopes = base.Scopes
		}
		if r.Description == "" {
			r.Description = base.Description
		}
	}
	p.roles[r.Name] = r
	p.give(r)
	return mistakes
}

// give notes who has a role.
func (p *Policy) give(r Role) {
	for kind, names := range map[Kind][]string{User: r.Users, Service: r.Services, Group: r.Groups} {
		if len(names) > 0 && p.held[kind] == nil {
			p.held[kind] = map[string][]string{}
		}
		for _, name := range names {
			p.held[kind][name] = append(p.held[kind][name], r.Name)
		}
	}
}

// Configured returns the roles that the configuration gives to a user, a service or a group by name. Those of its records are
// not among them.
func (p *Policy) Configured(k Kind, name string) []string { return slices.Clone(p.held[k][name]) }

// Check says whether a scope may be written at all: its name is known and its filter well formed.
func (p *Policy) Check(scope string) error {
	base, _, _, ok := split(scope)
	_, known := p.cat.index[base]
	switch {
	case scope == Self || scope == Inherit:
		return nil
	case !known:
		return hub.Errorf(hub.Invalid, "no such scope: %q", base)
	case !ok:
		return hub.Errorf(hub.Invalid, "scope %q: a filter is one of !user=, !group=, !server=, !service= with a name, or !user, !server, !service", scope)
	}
	return nil
}

// Role returns a role by name, or an error of kind NotFound.
func (p *Policy) Role(name string) (Role, error) {
	r, ok := p.roles[name]
	if !ok {
		return Role{}, hub.Errorf(hub.NotFound, "no such role: %q", name)
	}
	return r, nil
}

// Roles returns all roles, sorted by name.
func (p *Policy) Roles() []Role {
	out := make([]Role, 0, len(p.roles))
	for _, r := range p.roles {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Scopes returns the catalogue's rows, built-in ones first. The manual is made from them.
func (p *Policy) Scopes() []Scope { return slices.Clone(p.cat.rows) }
