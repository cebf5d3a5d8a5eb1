package launcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// evidence is what was seen of a unit's limits while it ran. When the unit has ended its control group is gone and its
// counters with it, so they are watched.
type evidence struct {
	now func() time.Time

	mu    sync.Mutex // guards ooms and tasks
	ooms  int        // times that the unit was out of memory (cgroup v1 only: systemd itself tells it on v2)
	tasks time.Time  // when a fork was last refused

	memory *os.File      // counts the events of memory.oom_control; nil where there is none
	counts chan struct{} // closed when ooms is final
	blind  func()        // stops watching pids.events
}

const (
	lately   = 10 * time.Second      // how long before its end a refused fork counts as the reason of it
	farewell = 50 * time.Millisecond // how long a removed group's last events may take
)

// observe watches a unit's control group until close is called. What cannot be watched is not known; the cause of a failure
// then says less.
func observe(c cgroups, e *eyes, group string, now func() time.Time) *evidence {
	v := &evidence{now: now, counts: make(chan struct{}), blind: func() {}}
	// pids.events holds one counter, "max": every change of it is a refused fork.
	if stop, err := e.watch(c.file("pids", group, "pids.events"), unix.IN_MODIFY, v.refused); err == nil {
		v.blind = stop
	}
	dir := c.file("memory", group, "")
	events, err := outOfMemory(dir)
	if c.unified || err != nil {
		close(v.counts)
		return v
	}
	v.memory = events
	go v.count(dir)
	return v
}

func (v *evidence) close() {
	v.blind()
	if v.memory != nil {
		v.memory.Close()
	}
}

func (v *evidence) refused(string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tasks = v.now()
}

// testimony is what is left of the evidence after the unit's end.
func (v *evidence) testimony() (outOfMemory, outOfTasks bool) {
	<-v.counts
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ooms > 0, v.now().Sub(v.tasks) < lately
}

// count adds the events of the group up until the group is gone. Its removal is the last event, so it is taken off again:
// in a group that is killed and removed at once both may be read as one number.
func (v *evidence) count(dir string) {
	defer close(v.counts)
	total := 0
	for {
		n, err := readEvent(v.memory)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return // closed: nobody wants to know
		}
		total += n
		if _, err := os.Stat(dir); err != nil {
			_ = v.memory.SetReadDeadline(time.Now().Add(farewell)) // cannot fail for a descriptor of the poller
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ooms = total - 1
}

func readEvent(f *os.File) (int, error) {
	var buf [8]byte
	if _, err := f.Read(buf[:]); err != nil {
		return 0, err
	}
	return int(binary.NativeEndian.Uint64(buf[:])), nil
}

// outOfMemory returns a descriptor that counts (eventfd(2)) what happens to the memory.oom_control of a v1 control group.
func outOfMemory(dir string) (*os.File, error) {
	control, err := unix.Open(filepath.Join(dir, "memory.oom_control"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	events := os.NewFile(uintptr(fd), "memory.oom_control")
	err = os.WriteFile(filepath.Join(dir, "cgroup.event_control"), fmt.Appendf(nil, "%d %d", fd, control), 0)
	if err != nil {
		events.Close()
		return nil, err
	}
	return events, nil
}
