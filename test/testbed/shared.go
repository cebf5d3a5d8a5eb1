package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// shared is the one bed of a test program.
type shared struct {
	once sync.Once
	bed  *Bed
	err  error
}

var common shared

// Main runs the tests of a package, ends the shared bed, if any test asked for it, and fails the run when the host has a cgroup,
// a mount or a process more than before. Call it from TestMain.
func Main(m *testing.M) int {
	if inGuest() { // nothing is left of it in any case
		return m.Run()
	}
	before := Take()
	// An interrupted test program ends its bed before it ends itself.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interrupted := context.AfterFunc(ctx, func() {
		common.once.Do(func() {}) // a boot under way goes on to its end, and none begins
		common.end()
		os.Exit(1)
	})
	code := m.Run()
	interrupted()
	if err := common.end(); err != nil {
		fmt.Fprintln(os.Stderr, "testbed: end the bed:", err)
		code = 1
	}
	if left := append(Leftovers(os.Getpid()), before.Settled()...); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "testbed: left on the host:\n  %s\n", strings.Join(left, "\n  "))
		code = 1
	}
	return code
}

// Shared returns the bed that all tests of this program share, with the product running. It skips under -short and without
// root, except in CI, where neither is an excuse. When the test fails, what our units told the journal meanwhile is logged.
func Shared(t testing.TB) *Bed {
	t.Helper()
	Needed(t)
	common.once.Do(func() {
		var log bytes.Buffer
		boot := Boot
		if inGuest() {
			boot = aboard
		}
		common.bed, common.err = boot(context.WithoutCancel(t.Context()), Options{Log: &log})
		if common.err != nil {
			common.err = fmt.Errorf("%w\n%s", common.err, log.String())
		}
	})
	if common.err != nil {
		t.Fatal(common.err)
	}
	common.bed.Watch(t)
	return common.bed
}

// Needed skips the test where no bed can be booted.
func Needed(t testing.TB) {
	t.Helper()
	if os.Getenv("CI") != "" {
		return
	}
	if testing.Short() {
		t.Skip("boots a machine, which -short leaves out")
	}
	if os.Getuid() != 0 {
		t.Skip("boots a machine, which needs root")
	}
}

// Watch logs the journal of our units from here on, should the test fail.
func (b *Bed) Watch(t testing.TB) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	cursor, err := b.Run(ctx, "journalctl", "--no-pager", "--lines=0", "--show-cursor")
	if err != nil {
		t.Fatal(err)
	}
	_, cursor, _ = strings.Cut(cursor, "cursor: ")
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		args := append([]string{"--no-pager", "--output=short-precise", "--after-cursor=" + cursor}, unitArgs(nil)...)
		out, err := b.Run(ctx, "journalctl", args...)
		t.Logf("the journal of our units (%v):\n%s", err, out)
	})
}

func (s *shared) end() error {
	if s.bed == nil {
		return nil
	}
	return s.bed.End()
}

// Leftovers lists what the beds of a process have on the host: cgroups, directories, mounts and processes.
func Leftovers(owner int) []string {
	name := fmt.Sprintf("%s%d-", prefix, owner)
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), name+"*"))
	host, _ := hostHierarchies()
	for _, h := range host {
		groups, _ := filepath.Glob(filepath.Join(h.own, name+"*"))
		left = append(left, groups...)
	}
	mounts, _ := readLines("/proc/self/mountinfo")
	left = append(left, slices.DeleteFunc(mounts, func(m string) bool { return !strings.Contains(m, name) })...)
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		if groups, _ := os.ReadFile(filepath.Join(p, "cgroup")); bytes.Contains(groups, []byte(name)) {
			command, _ := os.ReadFile(filepath.Join(p, "cmdline"))
			left = append(left, fmt.Sprintf("%s %q", p, command))
		}
	}
	return left
}
