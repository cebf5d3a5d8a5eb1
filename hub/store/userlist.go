package store

import (
	"iter"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub"
)

// UserQuery asks for one page of the list of users.
type UserQuery struct {
	Offset, Limit int    // Limit 0 means no limit
	NameContains  string // case does not matter
	Sort          string // "id" (also ""), "name" or "last_activity"; a "-" before it turns it round
	Only          []string
	Keep          func(name string) bool // nil keeps all; called in the middle of the transaction, it must not use the store
}

// Users returns a page of the users that a query asks for, and how many there are on all pages. Without NameContains, Only
// and Keep its cost does not depend on how many users there are, but on Offset and Limit. Only, if not nil, names the users
// to choose among. Users who were never active come first in the order of last activity.
func (tx *Tx) Users(q UserQuery) (page []hub.User, total int, err error) {
	names, err := tx.names(q)
	if err != nil {
		return nil, 0, err
	}
	whole := q.NameContains == "" && q.Only == nil && q.Keep == nil
	contains := strings.ToLower(q.NameContains)
	page = make([]hub.User, 0, min(q.Limit, tx.CountUsers()))
	for name := range names {
		if !whole && (!strings.Contains(strings.ToLower(name), contains) || q.Keep != nil && !q.Keep(name)) {
			continue
		}
		if total++; total <= q.Offset {
			continue
		}
		if q.Limit > 0 && len(page) == q.Limit {
			if whole {
				break
			}
			continue
		}
		u, err := tx.User(name)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, u)
	}
	if whole {
		total = tx.CountUsers()
	}
	return page, total, nil
}

// names returns the users' names in the order that a query wants.
func (tx *Tx) names(q UserQuery) (iter.Seq[string], error) {
	order, down := strings.CutPrefix(q.Sort, "-")
	if order == "" && !down {
		order = "id"
	}
	if order != "id" && order != "name" && order != "last_activity" {
		return nil, hub.Errorf(hub.Invalid, "users are sorted by id, name or last_activity, not by %q", q.Sort)
	}
	if q.Only != nil {
		return tx.sortedOnly(q.Only, order, down)
	}
	switch order {
	case "name":
		return tx.walk(bucketUsers, down, func(k, _ []byte) string { return string(k) }), nil
	case "last_activity":
		return tx.byActivity(down), nil
	}
	return tx.walk(indexUserID, down, func(_, v []byte) string { return string(v) }), nil
}

// walk yields a bucket's entries in order, or from the end.
func (tx *Tx) walk(bucket string, down bool, name func(k, v []byte) string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := tx.bucket(bucket).Cursor()
		first, next := c.First, c.Next
		if down {
			first, next = c.Last, c.Prev
		}
		for k, v := first(); k != nil; k, v = next() {
			if !yield(name(k, v)) {
				return
			}
		}
	}
}

// byActivity walks the index of the file, in which users with newer activity in memory stand too early; these, a handful,
// are sorted by hand and merged in.
func (tx *Tx) byActivity(down bool) iter.Seq[string] {
	fresh := tx.touchedUsers()
	moved := make(map[string]bool, len(fresh))
	for _, u := range fresh {
		moved[u.Name] = true
	}
	sortUsers(fresh, "last_activity", down)
	return func(yield func(string) bool) {
		for name := range tx.walk(indexUserActivity, down, func(_, v []byte) string { return string(v) }) {
			if moved[name] {
				continue
			}
			if len(fresh) > 0 {
				u, _, err := tx.storedUser(name)
				for err == nil && len(fresh) > 0 && precedes(fresh[0], u, "last_activity", down) {
					if !yield(fresh[0].Name) {
						return
					}
					fresh = fresh[1:]
				}
			}
			if !yield(name) {
				return
			}
		}
		for _, u := range fresh {
			if !yield(u.Name) {
				return
			}
		}
	}
}

// touchedUsers returns the users with activity that is newer than the file, each with it.
func (tx *Tx) touchedUsers() (users []hub.User) {
	seen := make(map[string]bool)
	for _, l := range tx.layers {
		for _, name := range l.userNames() {
			u, ok, err := tx.storedUser(name)
			if at := tx.touchedUser(name); err == nil && ok && !seen[name] && at.After(u.LastActivity) {
				u.LastActivity = at
				users = append(users, u)
			}
			seen[name] = true
		}
	}
	return users
}

// sortedOnly yields those of the given names that exist.
func (tx *Tx) sortedOnly(only []string, order string, down bool) (iter.Seq[string], error) {
	users := make([]hub.User, 0, len(only))
	for _, name := range sorted(only) {
		u, err := tx.User(name)
		switch hub.KindOf(err) {
		case hub.NotFound:
		default:
			if err != nil {
				return nil, err
			}
			users = append(users, u)
		}
	}
	sortUsers(users, order, down)
	return func(yield func(string) bool) {
		for _, u := range users {
			if !yield(u.Name) {
				return
			}
		}
	}, nil
}

func sortUsers(users []hub.User, order string, down bool) {
	slices.SortFunc(users, func(a, b hub.User) int {
		switch {
		case precedes(a, b, order, down):
			return -1
		case precedes(b, a, order, down):
			return 1
		}
		return 0
	})
}

// precedes orders users as the indexes do: what is equal goes by id.
func precedes(a, b hub.User, order string, down bool) bool {
	if down {
		a, b = b, a
	}
	switch order {
	case "name":
		return a.Name < b.Name
	case "last_activity":
		if x, y := floor(a.LastActivity), floor(b.LastActivity); !x.Equal(y) {
			return x.Before(y)
		}
	}
	return a.ID < b.ID
}

// floor is a time as moment encodes it.
func floor(t time.Time) time.Time { return time.Unix(0, int64(unnumber(string(moment(t))))) }
