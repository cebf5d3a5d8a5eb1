package rbac

import "jupyterhubd/hub"

// Resource is what a request is about. The zero Resource is the whole house: only an unfiltered scope opens it.
type Resource struct {
	Kind Kind
	Name string
	List bool // all things of Kind: any filter of that kind opens the door, and the room shows no more than Set.Horizon
}

// UserResource is one user.
func UserResource(name string) Resource { return Resource{Kind: User, Name: name} }

// ServerResource is one server of a user.
func ServerResource(ref hub.ServerRef) Resource { return Resource{Kind: Server, Name: ref.String()} }

// GroupResource is one hub group.
func GroupResource(name string) Resource { return Resource{Kind: Group, Name: name} }

// ServiceResource is one service.
func ServiceResource(name string) Resource { return Resource{Kind: Service, Name: name} }

// ListOf is the list of all users, groups or services.
func ListOf(k Kind) Resource { return Resource{Kind: k, List: true} }

// GroupsOf returns the names of the hub groups that a user is in. It is asked at the moment of the question, so that who
// leaves a group loses at once what the group gave. A nil function means that nobody is in any group.
type GroupsOf func(user string) []string

func (g GroupsOf) member(user, group string) bool {
	if g == nil {
		return false
	}
	for _, name := range g(user) {
		if name == group {
			return true
		}
	}
	return false
}
