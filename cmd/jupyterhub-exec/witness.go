package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The counters of a v1 control group by their files, controllers and keys, and the names by which package launcher reads
// them.
var counters = []struct{ name, controller, file, key string }{
	{"oom_kill", "memory", "memory.oom_control", "oom_kill "},
	{"fork_refused", "pids", "pids.events", "max "},
}

// witness writes down what the unit's limits did to it. It is the unit's last process: its first one has ended, and with
// this one the control groups go, and their counters with them. (With cgroup v2 they tell of changes by themselves, and
// nobody calls a witness.) Path must not be there yet.
func witness(path, cgroupRoot string, membership io.Reader) error {
	groups, err := groupsOf(membership)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, c := range counters {
		b, err := os.ReadFile(filepath.Join(cgroupRoot, c.controller, groups[c.controller], c.file))
		if err != nil {
			continue // a kernel without this controller; its limit did nothing either
		}
		fmt.Fprintf(&text, "%s %s\n", c.name, counter(string(b), c.key))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	return errors.Join(err, f.Close())
}

// counter returns the value of a key in a file of "key value" lines, "0" where it has none.
func counter(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(value)
		}
	}
	return "0"
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
