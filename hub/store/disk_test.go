package store

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jupyterhubd/hub"
)

// fullDisk names the directory in which this test program, run once more, plays a store whose disk is full.
const fullDisk = "STORE_TEST_FULL_DISK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(fullDisk); dir != "" {
		fmt.Println(playFullDisk(dir))
		os.Exit(0)
	}
	if dir := os.Getenv(killed); dir != "" {
		fmt.Fprintln(os.Stderr, playKilled(dir))
		os.Exit(1)
	}
	if dir := os.Getenv(recorded); dir != "" {
		endWith(playRecorder(dir))
	}
	if dir := os.Getenv(lived); dir != "" {
		endWith(playLife(dir))
	}
	os.Exit(m.Run())
}

func endWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A full disk is told in a sentence, changes nothing, and the store works again when there is room. The full disk is a file
// size limit in a process of its own: to bbolt the two look the same.
func TestFullDisk(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "<nil>" {
		t.Fatalf("%v\n%s", err, out)
	}
}

func playFullDisk(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(filepath.Join(dir, "jupyterhub.db"), Options{})
	if err != nil {
		return err
	}
	if err := s.Update(func(tx *Tx) error { _, err := tx.PutUser(hub.User{Name: "alice"}); return err }); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(info.Size()), Max: 1 << 40}); err != nil {
		return err
	}
	err = s.Update(fillUp)
	if hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "no room on the disk that holds "+s.path) {
		return fmt.Errorf("a full disk said %v", err)
	}
	if text := hub.TextOf(err); !strings.Contains(text, "disk is full") || strings.Contains(text, s.path) {
		return fmt.Errorf("everybody is told %q", text)
	}
	s.TouchUser("alice", noon().at)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 40, Max: 1 << 40}); err != nil {
		return err
	}
	return recovered(s)
}

// fillUp writes more than fits: bbolt lets the file grow in steps of 16 MiB.
func fillUp(tx *Tx) error {
	options, err := json.Marshal(strings.Repeat("x", 1<<20))
	if err != nil {
		return err
	}
	for i := range 40 {
		ref := hub.ServerRef{User: "alice", Server: fmt.Sprintf("server-%d", i)}
		if err := tx.PutServer(hub.Server{ServerRef: ref, Options: options}); err != nil {
			return err
		}
	}
	return nil
}

// recovered checks that the store is sound, has what it had, and takes what it could not take before.
func recovered(s *Store) error {
	if err := s.Check(); err != nil {
		return err
	}
	err := s.View(func(tx *Tx) error {
		if n := len(tx.Servers("alice")); n != 0 {
			return fmt.Errorf("%d servers after a failed update", n)
		}
		_, err := tx.User("alice")
		return err
	})
	if err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.Update(fillUp); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	return s.Close()
}
