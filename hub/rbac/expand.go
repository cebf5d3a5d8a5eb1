package rbac

import "jupyterhubd/hub"

// Expand resolves scopes as written into a Set: filters are resolved, subscopes added, self spelled out. What is unknown,
// malformed or refers to something that the context does not have is dropped. Inherit is dropped too: only Token knows
// what it stands for.
func (p *Policy) Expand(scopes []string, x Context) Set {
	entries := make([]entry, 0, len(scopes))
	for _, s := range scopes {
		if e, ok := p.expandOne(s, x); ok {
			entries = append(entries, e)
		}
	}
	return newSet(p.cat, entries)
}

func (p *Policy) expandOne(scope string, x Context) (entry, bool) {
	if scope == Self {
		f, ok := x.resolve(User)
		return entry{f, p.cat.self}, ok
	}
	base, f, self, ok := split(scope)
	i, known := p.cat.index[base]
	if !ok || !known {
		return entry{}, false
	}
	if self != "" {
		if f, ok = x.resolve(self); !ok {
			return entry{}, false
		}
	}
	if f.Kind == Server {
		return entry{f, p.cat.onServer[i]}, true
	}
	return entry{f, p.cat.implied[i]}, true
}

// User returns what a user holds: the role user, the role admin if they are one, their own roles, their groups' roles, and
// extra scopes (what others share with them), together with what the configuration gives to any of them. groupRoles are the roles
// of the groups that the user is in.
func (p *Policy) User(u hub.User, groupRoles, extra []string) Set {
	x := Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: u.Name}}
	scopes := p.scopesOf(RoleUser)
	if u.Admin {
		scopes = append(scopes, p.scopesOf(RoleAdmin)...)
	}
	scopes = append(scopes, p.scopesOf(u.Roles...)...)
	scopes = append(scopes, p.scopesOf(p.held[User][u.Name]...)...)
	scopes = append(scopes, p.scopesOf(groupRoles...)...)
	for _, group := range u.Groups {
		scopes = append(scopes, p.scopesOf(p.held[Group][group]...)...)
	}
	return p.Expand(append(scopes, extra...), x)
}

// Service returns what a service holds: the role admin if it is one, its roles and the scopes of its own.
func (p *Policy) Service(s hub.Service) Set {
	x := Context{Owner: hub.Owner{Kind: hub.OwnerService, Name: s.Name}}
	var scopes []string
	if s.Admin {
		scopes = p.scopesOf(RoleAdmin)
	}
	scopes = append(scopes, p.scopesOf(s.Roles...)...)
	scopes = append(scopes, p.scopesOf(p.held[Service][s.Name]...)...)
	return p.Expand(append(scopes, s.Scopes...), x)
}

// scopesOf returns the scopes of roles; a role that is no more gives nothing.
func (p *Policy) scopesOf(roles ...string) []string {
	var out []string
	for _, name := range roles {
		out = append(out, p.roles[name].Scopes...)
	}
	return out
}

// Token returns what a token opens now: all that its owner holds if it inherits, else what it was granted, what identifies
// its owner and, for an OAuth token, access to its client's own server or service; never more than the owner holds
// (specification 2.4). client is nil for plain tokens.
func (p *Policy) Token(t hub.Token, client *hub.Client, owner Set, groups GroupsOf) Set {
	for _, s := range t.Scopes {
		if s == Inherit {
			return owner
		}
	}
	x := Context{Owner: t.Owner, Client: client}
	granted := p.Expand(t.Scopes, x).Union(p.Identify(t.Owner))
	if client != nil {
		granted = granted.Union(p.Expand([]string{AccessScope(*client)}, x))
	}
	return granted.Intersect(owner, groups)
}

// Identify returns what lets an owner's token say whose it is, which every token may whatever it was granted.
func (p *Policy) Identify(o hub.Owner) Set {
	if o.Kind == hub.OwnerService {
		return p.Expand([]string{"read:services:name!service"}, Context{Owner: o})
	}
	return p.Expand([]string{"read:users:name!user", "read:users:groups!user"}, Context{Owner: o})
}

// AccessScope returns the scope that opens an OAuth client's own server or service to a browser, or "" for a client that is
// neither.
func AccessScope(c hub.Client) string {
	switch {
	case !c.Server.IsZero():
		return "access:servers" + Filter{Server, c.Server.String()}.String()
	case c.Service != "":
		return "access:services" + Filter{Service, c.Service}.String()
	}
	return ""
}
