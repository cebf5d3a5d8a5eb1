package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The counters of control groups by their files, controllers and keys, and the names by which package launcher reads them.
// The controller "" is version 2, at the root or beside version 1. Of several of one name the first that is there counts.
var counters = []struct {
	name, controller, file, key string
	unit                        uint64 // that it counts in, of ours
}{
	{"oom_kill", "memory", "memory.oom_control", "oom_kill ", 1},
	{"fork_refused", "pids", "pids.events", "max ", 1},
	{"oom_kill", "", "memory.events", "oom_kill ", 1},
	{"fork_refused", "", "pids.events", "max ", 1},
	{"cpu", "", "cpu.stat", "usage_usec ", 1000},
	{"cpu", "cpuacct", "cpuacct.usage", "", 1},
	{"memory_peak", "", "memory.peak", "", 1},
	{"memory_peak", "memory", "memory.max_usage_in_bytes", "", 1},
}

// witness writes down what a run of the unit used, and what its limits did to it. It is the unit's last process: its first one has
// ended, and with this one the control groups go, and their counters with them. At path there may be what an earlier run's wrote.
func witness(path, run, cgroupRoot string, membership io.Reader) error {
	groups, err := groupsOf(membership)
	if err != nil {
		return err
	}
	text, said := "run "+run+"\n", map[string]bool{}
	for _, c := range counters {
		b, err := readCounter(cgroupRoot, c.controller, groups, c.file)
		if err != nil || said[c.name] {
			continue // a kernel without this controller; its limit did nothing either
		}
		said[c.name] = true
		text += fmt.Sprintf("%s %d\n", c.name, counter(string(b), c.key)*c.unit)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readCounter reads a file of the group that this process is in. Version 2 is at the root, or beside version 1 in a directory of its own.
func readCounter(root, controller string, groups map[string]string, file string) ([]byte, error) {
	group, is := groups[controller]
	if !is {
		return nil, fs.ErrNotExist
	}
	b, err := os.ReadFile(filepath.Join(root, controller, group, file))
	if err != nil && controller == "" {
		b, err = os.ReadFile(filepath.Join(root, "unified", group, file))
	}
	return b, err
}

// counter returns the number of a key in a file of "key number" lines, or the first one if there is no key; 0 where there is none.
func counter(text, key string) uint64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(value), 10, 64) // 0 then, ignoring
			return n
		}
	}
	return 0
}

// groupsOf reads /proc/self/cgroup (cgroups(7)): the process's group by controller.
func groupsOf(membership io.Reader) (map[string]string, error) {
	groups := map[string]string{}
	lines := bufio.NewScanner(membership)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups, lines.Err()
}
