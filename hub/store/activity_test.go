package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
)

func TestActivityIsSeenAtOnce(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	ref := hub.ServerRef{User: "alice"}
	var token hub.Token
	var session hub.Session
	must(t, s, func(tx *Tx) (err error) {
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		if _, token, err = tx.NewToken(hub.Token{Owner: owner("alice")}); err != nil {
			return err
		}
		_, session, err = tx.NewSession(hub.Session{User: "alice", Expires: c.now().Add(time.Hour)})
		return err
	})
	at := c.now().Add(time.Minute)
	s.TouchUser("alice", at)
	s.Touch(ref, at)
	s.TouchToken(token.ID, at)
	s.TouchSession(session.ID, at)
	s.TouchUser("alice", at.Add(-time.Second)) // never backwards
	s.TouchUser("nobody", at)                  // and not for what does not exist

	seen := func(when string) {
		view(t, s, func(tx *Tx) error {
			u, err1 := tx.User("alice")
			v, err2 := tx.Server(ref)
			k, err3 := tx.Token(token.ID)
			b, err4 := tx.Session(session.ID)
			for what, got := range map[string]time.Time{"user": u.LastActivity, "server": v.LastActivity, "token": k.LastActivity, "session": b.LastSeen} {
				if !got.Equal(at) {
					t.Errorf("%s: %s last active %v, want %v", when, what, got, at)
				}
			}
			return errors.Join(err1, err2, err3, err4)
		})
	}
	seen("in memory")
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	seen("in the file")
}

// A record that is written while newer activity is in memory does not lose it, and older activity that is written does not
// overtake it.
func TestActivityOnlyMovesForward(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	s.TouchUser("alice", c.now().Add(time.Hour))
	must(t, s, func(tx *Tx) error {
		u, err := tx.User("alice")
		if err != nil {
			return err
		}
		u.LastActivity = c.now()
		_, err = tx.PutUser(u)
		return err
	})
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	s.TouchUser("alice", c.now())
	view(t, s, func(tx *Tx) error {
		u, err := tx.User("alice")
		if !u.LastActivity.Equal(c.now().Add(time.Hour)) {
			t.Errorf("last active %v", u.LastActivity)
		}
		return err
	})
}

// Within a second it is in the file, many touches in one transaction; at the end of Run so is the rest.
func TestRunFlushesWithinASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(dir, "jupyterhub.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		cast(t, s, "alice", "bob")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()

		before := transactions(t, s)
		for i := range 100 {
			s.TouchUser("alice", time.Now().Add(time.Duration(i)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := transactions(t, s) - before; n != 1 {
			t.Errorf("a hundred touches took %d transactions", n)
		}
		if u := onDisk(t, s, "alice"); u.LastActivity.IsZero() {
			t.Error("after a second alice's activity is not in the file")
		}
		s.TouchUser("bob", time.Now())
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if u := onDisk(t, s, "bob"); u.LastActivity.IsZero() {
			t.Error("what came last was lost at the end")
		}
	})
}

// transactions returns the id of the last transaction that was written.
func transactions(t *testing.T, s *Store) (id int) {
	t.Helper()
	view(t, s, func(tx *Tx) error { id = tx.b.ID(); return nil })
	return id
}

// onDisk returns a user as another process would find them after a kill at this moment.
func onDisk(t *testing.T, s *Store, name string) (u hub.User) {
	t.Helper()
	view(t, s, func(tx *Tx) (err error) { u, _, err = tx.storedUser(name); return err })
	return u
}

// What cannot be written is kept, told once a try, and written when it can be.
func TestFlushThatFailsLosesNothing(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	at := c.now().Add(time.Minute)
	s.TouchUser("alice", at)
	must(t, s, func(tx *Tx) error { // a record that cannot be read back fails the flush
		return tx.b.Bucket([]byte(bucketUsers)).Put([]byte("bob"), []byte("{"))
	})
	s.TouchUser("bob", at)
	if err := s.flush(); err == nil {
		t.Fatal("flushing over a broken record went well")
	}
	s.TouchUser("alice", at.Add(time.Minute))
	must(t, s, func(tx *Tx) error { return tx.b.Bucket([]byte(bucketUsers)).Delete([]byte("bob")) })
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	if u := onDisk(t, s, "alice"); !u.LastActivity.Equal(at.Add(time.Minute)) {
		t.Errorf("last active %v", u.LastActivity)
	}
}

// A reader never sees activity go back, whichever moment of a flush it meets.
func TestReadersDuringFlushes(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	const rounds = 300
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := range rounds {
			s.TouchUser("alice", c.at.Add(time.Duration(i)*time.Second))
			if err := s.flush(); err != nil {
				t.Error(err)
			}
		}
		close(stop)
	})
	wg.Go(func() {
		var last time.Time
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := s.View(func(tx *Tx) error {
				u, err := tx.User("alice")
				if u.LastActivity.Before(last) {
					return fmt.Errorf("activity went back from %v to %v", last, u.LastActivity)
				}
				last = u.LastActivity
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Wait()
}

// Play: the hub is killed a moment after activity came in. Verified on a copy of the file taken then: at most the activity of
// the last second is missing, everything else is whole.
func TestKillLosesAtMostASecondOfActivity(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	s.TouchUser("alice", c.now())
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	s.TouchUser("alice", c.now().Add(time.Second)) // not flushed yet
	again := afterKill(t, s)
	if err := again.Check(); err != nil {
		t.Error(err)
	}
	if u := onDisk(t, again, "alice"); !u.LastActivity.Equal(c.now()) {
		t.Errorf("last active %v, want %v", u.LastActivity, c.now())
	}
}

func TestTroubleIsReported(t *testing.T) {
	var told []error
	s, err := Open(filepath.Join(t.TempDir(), "jupyterhub.db"), Options{Report: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Run(ctx) // prunes at once, which a closed store cannot
	if len(told) == 0 || hub.KindOf(told[0]) != hub.Unavailable {
		t.Errorf("told: %v", told)
	}
}

// Who came last is first, and so many are told at most; what nobody came with, has expired, or is a server's own is not.
func TestUsedTokens(t *testing.T) {
	s, c := cellar(t)
	cast(t, s, "alice")
	var made []hub.Token
	must(t, s, func(tx *Tx) error {
		if err := tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice"}}); err != nil {
			return err
		}
		for _, expires := range []time.Time{{}, {}, {}, c.now().Add(time.Minute)} {
			_, token, err := tx.NewToken(hub.Token{Owner: owner("alice"), Expires: expires})
			if err != nil {
				return err
			}
			made = append(made, token)
		}
		_, token, err := tx.NewServerToken(hub.ServerRef{User: "alice"}, hub.Token{Owner: owner("alice")})
		made = append(made, token)
		return err
	})
	for i, token := range made[1:] {
		s.TouchToken(token.ID, c.now().Add(time.Duration(i)*time.Second))
	}
	c.advance(time.Hour)
	view(t, s, func(tx *Tx) error {
		for most, want := range [][]uint64{{}, {made[2].ID}, {made[2].ID, made[1].ID}, {made[2].ID, made[1].ID}} {
			ids := []uint64{}
			for _, token := range tx.UsedTokens(most) {
				ids = append(ids, token.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("of %d at most there are %v, want %v", most, ids, want)
			}
		}
		return nil
	})
}
