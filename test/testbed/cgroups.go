package testbed

import (
	"bufio"
	"errors"
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

// hierarchy is one cgroup hierarchy of the host.
type hierarchy struct {
	controllers string // "cpu,cpuacct"; empty for cgroup v2 and named ones
	own         string // directory in which beds get theirs
}

// hostHierarchies finds every hierarchy and this process's place in it (cgroups(7), /proc/self/cgroup and mountinfo).
func hostHierarchies() ([]hierarchy, error) {
	lines, err := readLines("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, ":")
		name, place, _ := strings.Cut(rest, ":")
		mount, ok := mounts[name]
		if !ok {
			continue
		}
		h := hierarchy{own: filepath.Join(mount, place)}
		switch {
		case name == "" && len(mounts) == 1:
			// Nothing but cgroup v2: a group that has processes cannot hand controllers down, the root can.
			h.own = mount
		case !strings.HasPrefix(name, "name="):
			h.controllers = name
		}
		found = append(found, h)
	}
	return found, nil
}

// cgroupMounts maps a hierarchy's name in /proc/self/cgroup to where it is mounted.
func cgroupMounts() (map[string]string, error) {
	lines, err := readLines("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	mounts := make(map[string]string)
	for _, line := range lines {
		before, after, _ := strings.Cut(line, " - ")
		place, kind := strings.Fields(before)[4], strings.Fields(after)
		switch kind[0] {
		case "cgroup2":
			mounts[""] = place
		case "cgroup":
			mounts[hierarchyName(kind[len(kind)-1])] = place
		}
	}
	return mounts, nil
}

// hierarchyName takes the controllers out of the options of a mount: "rw,cpu,cpuacct" is "cpu,cpuacct".
func hierarchyName(options string) string {
	all := strings.Split(options, ",")
	for _, o := range all {
		if strings.HasPrefix(o, "name=") {
			return o
		}
	}
	return strings.Join(slices.DeleteFunc(all, func(o string) bool {
		return o == "rw" || o == "ro" || o == "xattr" || strings.HasPrefix(o, "clone_children") || strings.HasPrefix(o, "release_agent=")
	}), ",")
}

func makeCgroups(host []hierarchy, name string) ([]string, error) {
	var made []string
	for _, h := range host {
		dir := filepath.Join(h.own, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, fmt.Errorf("make a cgroup: %w", err)
		}
		made = append(made, dir)
		if err := furnishCgroup(h, dir); err != nil {
			return made, err
		}
	}
	return made, nil
}

// furnishCgroup gives a new group what it needs before a process may enter: cpusets begin empty, and cgroup v2 hands a
// controller down when told.
func furnishCgroup(h hierarchy, dir string) error {
	if strings.Contains(h.controllers, "cpuset") {
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(h.own, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), value, 0o644)
			}
			if err != nil {
				return fmt.Errorf("furnish the cpuset: %w", err)
			}
		}
	}
	all, err := os.ReadFile(filepath.Join(h.own, "cgroup.controllers"))
	if err != nil {
		return nil // cgroup v1
	}
	for _, c := range strings.Fields(string(all)) {
		// One that cannot be handed down is missing inside, and told by HasControllers.
		_ = os.WriteFile(filepath.Join(h.own, "cgroup.subtree_control"), []byte("+"+c), 0o644)
	}
	return nil
}

func enterCgroups(dirs []string, pid int) error {
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("enter a cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the groups with all below them. The kernel may need a moment after the last process has gone.
func removeCgroups(dirs []string) error {
	deadline := time.Now().Add(10 * time.Second)
	for _, dir := range dirs {
		for err := removeTree(dir); err != nil; err = removeTree(dir) {
			if time.Now().After(deadline) {
				return fmt.Errorf("remove a cgroup: %w", err)
			}
			time.Sleep(20 * time.Millisecond) // cgroup v1 tells nobody when a group can go
		}
	}
	return nil
}

func removeTree(dir string) error {
	var groups []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range slices.Backward(groups) {
		if err := syscall.Rmdir(g); err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("%s: %w", g, err)
		}
	}
	return nil
}

func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}
