package rbac

import "slices"

// Horizon is how far a scope reaches over a list.
type Horizon struct {
	All      bool // everything; the lists below are then empty
	Users    []string
	Groups   []string
	Servers  []string // "<user>/<server>"
	Services []string
}

// Horizon returns how far a scope (written without a filter) reaches. A list of users shows those named in Users and the
// members of Groups; lists of groups and services show their own kind alone.
func (s Set) Horizon(base string) Horizon {
	var h Horizon
	i, known := s.lookup(base)
	if !known {
		return h
	}
	for _, e := range s.entries {
		if !e.scopes.has(i) {
			continue
		}
		switch e.filter.Kind {
		case User:
			h.Users = append(h.Users, e.filter.Name)
		case Group:
			h.Groups = append(h.Groups, e.filter.Name)
		case Server:
			h.Servers = append(h.Servers, e.filter.Name)
		case Service:
			h.Services = append(h.Services, e.filter.Name)
		default:
			return Horizon{All: true}
		}
	}
	return h
}

// ShowsUser reports whether a list of users may show one who is in the given groups.
func (h Horizon) ShowsUser(name string, groups []string) bool {
	return h.All || slices.Contains(h.Users, name) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(h.Groups, g) })
}
