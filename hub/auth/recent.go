package auth

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// recent remembers who came with which token for as long as nothing was written to the store and the policy is the same: until then the
// same token is the same actor with the same scopes, but for activity and for its end, which are looked at each time. So what is
// remembered never outlives a revocation, a change of roles or a reload by one request. A script asks many times in a row, and of what
// such a request costs, finding out who asks was a sixth.
type recent struct {
	mu     sync.RWMutex // guards the rest
	state  state
	actors map[[sha256.Size]byte]Actor // by the token's hash
}

// state is what an actor follows from.
type state struct {
	generation uint64 // of the store
	policy     *rbac.Policy
}

// mostRecent bounds the actors that are remembered, each a kilobyte or two.
const mostRecent = 512

// stateNow is asked for before the store is read, so that what is learned is never older than what it is learned under.
func (p *Porter) stateNow() state { return state{p.o.Store.Generation(), p.Policy()} }

// recall returns the actor of a token as the store would now.
func (rc *recent) recall(s *store.Store, value string, is state, now time.Time) (Actor, bool) {
	rc.mu.RLock()
	a, known := rc.actors[sha256.Sum256([]byte(value))]
	known = known && rc.state == is
	rc.mu.RUnlock()
	if !known || !a.Token.Expires.IsZero() && !a.Token.Expires.After(now) {
		return Actor{}, false
	}
	a = a.clone()
	s.Freshen(a.User, a.Token)
	return a, true
}

// learn remembers an actor. What was learned of another state is forgotten.
func (rc *recent) learn(value string, of state, a Actor) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.state != of || len(rc.actors) >= mostRecent {
		rc.state, rc.actors = of, make(map[[sha256.Size]byte]Actor)
	}
	rc.actors[sha256.Sum256([]byte(value))] = a.clone()
}

// clone shares nothing with a that somebody could change.
func (a Actor) clone() Actor {
	t := *a.Token
	t.Scopes = slices.Clone(t.Scopes)
	a.Token = &t
	if a.User != nil {
		u := *a.User
		u.Groups, u.Roles = slices.Clone(u.Groups), slices.Clone(u.Roles)
		a.User = &u
	}
	if a.Service != nil {
		s := *a.Service
		s.Roles, s.Scopes, s.Command, s.Info = slices.Clone(s.Roles), slices.Clone(s.Scopes), slices.Clone(s.Command), maps.Clone(s.Info)
		a.Service = &s
	}
	return a
}
