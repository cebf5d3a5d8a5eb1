package rbac

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

// world is a random policy question: sets of scopes over a few users, groups, servers and services, and who is in which
// group.
type world struct {
	p      *Policy
	groups map[string][]string
}

func (w world) of(user string) []string { return w.groups[user] }

func drawWorld(t *rapid.T) world {
	p, err := New(nil, []Custom{{Name: "custom:top", Description: "d", Implies: []string{"custom:low"}}, {Name: "custom:low", Description: "d"}})
	if err != nil {
		t.Fatal(err)
	}
	w := world{p, make(map[string][]string)}
	for _, u := range []string{"alice", "bob"} {
		w.groups[u] = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"class", "staff"}), rapid.ID).Draw(t, u+"'s groups")
	}
	return w
}

func (w world) drawSet(t *rapid.T, name string) Set {
	return w.p.Expand(drawScopes(w.p).Draw(t, name), Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}})
}

func drawScopes(p *Policy) *rapid.Generator[[]string] {
	var names []string
	for _, s := range p.Scopes() {
		names = append(names, s.Name)
	}
	names = append(names, Self, Inherit, "unknown")
	filters := []string{"", "", "!user", "!user=alice", "!user=bob", "!group=class", "!group=staff", "!server=alice/", "!server=alice/lab",
		"!server=bob/", "!service=culler", "!service=other", "!nonsense", "!user="}
	one := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom(names).Draw(t, "scope") + rapid.SampledFrom(filters).Draw(t, "filter")
	})
	return rapid.SliceOfN(one, 0, 6)
}

// questions are all resources of the little world.
func questions() []Resource {
	return []Resource{{}, ListOf(User), ListOf(Group), ListOf(Service), UserResource("alice"), UserResource("bob"), UserResource("mallory"),
		GroupResource("class"), GroupResource("staff"), ServiceResource("culler"), ServiceResource("other"),
		ServerResource(hub.ServerRef{User: "alice"}), ServerResource(hub.ServerRef{User: "alice", Server: "lab"}), ServerResource(hub.ServerRef{User: "bob"})}
}

// What an intersection opens, both sides open: it is a lower bound, whatever the filters.
func TestIntersectionIsALowerBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		a, b := w.drawSet(t, "a"), w.drawSet(t, "b")
		both := a.Intersect(b, w.of)
		for _, s := range w.p.Scopes() {
			for _, r := range questions() {
				if both.Allows(s.Name, r, w.of) && !(a.Allows(s.Name, r, w.of) && b.Allows(s.Name, r, w.of)) {
					t.Fatalf("%s for %+v: %v and %v give %v", s.Name, r, a.List(), b.List(), both.List())
				}
			}
		}
	})
}

// It is commutative and idempotent, a set covers its intersection with any other, and the union covers both.
func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		a, b := w.drawSet(t, "a"), w.drawSet(t, "b")
		both := a.Intersect(b, w.of)
		switch {
		case !both.Equal(b.Intersect(a, w.of)):
			t.Fatal("not commutative")
		case !a.Intersect(a, w.of).Equal(a):
			t.Fatalf("%v meets itself in %v", a.List(), a.Intersect(a, w.of).List())
		case !both.Intersect(b, w.of).Equal(both):
			t.Fatal("not idempotent")
		case !a.Covers(both, w.of) || !b.Covers(both, w.of):
			t.Fatal("one side does not cover the intersection")
		case !a.Union(b).Covers(a, w.of) || !a.Union(b).Covers(b, w.of):
			t.Fatal("the union does not cover a side")
		case !a.Union(b).Equal(b.Union(a)):
			t.Fatal("union is not commutative")
		}
	})
}

// More scopes never open less: Expand and Intersect are monotone.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		x := Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}}
		few := drawScopes(w.p).Draw(t, "few")
		many := append(slices.Clone(few), drawScopes(w.p).Draw(t, "more")...)
		a, b, c := w.p.Expand(few, x), w.p.Expand(many, x), w.drawSet(t, "other")
		for _, s := range w.p.Scopes() {
			for _, r := range questions() {
				if a.Allows(s.Name, r, w.of) && !b.Allows(s.Name, r, w.of) {
					t.Fatalf("%v opens %s for %+v, %v does not", few, s.Name, r, many)
				}
				if a.Intersect(c, w.of).Allows(s.Name, r, w.of) && !b.Intersect(c, w.of).Allows(s.Name, r, w.of) {
					t.Fatalf("with %v: %v opens %s for %+v, %v does not", c.List(), few, s.Name, r, many)
				}
			}
		}
	})
}

// Expanding what List printed gives the same set: expansion is idempotent, and /user's scopes say all. The one exception is
// by design: a server filter on a scope read:users… is only ever written, never inherited.
func TestExpandIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		a := w.drawSet(t, "a")
		if again := w.p.Expand(a.List(), Context{}); !again.Equal(a) {
			t.Fatalf("%v became %v", a.List(), again.List())
		}
	})
}

// A token never opens what its owner does not.
func TestTokenIsWithinItsOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		owner := w.drawSet(t, "owner")
		token := hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, Scopes: drawScopes(w.p).Draw(t, "token")}
		client := &hub.Client{Server: hub.ServerRef{User: "bob"}}
		got := w.p.Token(token, client, owner, w.of)
		if !owner.Covers(got, w.of) {
			t.Fatalf("%v of an owner with %v holds %v", token.Scopes, owner.List(), got.List())
		}
	})
}

// Whatever is written as a scope is either refused by Check or understood by Expand, and nothing panics.
func FuzzScope(f *testing.F) {
	for _, s := range []string{"self", "inherit", "read:users", "read:users!user=alice", "servers!server=alice/", "!", "!user", "users!user=!user=x",
		"access:servers!server", "custom:x", "read:users!group"} {
		f.Add(s)
	}
	p, err := New(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		x := Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}}
		set := p.Expand([]string{scope}, x)
		if err := p.Check(scope); err != nil && !set.Empty() {
			t.Errorf("%q is refused (%v) and opens %v", scope, err, set.List())
		}
		if !p.Expand(set.List(), x).Equal(set) {
			t.Errorf("%q: %v does not read back", scope, set.List())
		}
	})
}
