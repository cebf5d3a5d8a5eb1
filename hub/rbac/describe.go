package rbac

import "strings"

// Description is one line of the confirm page.
type Description struct {
	Scope string // as it was asked for
	Text  string // "start, stop and see servers"
	Whose string // "your own", "of user bob", "of group class"; empty where it is everybody's
}

// Describe explains scopes to the person who is asked to grant them: one line each, those implied by another line left out,
// unknown ones too.
func (p *Policy) Describe(scopes []string, x Context) []Description {
	var out []Description
	for i, s := range scopes {
		if d, ok := p.describeOne(s, x); ok && !p.impliedByAnother(i, scopes, x) {
			out = append(out, d)
		}
	}
	return out
}

func (p *Policy) describeOne(scope string, x Context) (Description, bool) {
	switch scope {
	case Self, Inherit:
		return Description{scope, "do everything that you may do", ""}, true
	}
	e, ok := p.expandOne(scope, x)
	if !ok {
		return Description{}, false
	}
	base, _, _, _ := split(scope)
	return Description{scope, p.cat.rows[p.cat.index[base]].Description, whose(e.filter, x)}, true
}

func whose(f Filter, x Context) string {
	switch {
	case f == Filter{}:
		return ""
	case f == Filter{User, x.Owner.Name}:
		return "your own"
	case f.Kind == Server:
		return "of server " + strings.TrimSuffix(f.Name, "/")
	}
	return "of " + string(f.Kind) + " " + f.Name
}

// impliedByAnother reports whether another scope of the list says all that the one at index i says; of two that say the same
// the first stays.
func (p *Policy) impliedByAnother(i int, scopes []string, x Context) bool {
	mine := p.Expand(scopes[i:i+1], x)
	for j := range scopes {
		theirs := p.Expand(scopes[j:j+1], x)
		if i != j && !mine.Empty() && theirs.Covers(mine, nil) && (j < i || !mine.Covers(theirs, nil)) {
			return true
		}
	}
	return false
}
