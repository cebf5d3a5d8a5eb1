package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"jupyterhubd/test/testbed"
)

// unit is a service of the bed that a program of the references runs in.
type unit struct {
	name    string
	environ []string
	command []string // words without spaces
	core    *int     // nil: all of them
	config  string   // content of the file NAME.conf in our directory
}

// startUnits writes unit files and starts them.
func (s *stage) startUnits(ctx context.Context, units ...unit) error {
	names := []string{"start"}
	for _, u := range units {
		text := fmt.Sprintf("[Service]\nEnvironment=%s\nWorkingDirectory=-%s\nExecStart=%s\nLimitNOFILE=65536\nTimeoutStopSec=20\n",
			strings.Join(u.environ, " "), here, strings.Join(u.command, " "))
		if err := s.bed.WriteFile(ctx, "/run/systemd/system/"+u.name, text+onCore(u.core), 0o644); err != nil {
			return err
		}
		if err := s.bed.WriteFile(ctx, here+"/"+u.name+".conf", u.config, 0o644); err != nil {
			return err
		}
		names = append(names, u.name)
	}
	return s.systemctl(ctx, []string{"daemon-reload"}, names)
}

// onCore is the line of a unit file that binds a service to a core, where there are two.
func onCore(core *int) string {
	if core == nil || runtime.NumCPU() < 2 {
		return ""
	}
	return fmt.Sprintf("CPUAffinity=%d\n", *core)
}

func (s *stage) systemctl(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		if _, err := s.bed.Systemctl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// process is the main process of a unit.
type process struct {
	bed *testbed.Bed
	pid int // in the bed
}

func (s *stage) process(ctx context.Context, name string) (process, error) {
	out, err := s.bed.Systemctl(ctx, "show", "--property=MainPID", "--value", name)
	if err != nil {
		return process{}, err
	}
	pid, err := strconv.Atoi(out)
	if err != nil || pid == 0 {
		return process{}, fmt.Errorf("%s does not run: MainPID=%s", name, out)
	}
	return process{s.bed, pid}, nil
}

// read reads a file of the process in /proc; see proc(5).
func (p process) read(name string) (string, error) {
	b, err := os.ReadFile(p.path(name))
	return string(b), err
}

func (p process) path(name string) string { return p.bed.Path(fmt.Sprintf("/proc/%d/%s", p.pid, name)) }

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Go knows.
const ticksPerSecond = 100

// processor is the time that the process has used so far, in seconds, of all its threads.
func (p process) processor() (float64, error) {
	stat, err := p.read("stat")
	if err != nil {
		return 0, err
	}
	// The second field, the name, may hold anything; fields 14 and 15 are utime and stime.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is %q", p.path("stat"), stat)
	}
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%s is %q", p.path("stat"), stat)
	}
	return (user + system) / ticksPerSecond, nil
}

// memory is what the process has in memory, in MiB: shared pages by their share (Pss) and whole (Rss).
func (p process) memory() (pss, rss float64, err error) {
	text, err := p.read("smaps_rollup")
	if err != nil {
		return 0, 0, err
	}
	return valueOf(text, "Pss:") / 1024, valueOf(text, "Rss:") / 1024, nil
}

// wakeups is how often the threads of the process that are there now gave the processor up by themselves.
func (p process) wakeups() (total float64, err error) {
	threads, err := os.ReadDir(p.path("task"))
	if err != nil {
		return 0, err
	}
	for _, t := range threads {
		text, err := p.read("task/" + t.Name() + "/status")
		if err != nil {
			continue // it has just ended
		}
		total += valueOf(text, "voluntary_ctxt_switches:")
	}
	return total, nil
}

// valueOf is the number after a key at the beginning of a line.
func valueOf(text, key string) float64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == key {
			value, _ := strconv.ParseFloat(fields[1], 64) // the kernel writes numbers
			return value
		}
	}
	return 0
}
