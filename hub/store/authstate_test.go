package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/crypt"
)

const (
	oneKey     = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	anotherKey = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

func keys(t interface{ Fatal(...any) }, text string) crypt.Keys {
	k, err := crypt.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kept opens a file with keys; it is sound when the test is over.
func kept(t *testing.T, path, text string) *Store {
	t.Helper()
	s, err := Open(path, Options{Now: noon().now, Keys: keys(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Check(); err != nil && hub.TextOf(err) != "the store is closed" {
			t.Error(err)
		}
		s.Close()
	})
	return s
}

func wantState(t *testing.T, s *Store, user, want string) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		if state, err := tx.AuthState(user); err != nil || string(state) != want {
			t.Errorf("%s's state is %q, %v, want %q", user, state, err, want)
		}
		return nil
	})
}

// Vulnerability: what an authenticator keeps (tokens of other systems) lies in a file, and in its backups, for whoever gets hold of
// one. Attack: the file, and a backup, are searched. Verified: neither has a word of it, and it does not open without the key.
func TestAuthStateIsSealedInTheFileAndInBackups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	s := kept(t, path, oneKey)
	cast(t, s, "alice")
	must(t, s, func(tx *Tx) error { return tx.PutAuthState("alice", []byte(`{"token":"a-very-secret-word"}`)) })
	wantState(t, s, "alice", `{"token":"a-very-secret-word"}`)
	var backup bytes.Buffer
	if _, err := s.Backup(&backup); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"file": file, "backup": backup.Bytes()} {
		if bytes.Contains(b, []byte("secret-word")) || !bytes.Contains(b, []byte("alice")) {
			t.Errorf("the %s has it in the clear, or is none", what)
		}
	}
	restored := filepath.Join(t.TempDir(), "jupyterhub.db")
	if err := os.WriteFile(restored, backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", anotherKey} {
		thief := kept(t, restored, text)
		view(t, thief, func(tx *Tx) error {
			state, err := tx.AuthState("alice")
			if wantKind(t, err, hub.Unavailable); state != nil {
				t.Errorf("opened: %s", state)
			}
			return nil
		})
		thief.Close()
	}
}

// Vulnerability: sealed values are not readable but can be moved. Attack: who may write the file puts Alice's state under Bob's
// number, and reads it as Bob's. Verified: it does not open.
func TestAuthStateOfOneUserIsNotAnothers(t *testing.T) {
	s := kept(t, filepath.Join(t.TempDir(), "jupyterhub.db"), oneKey)
	cast(t, s, "alice", "bob")
	must(t, s, func(tx *Tx) error {
		if err := tx.PutAuthState("alice", []byte(`{"of":"alice"}`)); err != nil {
			return err
		}
		alice, bob := number(1), number(2)
		states := tx.bucket(bucketAuthStates)
		return states.Put(bob, append([]byte{}, states.Get(alice)...))
	})
	wantState(t, s, "alice", `{"of":"alice"}`)
	view(t, s, func(tx *Tx) error {
		_, err := tx.AuthState("bob")
		wantKind(t, err, hub.Unavailable)
		return nil
	})
}

// A state goes along with a new name, ends with its user, and is never the next one's who has the name.
func TestAuthStateIsItsUsers(t *testing.T) {
	s := kept(t, filepath.Join(t.TempDir(), "jupyterhub.db"), oneKey)
	cast(t, s, "alice")
	must(t, s, func(tx *Tx) error {
		wantKind(t, tx.PutAuthState("nobody", []byte(`{}`)), hub.NotFound)
		if _, err := tx.AuthState("nobody"); hub.KindOf(err) != hub.NotFound {
			t.Errorf("of nobody: %v", err)
		}
		return tx.PutAuthState("alice", []byte(`{"n":1}`))
	})
	must(t, s, func(tx *Tx) error { return tx.RenameUser("alice", "alicia") })
	wantState(t, s, "alicia", `{"n":1}`)
	must(t, s, func(tx *Tx) error { return tx.DeleteUser("alicia") })
	cast(t, s, "alicia")
	wantState(t, s, "alicia", "")
}

// Without a key nothing can be kept, but what there is can be taken away.
func TestAuthStateWithoutAKey(t *testing.T) {
	s, _ := cellar(t)
	cast(t, s, "alice")
	must(t, s, func(tx *Tx) error {
		err := tx.PutAuthState("alice", []byte(`{}`))
		if wantKind(t, err, hub.Invalid); !strings.Contains(hub.TextOf(err), "enable_auth_state") {
			t.Errorf("said %v", err)
		}
		return tx.PutAuthState("alice", nil)
	})
}

// Keys are exchanged in two restarts: with the new one before the old one everything is sealed anew, and then the old one can go.
func TestStatesAreSealedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jupyterhub.db")
	const people = resealBatch + 3
	before := kept(t, path, oneKey)
	must(t, before, func(tx *Tx) error {
		for i := range people {
			name := fmt.Sprintf("user%d", i)
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID}); err != nil {
				return err
			}
			if err := tx.PutAuthState(name, []byte(`{"of":"`+name+`"}`)); err != nil {
				return err
			}
		}
		return nil
	})
	before.Close()

	between := kept(t, path, anotherKey+";"+oneKey)
	wantState(t, between, "user7", `{"of":"user7"}`)
	for _, want := range []Resealed{{Done: people}, {}} {
		if got, err := between.Reseal(t.Context()); err != nil || got != want {
			t.Errorf("sealed anew: %+v, %v, want %+v", got, err, want)
		}
	}
	between.Close()

	after := kept(t, path, anotherKey)
	wantState(t, after, "user7", `{"of":"user7"}`)
	wantState(t, after, fmt.Sprintf("user%d", people-1), fmt.Sprintf(`{"of":"user%d"}`, people-1))
	after.Close()

	lost := kept(t, path, oneKey)
	if got, err := lost.Reseal(t.Context()); err != nil || got != (Resealed{Locked: people}) {
		t.Errorf("without their key: %+v, %v", got, err)
	}
}
