package rbac

import (
	"strings"

	"jupyterhubd/hub"
)

// Kind is the kind of thing that a filter or a resource names.
type Kind string

// The kinds of things.
const (
	User    Kind = "user"
	Group   Kind = "group"
	Server  Kind = "server" // named "<user>/<server>", the default server "<user>/"
	Service Kind = "service"
)

// Filter narrows a scope to one thing, or to the members of one group. The zero Filter narrows nothing.
type Filter struct {
	Kind Kind
	Name string
}

// String returns the filter as scopes carry it: "!user=alice", or "".
func (f Filter) String() string {
	if f == (Filter{}) {
		return ""
	}
	return "!" + string(f.Kind) + "=" + f.Name
}

func (f Filter) compare(g Filter) int {
	if c := strings.Compare(string(f.Kind), string(g.Kind)); c != 0 {
		return c
	}
	return strings.Compare(f.Name, g.Name)
}

// Context is whom self-referring scopes (self, !user, !service, !server) refer to.
type Context struct {
	Owner  hub.Owner
	Client *hub.Client // the OAuth client that a token was issued to; nil for plain tokens
}

// split takes a scope apart. A malformed filter is reported with ok false.
func split(scope string) (base string, f Filter, self Kind, ok bool) {
	base, text, filtered := strings.Cut(scope, "!")
	if !filtered {
		return base, Filter{}, "", base != ""
	}
	kind, name, named := strings.Cut(text, "=")
	switch k := Kind(kind); {
	case k != User && k != Group && k != Server && k != Service, base == "":
		return base, Filter{}, "", false
	case named:
		return base, Filter{k, name}, "", name != ""
	default:
		return base, Filter{}, k, k != Group // there is no group of one's own
	}
}

// resolve turns !user, !service or !server into a filter; ok is false where the context has no such thing.
func (x Context) resolve(self Kind) (f Filter, ok bool) {
	switch {
	case self == User && x.Owner.Kind == hub.OwnerUser:
		return Filter{User, x.Owner.Name}, true
	case self == Service && x.Owner.Kind == hub.OwnerService:
		return Filter{Service, x.Owner.Name}, true
	case self == Service && x.Client != nil && x.Client.Service != "":
		return Filter{Service, x.Client.Service}, true
	case self == Server && x.Client != nil && !x.Client.Server.IsZero():
		return Filter{Server, x.Client.Server.String()}, true
	}
	return Filter{}, false
}
