package spawner

import (
	"context"
	"time"

	"jupyterhubd/hub"
)

// Reserve is what the machine must have left for somebody's turn to come. Zero values ask for nothing, and so does what the
// machine cannot tell: a kernel without PSI starts servers all the same.
type Reserve struct {
	Memory         int64   // bytes, beside what servers that are starting will take
	MemoryPressure float64 // most pressure, in per cent
	IOPressure     float64
	CPUPressure    float64
}

// Times and sizes of looking at the machine.
const (
	lookLasts    = time.Second     // that a look is good for
	lookAgain    = 5 * time.Second // between looks while the machine has nothing left
	lookPatience = 2 * time.Second
	firstBite    = 128 << 20 // bytes that a server is taken to need until it is ready
)

// machine is what was last seen of the machine. It is guarded by Manager.mu.
type machine struct {
	left    hub.Headroom
	seen    time.Time
	looking bool          // a look is under way, or will be
	sooner  chan struct{} // closed when the look is not to wait; nil afterwards
	short   string        // what it lacks, in a sentence for those who wait
}

// hasten lets a look that is yet to come be now.
func (m *machine) hasten() {
	if m.sooner != nil {
		close(m.sooner)
		m.sooner = nil
	}
}

// fits reports whether the machine bears one more start. Where that must be looked up, it does not yet: the look admits who
// is next. The caller holds mu.
func (m *Manager) fits() bool {
	if m.measure == nil || m.policy.Reserve == (Reserve{}) {
		m.queue.machine.short = ""
		return true
	}
	if m.now().Sub(m.queue.machine.seen) > lookLasts {
		m.lookForRoom(0)
		return false
	}
	short := m.policy.Reserve.lacks(m.queue.machine.left, m.queue.starting)
	m.tellShort(short)
	if short != "" {
		m.lookForRoom(lookAgain)
	}
	return short == ""
}

// lacks says in a sentence what the machine does not have, or "".
func (r Reserve) lacks(left hub.Headroom, starting int) string {
	over := func(limit, pressure float64) bool { return limit > 0 && pressure > limit }
	switch {
	case r.Memory > 0 && left.Memory >= 0 && left.Memory-int64(starting+1)*firstBite < r.Memory,
		over(r.MemoryPressure, left.MemoryPressure):
		return "The machine is short of memory just now"
	case over(r.IOPressure, left.IOPressure):
		return "The machine's disks are busy just now"
	case over(r.CPUPressure, left.CPUPressure):
		return "The machine's processors are busy just now"
	}
	return ""
}

// tellShort notes what the machine lacks and tells everybody in line when that is news.
func (m *Manager) tellShort(short string) {
	if m.queue.machine.short == short {
		return
	}
	m.queue.machine.short = short
	if short == "" {
		return
	}
	m.log.Warn().Str("req", short).Msg("starts wait for the machine")
	for i, s := range m.order() {
		m.tellPlace(s, i)
	}
}

// lookForRoom looks at the machine after a pause, one look at a time, and then admits who fits. A machine that cannot be
// looked at keeps nobody waiting. The caller holds mu.
func (m *Manager) lookForRoom(after time.Duration) {
	if m.queue.machine.looking {
		if after == 0 {
			m.queue.machine.hasten()
		}
		return
	}
	m.queue.machine.looking = true
	sooner := make(chan struct{})
	m.queue.machine.sooner = sooner
	m.do(func(ctx context.Context) {
		pause(ctx, sooner, after)
		limited, done := context.WithTimeout(ctx, lookPatience)
		defer done()
		left, err := m.measure(limited)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.log.Debug().Err(err).Msg("look at what the machine has left, ignoring")
			left = hub.Headroom{Memory: -1, MemoryPressure: -1, IOPressure: -1, CPUPressure: -1}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.queue.machine.looking = false
		m.queue.machine.left, m.queue.machine.seen = left, m.now()
		m.admit()
	})
}
