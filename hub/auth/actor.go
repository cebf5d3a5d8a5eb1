package auth

import (
	"context"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
)

// Proof is by what an actor is known.
type Proof uint8

// The proofs.
const (
	Nobody Proof = iota // a stranger
	Cookie              // a browser's session
	Token               // an Authorization header
	Peer                // a process at the admin socket, known by its uid
	Typed               // a name and a password in this request
)

// Actor is who makes a request and what they may do at this moment. The zero Actor is a stranger.
type Actor struct {
	Owner   hub.Owner
	User    *hub.User    // set when Owner is a user
	Service *hub.Service // set when Owner is a service
	Token   *hub.Token   // set when Via is Token
	Session *hub.Session // set when Via is Cookie
	Scopes  rbac.Set     // what the token or session opens now, expanded
	Via     Proof
	// Groups answers for group filters; it reads the store at the moment of the question.
	Groups rbac.GroupsOf
}

// Anonymous reports whether nobody is known.
func (a Actor) Anonymous() bool { return a.Via == Nobody }

// Admin reports whether the owner is an admin, whatever their token is limited to.
func (a Actor) Admin() bool {
	return a.User != nil && a.User.Admin || a.Service != nil && a.Service.Admin
}

// Has reports whether the actor holds a scope as it is written: without a filter it asks for the unfiltered scope.
func (a Actor) Has(scope string) bool { return a.Scopes.Has(scope) }

// May reports whether the actor may do to a resource what a scope (written without a filter) names.
func (a Actor) May(scope string, r rbac.Resource) bool { return a.Scopes.Allows(scope, r, a.Groups) }

// Authorize returns nil if any of the scopes opens the resource. A stranger gets Unauthenticated. Who holds none of the
// scopes even filtered gets Forbidden; whose filter does not reach this resource gets NotFound, the same answer as for a
// resource that does not exist, so names cannot be probed (specification 1.1).
func (a Actor) Authorize(scopes []string, r rbac.Resource) error {
	if a.Anonymous() {
		return hub.Errorf(hub.Unauthenticated, "Missing or invalid credentials")
	}
	filtered := false
	for _, s := range scopes {
		if s == Authenticated || a.May(s, r) {
			return nil
		}
		filtered = filtered || a.Scopes.HasAny(s)
	}
	if filtered && r.Name != "" {
		return hub.Errorf(hub.NotFound, "Not Found")
	}
	return hub.Errorf(hub.Forbidden, "Action is not authorized with current scopes; requires any of [%s]", strings.Join(scopes, ", "))
}

type actorKey struct{}

// WithActor returns a context that carries an actor. The porter calls it; so do the rooms' tests.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// FromContext returns who makes the request, or the zero Actor.
func FromContext(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
