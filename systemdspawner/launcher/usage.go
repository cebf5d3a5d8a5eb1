package launcher

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// used returns what a control group consumed beside what usage says, and the limits that hold for it.
func (c cgroups) used(group string) *hub.Usage {
	u := &hub.Usage{TasksPeak: number(c.file("pids", group, "pids.peak")), Limits: c.limits(group)}
	if c.unified {
		u.MemoryPeak = number(c.file("", group, "memory.peak"))
		u.Swap = number(c.file("", group, "memory.swap.current"))
		u.IORead, u.IOWritten = transferred(c.file("", group, "io.stat"))
		return u
	}
	u.MemoryPeak = number(c.file("memory", group, "memory.max_usage_in_bytes"))
	u.Swap = keyed(c.file("memory", group, "memory.stat"), "swap")
	u.IORead, u.IOWritten = serviced(c.file("blkio", group, "blkio.throttle.io_service_bytes"))
	return u
}

// transferred sums the lines of io.stat, "8:0 rbytes=1 wbytes=2 rios=…", over all devices. -1 where the file is not there.
func transferred(path string) (read, written int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1, -1
	}
	for _, word := range bytes.Fields(b) {
		if n, ok := bytes.CutPrefix(word, []byte("rbytes=")); ok {
			read += parseNumber(n)
		}
		if n, ok := bytes.CutPrefix(word, []byte("wbytes=")); ok {
			written += parseNumber(n)
		}
	}
	return read, written
}

// serviced sums the lines of version 1, "8:0 Read 1".
func serviced(path string) (read, written int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1, -1
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) != 3 {
			continue
		}
		switch string(f[1]) {
		case "Read":
			read += parseNumber(f[2])
		case "Write":
			written += parseNumber(f[2])
		}
	}
	return read, written
}

// The neighbourhoods of "no limit" in version 1, which says it by a number.
const (
	boundless   = math.MaxInt64 &^ (1<<20 - 1)
	sharesOf100 = 1024 // cpu.shares of the weight 100
)

// limits reads what holds for a control group, whoever said it.
func (c cgroups) limits(group string) hub.Limits {
	l := hub.Limits{TasksMax: bound(c.file("pids", group, "pids.max"))}
	if c.unified {
		l.MemoryMax, l.MemoryHigh = bound(c.file("", group, "memory.max")), bound(c.file("", group, "memory.high"))
		l.CPUQuota = quota(c.file("", group, "cpu.max"))
		l.CPUWeight = bound(c.file("", group, "cpu.weight"))
		if l.IOWeight = max(0, keyed(c.file("", group, "io.weight"), "default")); l.IOWeight == 0 {
			l.IOWeight = ofBFQ(keyed(c.file("", group, "io.bfq.weight"), "default"))
		}
		return l
	}
	if l.MemoryMax = bound(c.file("memory", group, "memory.limit_in_bytes")); l.MemoryMax >= boundless {
		l.MemoryMax = 0
	}
	runtime, period := number(c.file("cpu", group, "cpu.cfs_quota_us")), number(c.file("cpu", group, "cpu.cfs_period_us"))
	if runtime > 0 && period > 0 {
		l.CPUQuota = float64(runtime) / float64(period)
	}
	l.CPUWeight = max(0, number(c.file("cpu", group, "cpu.shares"))) * 100 / sharesOf100
	// 10 to 1000 there, 500 the default
	if l.IOWeight = max(0, number(c.file("blkio", group, "blkio.weight"))) / 5; l.IOWeight == 0 {
		l.IOWeight = ofBFQ(number(c.file("blkio", group, "blkio.bfq.weight"))) / 5
	}
	return l
}

// ofBFQ is the weight that systemd turned into one of the scheduler bfq. That one ends at 1000 where systemd's ends at 10000, so that
// what is over 100 is known to the ten.
func ofBFQ(weight int64) int64 {
	if weight > 100 {
		return (100 + (weight-100)*11 + 10) / 10 * 10
	}
	return max(0, weight)
}

// bound reads a file that holds one number or "max"; 0 is no limit.
func bound(path string) int64 { return max(0, number(path)) }

// quota reads cpu.max, "50000 100000", as CPUs.
func quota(path string) float64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	runtime, period, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	r, err1 := strconv.ParseFloat(runtime, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || p <= 0 {
		return 0
	}
	return r / p
}
