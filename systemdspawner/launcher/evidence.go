package launcher

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// evidence is what was seen of a unit's limits while it ran: when it has ended its control group is gone, and the counters
// with it. With cgroup v2 changes of pids.events and memory.events are seen here, and systemd itself says in the journal when
// the kernel killed for memory. With v1 neither is told, and the unit's last process is the witness (see Compose).
type evidence struct {
	now   func() time.Time
	blind []func() // each stops watching something

	mu     sync.Mutex // guards what follows
	forks  time.Time  // when a fork was last refused
	killed bool       // the kernel killed a process of it for memory
}

// lately is how long before its end a refused fork counts as the reason of it.
const lately = 10 * time.Second

// observe watches a unit's control group until close is called. What cannot be watched is not known; the cause of a failure
// then says less. Turned is called when the unit falls asleep or wakes: systemd 252 sends no signal of it.
func observe(c cgroups, e *eyes, group string, now func() time.Time, turned func(string)) *evidence {
	v := &evidence{now: now}
	// pids.events holds one counter, "max": every change of it is a refused fork.
	v.watch(e, c.file("pids", group, "pids.events"), v.refused)
	if c.unified {
		v.watch(e, c.file("", group, "cgroup.events"), turned)
		memory := c.file("", group, "memory.events")
		v.watch(e, memory, func(string) { v.kills(keyed(memory, "oom_kill")) })
	}
	return v
}

func (v *evidence) watch(e *eyes, file string, see func(string)) {
	if stop, err := e.watch(file, unix.IN_MODIFY, see); err == nil {
		v.blind = append(v.blind, stop)
	}
}

func (v *evidence) close() {
	for _, stop := range v.blind {
		stop()
	}
}

func (v *evidence) refused(string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forks = v.now()
}

// kills takes in how many processes the kernel has killed for memory, -1 where the group is gone already.
func (v *evidence) kills(n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.killed = v.killed || n > 0
}

func (v *evidence) outOfMemory() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.killed
}

func (v *evidence) outOfTasks() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now().Sub(v.forks) < lately
}
