package launcher

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// evidence is what was seen of a unit's limits while it ran: when it has ended its control group is gone, and the counters
// with it. With cgroup v2 a change of pids.events is seen here, and systemd itself says in the journal when the kernel
// killed for memory. With v1 neither is told, and the unit's last process is a witness instead (see Compose).
type evidence struct {
	now   func() time.Time
	blind func() // stops watching

	mu    sync.Mutex // guards forks
	forks time.Time  // when a fork was last refused
}

// lately is how long before its end a refused fork counts as the reason of it.
const lately = 10 * time.Second

// observe watches a unit's control group until close is called. What cannot be watched is not known; the cause of a failure
// then says less.
func observe(c cgroups, e *eyes, group string, now func() time.Time) *evidence {
	v := &evidence{now: now, blind: func() {}}
	// pids.events holds one counter, "max": every change of it is a refused fork.
	if stop, err := e.watch(c.file("pids", group, "pids.events"), unix.IN_MODIFY, v.refused); err == nil {
		v.blind = stop
	}
	return v
}

func (v *evidence) close() { v.blind() }

func (v *evidence) refused(string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forks = v.now()
}

func (v *evidence) outOfTasks() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now().Sub(v.forks) < lately
}
