package rbac

import (
	"slices"
	"strings"
)

// Set is an immutable set of scopes in expanded form: every implied scope is in it, every filter is resolved. Its zero value
// holds nothing.
type Set struct {
	cat     *catalogue
	entries []entry // sorted by filter, one for each; none empty; no scope under a filter that stands unfiltered too
}

// entry is the scopes that share one filter.
type entry struct {
	filter Filter
	scopes bits
}

// newSet puts entries into the one form that equal sets have.
func newSet(cat *catalogue, entries []entry) Set {
	slices.SortStableFunc(entries, func(a, b entry) int { return a.filter.compare(b.filter) })
	var out []entry
	for _, e := range entries {
		if n := len(out); n > 0 && out[n-1].filter == e.filter {
			out[n-1].scopes = out[n-1].scopes.or(e.scopes)
			continue
		}
		out = append(out, e)
	}
	var whole bits
	if len(out) > 0 && out[0].filter == (Filter{}) {
		whole = out[0].scopes
	}
	for i := range out {
		if out[i].filter != (Filter{}) {
			out[i].scopes = out[i].scopes.minus(whole)
		}
	}
	out = slices.DeleteFunc(out, func(e entry) bool { return e.scopes.empty() })
	return Set{cat, out}
}

// Empty reports whether the set opens nothing.
func (s Set) Empty() bool { return len(s.entries) == 0 }

// Unfiltered reports whether no scope of the set has a filter: then what it opens of one thing, it opens of all of its kind.
func (s Set) Unfiltered() bool { return len(s.entries) == 1 && s.entries[0].filter == Filter{} }

// Has reports whether the set holds a scope as it is written: unfiltered, "read:users" asks for all users; with a filter it
// asks for that filter, and an unfiltered scope holds every filtered one.
func (s Set) Has(scope string) bool {
	base, f, _, ok := split(scope)
	i, known := s.lookup(base)
	if !ok || !known {
		return false
	}
	for _, e := range s.entries {
		if e.scopes.has(i) && (e.filter == f || e.filter == Filter{}) {
			return true
		}
	}
	return false
}

// HasAny reports whether the set holds a scope with whatever filter. It tells refused from hidden and grants nothing.
func (s Set) HasAny(base string) bool {
	i, known := s.lookup(base)
	return known && slices.ContainsFunc(s.entries, func(e entry) bool { return e.scopes.has(i) })
}

// Allows reports whether the set opens a resource for a scope (written without a filter).
func (s Set) Allows(base string, r Resource, groups GroupsOf) bool {
	i, known := s.lookup(base)
	if !known {
		return false
	}
	return slices.ContainsFunc(s.entries, func(e entry) bool { return e.scopes.has(i) && e.filter.opens(r, groups) })
}

// opens is the matching table of specification 2.3: a server answers to its own name, its user and that user's groups; a
// user to their name and groups; groups and services to their own kind alone.
func (f Filter) opens(r Resource, groups GroupsOf) bool {
	switch {
	case f == Filter{}:
		return true
	case r.List:
		return f.Kind == r.Kind || f.Kind == Group && r.Kind == User
	case r.Kind == "":
		return false
	case f.Kind == r.Kind:
		return f.Name == r.Name
	case r.Kind == Server:
		user, _, _ := strings.Cut(r.Name, "/")
		return Filter{f.Kind, f.Name}.opens(UserResource(user), groups)
	case r.Kind == User && f.Kind == Group:
		return groups.member(r.Name, f.Name)
	}
	return false
}

// Union returns what either set holds.
func (s Set) Union(o Set) Set {
	if s.Empty() {
		return o
	}
	if o.Empty() {
		return s
	}
	return newSet(s.cat, slices.Concat(s.entries, o.in(s.cat).entries))
}

// Intersect returns what both sets hold. It is a lower bound: a !group filter meets a !user or !server one only where the
// user is in the group now, and two groups meet only in themselves (specification 2.4).
func (s Set) Intersect(o Set, groups GroupsOf) Set {
	if s.Empty() || o.Empty() {
		return Set{}
	}
	var out []entry
	for _, a := range s.entries {
		for _, b := range o.in(s.cat).entries {
			if both := a.scopes.and(b.scopes); !both.empty() {
				if f, ok := a.filter.meet(b.filter, groups); ok {
					out = append(out, entry{f, both})
				}
			}
		}
	}
	return newSet(s.cat, out)
}

// meet returns the narrower of two filters where one lies within the other.
func (f Filter) meet(g Filter, groups GroupsOf) (Filter, bool) {
	if g.within(f, groups) {
		return g, true
	}
	return f, f.within(g, groups)
}

func (f Filter) within(g Filter, groups GroupsOf) bool {
	switch {
	case f == g, g == Filter{}:
		return true
	case f == Filter{}:
		return false
	}
	return g.opens(Resource{Kind: f.Kind, Name: f.Name}, groups)
}

// Covers reports whether everything in o is in s too.
func (s Set) Covers(o Set, groups GroupsOf) bool {
	if s.Empty() {
		return o.Empty()
	}
	return !slices.ContainsFunc(o.in(s.cat).entries, func(e entry) bool {
		missing := e.scopes
		for _, mine := range s.entries {
			if e.filter.within(mine.filter, groups) {
				missing = missing.minus(mine.scopes)
			}
		}
		return !missing.empty()
	})
}

// Equal reports whether two sets hold the same scopes.
func (s Set) Equal(o Set) bool {
	if s.Empty() || o.Empty() {
		return s.Empty() == o.Empty()
	}
	return slices.Equal(s.entries, o.in(s.cat).entries)
}

// List returns the scopes, sorted, one string each: the form of /user's "scopes".
func (s Set) List() []string {
	n, size := s.size()
	out, all := make([]string, 0, n), make([]byte, 0, size)
	for _, e := range s.entries {
		filter := e.filter.String()
		for _, i := range s.cat.sorted {
			if e.scopes.has(i) {
				all = append(append(all, s.cat.rows[i].Name...), filter...)
			}
		}
	}
	text := string(all) // what List is asked for all day is one allocation, and a slice of it
	for _, e := range s.entries {
		filter := len(e.filter.String())
		for _, i := range s.cat.sorted {
			if e.scopes.has(i) {
				n := len(s.cat.rows[i].Name) + filter
				out, text = append(out, text[:n]), text[n:]
			}
		}
	}
	slices.Sort(out)
	return out
}

// size returns how many scopes List prints, and their length.
func (s Set) size() (n, bytes int) {
	for _, e := range s.entries {
		filter := len(e.filter.String())
		for i, row := range s.cat.rows {
			if e.scopes.has(i) {
				n, bytes = n+1, bytes+len(row.Name)+filter
			}
		}
	}
	return n, bytes
}

func (s Set) lookup(base string) (int, bool) {
	if s.cat == nil {
		return 0, false
	}
	i, ok := s.cat.index[base]
	return i, ok
}

// in translates a set into another catalogue: a reload may have changed the custom scopes between two sets. What the other
// catalogue does not know is dropped.
func (s Set) in(cat *catalogue) Set {
	if s.cat == cat || s.Empty() {
		return s
	}
	var out []entry
	for _, e := range s.entries {
		moved := entry{filter: e.filter}
		for i, row := range s.cat.rows {
			if j, known := cat.index[row.Name]; known && e.scopes.has(i) {
				moved.scopes.add(j)
			}
		}
		out = append(out, moved)
	}
	return newSet(cat, out)
}
