package httpd

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"jupyterhubd/hub/auth"
)

// row is a route in the table, with what the hall knows about it besides.
type row struct {
	auth.Route
	api    bool     // its refusals are JSON
	params []string // names of the pattern's wildcards, in order
	handle func(http.ResponseWriter, *http.Request) error
}

// tree finds rows by path, one node a segment. A literal segment wins over {name}, and {name} over {name...}, which takes
// only what begins with no literal: "/{path...}" beside "/hub/home" does not answer for "/hub/nothing".
type tree struct {
	literal map[string]*tree
	segment *tree // {name}: exactly one segment, never an empty one
	here    methods
	below   methods // {name...}: whatever is left, even nothing
}

// methods are the rows of one path, by HTTP method.
type methods map[string]*row

// add puts a row into the tree. Patterns are written as for http.ServeMux, without method and host.
func (t *tree) add(r *row) error {
	path, ok := strings.CutPrefix(r.Pattern, "/")
	if !ok {
		return fmt.Errorf("pattern %q of %s does not start with a slash", r.Pattern, r.Method)
	}
	at, segments := t, strings.Split(path, "/")
	for i, s := range segments {
		name, rest, wild := wildcard(s)
		if !wild {
			at = at.child(s)
			continue
		}
		r.params = append(r.params, name)
		if rest {
			if i != len(segments)-1 {
				return fmt.Errorf("pattern %q goes on after {%s...}", r.Pattern, name)
			}
			return at.below.put(r)
		}
		if at.segment == nil {
			at.segment = new(tree)
		}
		at = at.segment
	}
	return at.here.put(r)
}

func (m *methods) put(r *row) error {
	if (*m)[r.Method] != nil {
		return fmt.Errorf("two rows for %s %s", r.Method, r.Pattern)
	}
	if *m == nil {
		*m = methods{}
	}
	(*m)[r.Method] = r
	return nil
}

func (t *tree) child(s string) *tree {
	if t.literal == nil {
		t.literal = map[string]*tree{}
	}
	if t.literal[s] == nil {
		t.literal[s] = new(tree)
	}
	return t.literal[s]
}

// wildcard takes {name} and {name...} apart.
func wildcard(s string) (name string, rest, ok bool) {
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return "", false, false
	}
	name, rest = strings.CutSuffix(s[1:len(s)-1], "...")
	return name, rest, true
}

// find returns the rows of a path, and the values of their wildcards in order.
func (t *tree) find(path, values []string) (methods, []string) {
	if len(path) == 0 {
		if t.here != nil {
			return t.here, values
		}
		return nil, nil
	}
	literal := t.literal[path[0]]
	if literal != nil {
		if m, v := literal.find(path[1:], values); m != nil {
			return m, v
		}
	}
	if t.segment != nil && path[0] != "" {
		if m, v := t.segment.find(path[1:], append(values, path[0])); m != nil {
			return m, v
		}
	}
	if t.below != nil && literal == nil {
		return t.below, append(values, strings.Join(path, "/"))
	}
	return nil, nil
}

// segments splits a URL path that is still escaped, as it came, and decodes each piece on its own, so that a %2F stays
// inside its segment. It reports false for a path that is not absolute or wrongly escaped.
func segments(escaped string) ([]string, bool) {
	path, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, false
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if !strings.Contains(p, "%") {
			continue
		}
		decoded, err := url.PathUnescape(p)
		if err != nil {
			return nil, false
		}
		parts[i] = decoded
	}
	return parts, true
}

// below reports what is left of path under base, both in segments.
func below(path, base []string) ([]string, bool) {
	if len(path) < len(base) {
		return nil, false
	}
	for i := range base {
		if path[i] != base[i] {
			return nil, false
		}
	}
	return path[len(base):], true
}
