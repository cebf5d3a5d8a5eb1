package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// named is the tables of one kind that have a name each.
type named[T any] struct {
	path string // "hub.services"
	rows []row[T]
	name func(*T) string
}

var (
	rolesNamed    = named[Role]{"hub.load_roles", roleOptions, func(r *Role) string { return r.Name }}
	servicesNamed = named[Service]{"hub.services", serviceOptions, func(s *Service) string { return s.Name }}
)

// read reads a list of tables, each begun by [[path]], and adds them to what other files said.
func (n named[T]) read(l *loader, value any, into *[]T) {
	tables, ok := tablesOf(value)
	if !ok {
		l.mistake(n.path, wrongType(value, "tables, each begun by [["+n.path+"]]"))
		return
	}
	for i, table := range tables {
		path := fmt.Sprintf("%s[%d]", n.path, i)
		var one T
		reset(&one, n.rows)
		fill(l, path, table, &one, n.rows, nil)
		name := n.name(&one)
		switch {
		case table["name"] == nil:
			l.mistake(path, errors.New(`has no name; add one such as name = "grader"`))
		case slices.ContainsFunc(*into, func(o T) bool { return n.name(&o) == name }):
			l.mistake(join(path, "name"), fmt.Errorf("is %q, as another one's is; give it a name of its own", name))
		}
		*into = append(*into, one)
		l.rename(path, join(n.path, name))
	}
}

// rename makes the keys of a list's entry known by its name: positions say nothing across files.
func (l *loader) rename(from, to string) {
	for at, place := range l.config.where {
		if rest, ok := strings.CutPrefix(at, from+"."); ok {
			delete(l.config.where, at)
			l.config.where[to+"."+rest] = place
		}
	}
}

// tables reads tables whose names are keys: [path.NAME].
func tables[T any](l *loader, path string, value any, into map[string]T, rows []row[T]) {
	table, ok := value.(map[string]any)
	if !ok {
		l.mistake(path, wrongType(value, "tables such as ["+path+".NAME]"))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		one, known := into[name]
		if !known {
			reset(&one, rows)
		}
		fill(l, join(path, name), table[name], &one, rows, nil)
		into[name] = one
	}
}

// rooms reads the tables below [hub].
func (l *loader) rooms(key string, value any) bool {
	h := &l.config.Hub
	switch key {
	case "load_roles":
		rolesNamed.read(l, value, &h.LoadRoles)
	case "services":
		servicesNamed.read(l, value, &h.Services)
	case "load_groups":
		tables(l, "hub.load_groups", value, h.LoadGroups, groupOptions)
	case "custom_scopes":
		tables(l, "hub.custom_scopes", value, h.CustomScopes, scopeOptions)
	default:
		return false
	}
	return true
}

// roomSettings are the settings of the tables below [hub].
func roomSettings(list []Setting, c *Config) []Setting {
	for _, name := range slices.Sorted(maps.Keys(c.Hub.CustomScopes)) {
		one := c.Hub.CustomScopes[name]
		list = settings(list, c, join("hub.custom_scopes", name), &one, scopeOptions)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Hub.LoadGroups)) {
		one := c.Hub.LoadGroups[name]
		list = settings(list, c, join("hub.load_groups", name), &one, groupOptions)
	}
	for i := range c.Hub.LoadRoles {
		list = written(settings(list, c, join("hub.load_roles", c.Hub.LoadRoles[i].Name), &c.Hub.LoadRoles[i], roleOptions), c)
	}
	for i := range c.Hub.Services {
		list = settings(list, c, join("hub.services", c.Hub.Services[i].Name), &c.Hub.Services[i], serviceOptions)
	}
	return list
}

// written leaves out the scopes of a role that says none: an empty list would take a standing role's own away.
func written(list []Setting, c *Config) []Setting {
	return slices.DeleteFunc(list, func(s Setting) bool {
		return s.Key == "scopes" && strings.HasPrefix(s.Section, "hub.load_roles.") && c.Where(s.Path()) == (Place{})
	})
}
