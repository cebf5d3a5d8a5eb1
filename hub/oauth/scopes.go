package oauth

import (
	"slices"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// grant works out what a client gets: never more than it was registered for, never more than the person holds, and always
// what identifies the person to it.
type grant struct {
	policy   *rbac.Policy
	ctx      rbac.Context
	person   rbac.Set
	groups   rbac.GroupsOf
	required []string // a matter of course, not asked about
	allowed  []string
}

func newGrant(p *rbac.Policy, req *request) *grant {
	required := []string{"read:users:name!user", "read:users:groups!user", rbac.AccessScope(req.client)}
	return &grant{
		policy:   p,
		ctx:      rbac.Context{Owner: req.actor.Owner, Client: &req.client},
		person:   req.actor.Scopes,
		groups:   req.actor.Groups,
		required: required,
		allowed:  append(slices.Clone(required), req.client.AllowedScopes...),
	}
}

// everything is what a client gets that does not say what it wants.
func (g *grant) everything() []string {
	if slices.Contains(g.allowed, rbac.Inherit) {
		return []string{rbac.Inherit}
	}
	return g.allowed
}

// named resolves what a client wrote: scopes, names of roles (before JupyterHub 3), and "identify", which every token does
// anyway.
func (g *grant) named(words []string) ([]string, error) {
	var out []string
	for _, word := range words {
		if word == "identify" {
			continue
		}
		if g.policy.Check(word) == nil {
			out = append(out, word)
			continue
		}
		role, err := g.policy.Role(word)
		if err != nil {
			return nil, &refusal{"invalid_scope", "No such scope: " + short(word)}
		}
		out = append(out, role.Scopes...)
	}
	return out, nil
}

// settle turns what was asked for into what is granted.
func (g *grant) settle(asked []string) ([]string, error) {
	if !slices.Contains(g.allowed, rbac.Inherit) {
		may := g.policy.Expand(g.allowed, g.ctx)
		for _, s := range asked {
			if !slices.Contains(g.allowed, s) && (s == rbac.Inherit || !may.Covers(g.policy.Expand([]string{s}, g.ctx), g.groups)) {
				return nil, &refusal{"invalid_scope", "This application may not ask for " + short(s)}
			}
		}
	}
	granted := slices.Clone(g.required)
	for _, s := range asked {
		granted = append(granted, g.reduce(s)...)
	}
	slices.Sort(granted)
	return slices.Compact(granted), nil
}

// reduce returns a scope as it is written if the person holds all of it, else the part that they hold.
func (g *grant) reduce(scope string) []string {
	if scope == rbac.Inherit {
		return []string{scope}
	}
	wanted := g.policy.Expand([]string{scope}, g.ctx)
	if wanted.Empty() {
		return nil
	}
	if g.person.Covers(wanted, g.groups) {
		return []string{scope}
	}
	return wanted.Intersect(g.person, g.groups).List()
}

// explain returns the lines of the confirm page: what is granted beyond the matter of course.
func (g *grant) explain(granted []string) []rbac.Description {
	beyond := slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return slices.Contains(g.required, s) })
	return g.policy.Describe(beyond, g.ctx)
}

// words splits the scope parameter (RFC 6749, 3.3).
func words(scope string) []string { return strings.Fields(scope) }

// agreed reports whether the person needs no asking: it is their own server, the admin said so, or what they granted
// this client before covers it.
func (room *Room) agreed(req *request, g *grant, granted []string) (bool, error) {
	user := req.actor.User.Name
	if req.client.NoConfirm || req.client.Server.User == user {
		return true, nil
	}
	before, err := room.grantedBefore(user, req.client.ID)
	if err != nil || len(before) == 0 {
		return false, err
	}
	if slices.Contains(granted, rbac.Inherit) {
		return slices.Contains(before, rbac.Inherit), nil
	}
	return slices.Contains(before, rbac.Inherit) || g.policy.Expand(before, g.ctx).Covers(g.policy.Expand(granted, g.ctx), g.groups), nil
}

// grantedBefore returns the scopes of the tokens that a client has of a person now.
func (room *Room) grantedBefore(user, client string) (scopes []string, err error) {
	err = room.store.View(func(tx *store.Tx) error {
		for _, t := range tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: user}) {
			if t.Client == client {
				scopes = append(scopes, t.Scopes...)
			}
		}
		return nil
	})
	return scopes, err
}
