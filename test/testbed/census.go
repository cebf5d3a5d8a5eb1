package testbed

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// marker is in the environment of whatever a test program starts on the host, and of what that starts, whoever's child it is by
// then. Its value is the test program's process number.
const marker = "JUPYTERHUBD_TESTBED"

// Census counts the host: every cgroup in which a bed could have made another, every mount, and every process that was started
// by this test program or by one of its children. It goes by what is there and not by name, so it also finds what a bed
// would have lost its name on. Where the host's own systemd makes cgroups and mounts while tests run, these are not counted.
type Census struct {
	marked string
	found  map[string]bool
}

// Take counts the host now and marks all that this process starts from here on.
func Take() Census {
	if os.Getenv(marker) == "" { // else this is a demo that a test has started
		os.Setenv(marker, strconv.Itoa(os.Getpid()))
	}
	c := Census{marked: os.Getenv(marker)}
	c.found = c.count()
	return c
}

// Left lists what is there and was not at the time of the census. What other beds have is theirs, as long as their owner lives.
func (c Census) Left() (left []string) {
	for thing := range c.count() {
		if !c.found[thing] && !anothers(thing) {
			left = append(left, thing)
		}
	}
	slices.Sort(left)
	return left
}

// Settled waits until nothing is left, for ten seconds at most: the kernel, and beds of others that are ending, take a moment.
func (c Census) Settled() (left []string) {
	for range 100 {
		if left = c.Left(); len(left) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond) // nobody tells when a cgroup or mount has gone
	}
	return left
}

func (c Census) count() map[string]bool {
	found := make(map[string]bool)
	countCgroups(found)
	countMounts(found)
	c.countProcesses(found)
	return found
}

func countCgroups(found map[string]bool) {
	hierarchies, _ := hostHierarchies()
	for _, h := range hierarchies {
		// A group that vanishes under our hands is not there.
		_ = filepath.WalkDir(h.own, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil
			}
			if hostHasSystemd() && path != h.own && managed(filepath.Base(path)) {
				return fs.SkipDir
			}
			found["cgroup "+path] = true
			return nil
		})
	}
}

// managed reports whether a cgroup at the top is the host's service manager's.
func managed(name string) bool {
	return name == "init.scope" || strings.HasSuffix(name, ".slice")
}

func countMounts(found map[string]bool) {
	lines, _ := readLines("/proc/self/mountinfo")
	for _, line := range lines {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 2 {
			continue
		}
		if hostHasSystemd() && (strings.HasPrefix(fields[4], "/run/user/") || strings.HasPrefix(fields[4], "/run/credentials/")) {
			continue
		}
		found[fmt.Sprintf("mount %s of %s from %s%s", fields[4], kind[0], kind[1], fields[3])] = true
	}
}

func (c Census) countProcesses(found map[string]bool) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if !slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool { return string(v) == marker+"="+c.marked }) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		found[fmt.Sprintf("process %d %q", pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '}))] = true
	}
}

// anothers reports whether a bed has something whose owner lives and is not this process.
func anothers(thing string) bool {
	_, rest, ok := strings.Cut(thing, prefix)
	owner, _, _ := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(owner)
	return ok && err == nil && pid != os.Getpid() && syscall.Kill(pid, 0) == nil
}

func hostHasSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}
