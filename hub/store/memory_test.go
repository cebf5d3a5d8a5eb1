package store

import (
	"fmt"
	"slices"
	"testing"

	"jupyterhubd/hub"
)

// What a caller does to a record that it was given stays with it, and what a failed transaction read as its own is forgotten.
func TestMemoryIsNobodysToChange(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice")
	must(t, s, func(tx *Tx) error {
		_, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice"}})
		return err
	})
	groups := func() (g []string) {
		view(t, s, func(tx *Tx) error {
			u, err := tx.User("alice")
			g = u.Groups
			return err
		})
		return g
	}
	groups()[0] = "staff"
	if got := groups(); !slices.Equal(got, []string{"class"}) {
		t.Errorf("alice is in %q", got)
	}
	if err := s.Update(func(tx *Tx) error {
		if err := tx.DeleteGroup("class"); err != nil {
			return err
		}
		if u, err := tx.User("alice"); err != nil || len(u.Groups) > 0 {
			t.Errorf("inside she is in %q, %v", u.Groups, err)
		}
		return hub.Errorf(hub.Conflict, "and back")
	}); hub.KindOf(err) != hub.Conflict {
		t.Fatal(err)
	}
	if got := groups(); !slices.Equal(got, []string{"class"}) {
		t.Errorf("after a transaction that failed alice is in %q", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s, _ := cellar(t)
	must(t, s, func(tx *Tx) error {
		for i := range mostRemembered + 10 {
			if _, err := tx.PutUser(hub.User{Name: fmt.Sprintf("student%d", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		_, _, err := tx.Users(UserQuery{})
		return err
	})
	if n := len(s.users.known); n > mostRemembered {
		t.Errorf("%d users are remembered", n)
	}
}
