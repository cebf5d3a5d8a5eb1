package launcher

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups reads the control groups of units, in the unified hierarchy (v2) or in the separate ones that systemd 252 still
// speaks (v1).
type cgroups struct {
	root    string
	unified bool
}

const cgroupRoot = "/sys/fs/cgroup"

func mountedCgroups() cgroups {
	var fs unix.Statfs_t
	err := unix.Statfs(cgroupRoot, &fs)
	return cgroups{root: cgroupRoot, unified: err == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC}
}

// file returns the path of a control group's file: of one controller where each has a hierarchy of its own.
func (c cgroups) file(controller, group, name string) string {
	if c.unified {
		controller = ""
	}
	return filepath.Join(c.root, controller, group, name)
}

// usage returns the memory in bytes, the CPU time in nanoseconds and the tasks of a control group, -1 for what cannot be
// read.
func (c cgroups) usage(group string) (memory, cpu, tasks int64) {
	tasks = number(c.file("pids", group, "pids.current"))
	if c.unified {
		return number(c.file("", group, "memory.current")), c.cpuTime("", group), tasks
	}
	// Beside the v1 hierarchies systemd keeps a v2 one without controllers; it counts CPU time all the same.
	if cpu = c.cpuTime("unified", group); cpu < 0 {
		cpu = number(c.file("cpuacct", group, "cpuacct.usage"))
	}
	return number(c.file("memory", group, "memory.usage_in_bytes")), cpu, tasks
}

// cpuTime reads the CPU time of a v2 group in nanoseconds.
func (c cgroups) cpuTime(hierarchy, group string) int64 {
	us := keyed(c.file(hierarchy, group, "cpu.stat"), "usage_usec")
	if us < 0 {
		return us
	}
	return us * 1000
}

// controllers are those that our limits need, with the option that does nothing without them.
var controllers = map[string]string{"memory": "mem_limit", "cpu": "cpu_limit", "pids": "tasks_max"}

// has reports whether a controller can limit anything here.
func (c cgroups) has(controller string) bool {
	if !c.unified {
		_, err := os.Stat(filepath.Join(c.root, controller, "cgroup.procs"))
		return err == nil
	}
	b, err := os.ReadFile(filepath.Join(c.root, "cgroup.controllers"))
	return err == nil && strings.Contains(" "+strings.TrimSpace(string(b))+" ", " "+controller+" ")
}

func number(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	return parseNumber(b)
}

func parseNumber(b []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// keyed reads one line of a file of "key number" lines.
func keyed(path, key string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	return valueOf(b, key)
}

// valueOf returns the number of a key in a text of "key number" lines, -1 where there is none.
func valueOf(b []byte, key string) int64 {
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte(key+" ")); ok {
			return parseNumber(value)
		}
	}
	return -1
}
