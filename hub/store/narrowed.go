package store

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"jupyterhubd/hub"
)

// narrowed is who may hold less than before: a share that they had, a group, or a role is gone; and which tokens open nothing any more.
// Whoever acts on it need not know what all can take something away.
type narrowed struct {
	mu     sync.Mutex // guards users and tokens
	users  map[string]bool
	tokens map[string]bool // by their values' SHA-256 in hexadecimal digits
	told   chan struct{}   // one token: there are some
}

func newNarrowed() *narrowed {
	return &narrowed{users: map[string]bool{}, tokens: map[string]bool{}, told: make(chan struct{}, 1)}
}

// add notes what a transaction took away.
func (n *narrowed) add(tx *Tx) {
	if len(tx.narrowed)+len(tx.ended) == 0 {
		return
	}
	n.mu.Lock()
	for _, u := range tx.narrowed {
		n.users[u] = true
	}
	for _, name := range tx.ended {
		n.tokens[name] = true
	}
	n.mu.Unlock()
	select {
	case n.told <- struct{}{}:
	default:
	}
}

// Narrowed has a value once a transaction that ended may have left somebody with less than before, or has ended a token.
func (s *Store) Narrowed() <-chan struct{} { return s.narrowed.told }

// TakeNarrowed returns who that may be, each once.
func (s *Store) TakeNarrowed() []string {
	s.narrowed.mu.Lock()
	defer s.narrowed.mu.Unlock()
	users := make([]string, 0, len(s.narrowed.users))
	for u := range s.narrowed.users {
		users = append(users, u)
	}
	clear(s.narrowed.users)
	return users
}

// TakeEnded returns the tokens that were revoked or have expired, each once, by their values' SHA-256 in hexadecimal digits. One that has
// expired is among them once it is pruned.
func (s *Store) TakeEnded() []string {
	s.narrowed.mu.Lock()
	defer s.narrowed.mu.Unlock()
	names := slices.Collect(maps.Keys(s.narrowed.tokens))
	clear(s.narrowed.tokens)
	return names
}

// narrow notes that users may hold less when the transaction ends well.
func (tx *Tx) narrow(users ...string) { tx.narrowed = append(tx.narrowed, users...) }

// narrowSharee notes whoever had a share.
func (tx *Tx) narrowSharee(s hub.Share) {
	if s.Group == "" {
		tx.narrow(s.User)
		return
	}
	tx.narrow(tx.keys(indexMembers, key(s.Group, ""))...)
}

// narrowUser notes a user who is less than they were.
func (tx *Tx) narrowUser(old, u hub.User) {
	if old.Admin && !u.Admin || lacks(u.Roles, old.Roles) || lacks(u.Groups, old.Groups) {
		tx.narrow(u.Name)
	}
}

// lacks reports whether something that was there is not there any more.
func lacks(now, before []string) bool {
	return slices.ContainsFunc(before, func(name string) bool { return !slices.Contains(now, name) })
}

// Visitors are the users who hold tokens of OAuth clients: whom servers and services let in. Some come more than once.
func (tx *Tx) Visitors() iter.Seq[string] { return tx.visitors(tx.keys(bucketClients, nil)) }

// Clients are all OAuth clients: what there is to enter.
func (tx *Tx) Clients() iter.Seq[hub.Client] {
	return func(yield func(hub.Client) bool) {
		for _, id := range tx.keys(bucketClients, nil) {
			if c, err := tx.Client(id); err == nil && !yield(c) {
				return
			}
		}
	}
}

// VisitorsOf are those of one user's servers.
func (tx *Tx) VisitorsOf(user string) iter.Seq[string] {
	return tx.visitors(tx.values(indexClientOwner, key(user, "")))
}

func (tx *Tx) visitors(clients []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, client := range clients {
			for _, id := range tx.keys(indexTokenClient, key(client, "")) {
				t, err := tx.token(unnumber(id))
				if err == nil && t.Owner.Kind == hub.OwnerUser && !yield(t.Owner.Name) {
					return
				}
			}
		}
	}
}
