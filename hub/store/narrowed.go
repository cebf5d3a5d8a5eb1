package store

import (
	"iter"
	"slices"
	"sync"

	"jupyterhubd/hub"
)

// narrowed is who may hold less than before: a share that they had, a group, or a role is gone. Whoever acts on it need not know what
// all can take something away.
type narrowed struct {
	mu    sync.Mutex // guards users
	users map[string]bool
	told  chan struct{} // one token: there are some
}

func newNarrowed() *narrowed {
	return &narrowed{users: map[string]bool{}, told: make(chan struct{}, 1)}
}

func (n *narrowed) add(users []string) {
	if len(users) == 0 {
		return
	}
	n.mu.Lock()
	for _, u := range users {
		n.users[u] = true
	}
	n.mu.Unlock()
	select {
	case n.told <- struct{}{}:
	default:
	}
}

// Narrowed has a value once a transaction that ended may have left somebody with less than before.
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
