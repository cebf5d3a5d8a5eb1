package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The census sees a cgroup, a mount and a process that carry no bed's name, and forgets them when they are gone.
func TestCensusSeesWhatHasNoName(t *testing.T) {
	Needed(t)
	hierarchies, err := hostHierarchies()
	if err != nil || len(hierarchies) == 0 {
		t.Fatal("no cgroups:", err)
	}
	before := Take()
	group := filepath.Join(hierarchies[0].own, fmt.Sprint("nameless-", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	dir := t.TempDir()
	if err := syscall.Mount("nameless", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	// Its parent ends before it: it is nobody's child whom the test could know.
	orphan := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
	pid, err := orphan.Output()
	if err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = exec.Command("kill", "-KILL", strings.TrimSpace(string(pid))).Run() }
	t.Cleanup(kill)
	left := before.Left()
	for _, want := range []string{"cgroup " + group, "mount " + dir, "process " + strings.TrimSpace(string(pid))} {
		if !slices.ContainsFunc(left, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("%q is not among %q", want, left)
		}
	}
	kill()
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Error(err)
	}
	if err := os.Remove(group); err != nil {
		t.Error(err)
	}
	await(t, func() error { return leftOf(before.Left(), group, dir, strings.TrimSpace(string(pid))) })
}

// leftOf is an error when one of the names is among what is left.
func leftOf(left []string, names ...string) error {
	for _, l := range left {
		for _, n := range names {
			if strings.Contains(l, n) {
				return fmt.Errorf("still counted: %s", l)
			}
		}
	}
	return nil
}
