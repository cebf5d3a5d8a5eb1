package proxy

import (
	"runtime/debug"
	"sync"
	"time"
)

// thrift gives memory back to the system when a crowd has left it behind: tunnels that have ended, connections that were parked. The
// collector by itself would take minutes until it comes round, and keep what it finds.
type thrift struct {
	mu   sync.Mutex // guards the fields below
	left int        // since memory was given back
	last time.Time  // when that was
}

// So many make a crowd. Memory is given back a moment after they have left, since more may follow, and seldom.
const (
	crowded   = 200
	emptyFor  = 3 * time.Second
	seldomFor = time.Minute
)

// note counts one that has left.
func (th *thrift) note() {
	th.mu.Lock()
	defer th.mu.Unlock()
	if th.left++; th.left == crowded {
		time.AfterFunc(max(emptyFor, seldomFor-time.Since(th.last)), th.giveBack)
	}
}

func (th *thrift) giveBack() {
	th.mu.Lock()
	th.left, th.last = 0, time.Now()
	th.mu.Unlock()
	debug.FreeOSMemory()
}
