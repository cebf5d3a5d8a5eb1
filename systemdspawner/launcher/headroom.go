package launcher

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// kernelFiles is where the kernel tells of the machine as a whole.
const kernelFiles = "/proc"

func (l *Launcher) serveHeadroom(_ context.Context, r *varlink.Request) error {
	if err := nothing(r); err != nil {
		return err
	}
	return r.Reply(struct {
		Headroom hub.Headroom `json:"headroom"`
	}{l.cgroups.headroom(kernelFiles)})
}

// headroom is what the machine has left, or what the slice of all servers has, if that is less.
func (c cgroups) headroom(proc string) hub.Headroom {
	left := hub.Headroom{
		Memory:         available(filepath.Join(proc, "meminfo")),
		MemoryPressure: pressure(filepath.Join(proc, "pressure/memory"), "full"),
		IOPressure:     pressure(filepath.Join(proc, "pressure/io"), "full"),
		CPUPressure:    pressure(filepath.Join(proc, "pressure/cpu"), "some"),
	}
	limit, used := c.file("memory", hub.TopSlice, "memory.limit_in_bytes"), c.file("memory", hub.TopSlice, "memory.usage_in_bytes")
	if c.unified {
		limit, used = c.file("", hub.TopSlice, "memory.max"), c.file("", hub.TopSlice, "memory.current")
	}
	if most, now := number(limit), number(used); most >= 0 && now >= 0 { // "max" is no number
		left.Memory = min(left.Memory, max(most-now, 0))
	}
	return left
}

// available reads MemAvailable of meminfo(5) in bytes.
func available(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte("MemAvailable:")); ok {
			if kib := parseNumber(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))); kib >= 0 {
				return kib << 10
			}
		}
	}
	return -1
}

// pressure reads avg10 of one line of a PSI file (Documentation/accounting/psi.rst): "full avg10=0.12 avg60=…".
func pressure(path, line string) float64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	for l := range bytes.Lines(b) {
		fields := bytes.Fields(l)
		if len(fields) < 2 || string(fields[0]) != line {
			continue
		}
		if value, ok := bytes.CutPrefix(fields[1], []byte("avg10=")); ok {
			if share, err := strconv.ParseFloat(string(value), 64); err == nil {
				return share
			}
		}
	}
	return -1
}
