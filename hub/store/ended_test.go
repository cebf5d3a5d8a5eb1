package store

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
)

// A token that expires is told of when it does, not when the store next cleans up; also one that comes while the store waits, and one that
// is the second to expire. What is revoked is told of by the transaction, and nothing by one that fails.
func TestEndsOfTokensAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(t.TempDir(), "jupyterhub.db"), Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		defer func() {
			cancel()
			<-done
		}()
		bob := hub.Owner{Kind: hub.OwnerUser, Name: "bob"}
		var names []string
		put := func(life time.Duration) (id uint64) {
			t.Helper()
			err := s.Update(func(tx *Tx) error {
				if _, err := tx.User("bob"); err != nil {
					if _, err := tx.PutUser(hub.User{Name: "bob", UID: hub.NoUID}); err != nil {
						return err
					}
				}
				token := hub.Token{Owner: bob}
				if life > 0 {
					token.Expires = time.Now().Add(life)
				}
				_, token, err := tx.NewToken(token)
				if err != nil {
					return err
				}
				name, err := tx.TokenName(token.ID)
				id, names = token.ID, append(names, name)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		told := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := s.TakeEnded(); !slices.Equal(got, want) {
				t.Errorf("ended are %q, want %q", got, want)
			}
		}
		put(time.Hour)
		synctest.Wait()
		put(time.Minute)
		put(30 * time.Second)
		told()
		time.Sleep(31 * time.Second)
		told(names[2])
		time.Sleep(30 * time.Second)
		told(names[1])
		time.Sleep(58*time.Minute + 58*time.Second)
		told()
		time.Sleep(2 * time.Second)
		told(names[0])
		id := put(0)
		_ = s.Update(func(tx *Tx) error { // it is meant to fail, ignoring
			if err := tx.DeleteToken(id); err != nil {
				return err
			}
			return hub.Errorf(hub.Invalid, "on second thought")
		})
		told()
		if err := s.Update(func(tx *Tx) error { return tx.DeleteToken(id) }); err != nil {
			t.Fatal(err)
		}
		<-s.Narrowed()
		told(names[3])
	})
}
