package launcher

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"jupyterhubd/hub"
)

// promise is what a unit is guaranteed, and where it stands.
type promise struct {
	slice  string
	memory int64   // bytes
	cpus   float64 // CPUs
}

// capacity is what there is to promise, and to limit by.
type capacity struct {
	memory int64 // bytes
	cpus   float64
}

// thisMachine reads what the kernel says. What cannot be read is 0: not known, and no bound.
func thisMachine() capacity {
	m := capacity{cpus: float64(runtime.NumCPU())}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.memory = meminfo(string(b), "MemTotal:")
	}
	return m
}

// meminfo returns a row of /proc/meminfo in bytes.
func meminfo(text, name string) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// own is the part of the memory that jupyter.slice leaves to the system (MemoryMax=80%).
const systemsOwn = 5

// holds refuses what the machine cannot keep beside what it has promised already.
func (m capacity) holds(before, p promise) error {
	room := m.memory - m.memory/systemsOwn
	switch {
	case p.memory > 0 && m.memory > 0 && before.memory+p.memory > room:
		return noRoom(fmt.Errorf("mem_guarantee: %s of %s are promised to servers that run, and this one wants %s",
			bytesText(uint64(before.memory)), bytesText(uint64(room)), bytesText(uint64(p.memory))))
	case p.cpus > 0 && m.cpus > 0 && before.cpus+p.cpus > m.cpus:
		return noRoom(fmt.Errorf("cpu_guarantee: %g of %g CPUs are promised to servers that run, and this one wants %g", before.cpus, m.cpus, p.cpus))
	}
	return nil
}

// noRoom is told without sending the user to anybody: it passes.
func noRoom(why error) error {
	const message = "The machine has no room for your server just now. Try again when others have stopped theirs, or choose a smaller one."
	return &hub.Error{Kind: hub.TooMany, Text: message, Err: why, Cause: &hub.Cause{Kind: hub.CauseNoRoom, Message: message, Detail: why.Error()}}
}

// promised sums up what the units that are alive are guaranteed in a slice and below it.
func (r *roster) promised(slice string) promise {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sum(slice)
}

// sum is promised for who holds the lock.
func (r *roster) sum(slice string) promise {
	all := promise{slice: slice}
	for _, e := range r.entries {
		if e.alive() && slices.Contains(above(e.promise.slice), slice) {
			all.memory += e.promise.memory
			all.cpus += e.promise.cpus
		}
	}
	return all
}

// promise reads what a unit is guaranteed from what systemd says of it.
func (s seen) promise() promise {
	p := promise{slice: s.text("Slice")}
	if n := s.number("MemoryMin"); n != infinity {
		p.memory = int64(n)
	}
	variables, _ := s["Environment"].([]string)
	for _, v := range variables {
		if text, ok := strings.CutPrefix(v, guaranteedCPUs); ok {
			p.cpus, _ = strconv.ParseFloat(text, 64)
		}
	}
	return p
}
