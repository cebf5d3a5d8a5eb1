package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// killed names the directory in which this test program, run once more, writes until it is killed.
const killed = "STORE_TEST_KILLED"

// A process that writes as fast as it can, and says so before and after each write, is killed at a random moment, again and again, on
// one file. Whatever it said to be written is there, the one write that it had begun is there whole or not at all, and the file is sound.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	there := map[string]bool{} // what was said last of each user
	const rounds, most = 15, 60
	for round := range rounds {
		patience := 1 + rand.IntN(most)
		begun := ""
		for _, said := range writeUntilKilled(t, dir, patience) {
			verb, name, _ := strings.Cut(said, " ")
			if begun = name; verb != "begun" {
				there[name], begun = verb == "made", ""
			}
		}
		if !holds(t, dir, there, begun) {
			t.Fatalf("in round %d, after %d lines", round, patience)
		}
	}
	if len(there) < rounds {
		t.Errorf("only %d users were ever made", len(there))
	}
}

// writeUntilKilled kills the writer some time after so many writes, and returns all that it said.
func writeUntilKilled(t *testing.T, dir string, patience int) (said []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if len(said) == patience {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(said) < patience {
		t.Fatalf("it ended by itself after %d writes: %v", len(said), err)
	}
	return said
}

// playKilled makes users with a server and a token each, and removes some, for ever.
func playKilled(dir string) error {
	s, err := Open(filepath.Join(dir, "jupyterhub.db"), Options{})
	if err != nil {
		return err
	}
	for {
		name := fmt.Sprintf("user-%d", rand.IntN(1000))
		verb := "made"
		fmt.Println("begun", name)
		err := s.Update(func(tx *Tx) error {
			if _, err := tx.User(name); err == nil {
				verb = "gone"
				return tx.DeleteUser(name)
			}
			return makeWhole(tx, name)
		})
		if err != nil {
			return err
		}
		fmt.Println(verb, name)
	}
}

// makeWhole makes a user with a server and a token.
func makeWhole(tx *Tx, name string) error {
	if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID}); err != nil {
		return err
	}
	if err := tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: name, Server: "lab"}}); err != nil {
		return err
	}
	_, _, err := tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: name}})
	return err
}

// holds opens the file as the next hub would, and compares it with what was said to be written; only what was begun may be either.
func holds(t *testing.T, dir string, there map[string]bool, begun string) bool {
	t.Helper()
	s, err := Open(filepath.Join(dir, "jupyterhub.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Errorf("the file is not sound: %v", err)
	}
	is := map[string]bool{}
	view(t, s, func(tx *Tx) error {
		users, _, err := tx.Users(UserQuery{})
		for _, u := range users {
			if is[u.Name] = true; len(tx.Servers(u.Name)) != 1 {
				t.Errorf("%s is half there", u.Name)
			}
		}
		return err
	})
	if begun != "" {
		there[begun] = is[begun]
	}
	for name, want := range there {
		if is[name] != want {
			t.Errorf("%s is there: %v; said was %v", name, is[name], want)
		}
		delete(is, name)
	}
	if len(is) > 0 {
		t.Errorf("nobody spoke of %v", is)
	}
	return !t.Failed()
}
