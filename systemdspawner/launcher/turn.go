package launcher

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"jupyterhubd/hub"
)

// fewest is how many units are brought up at once at least, and slow how long one of them keeps the next from its turn at
// most: one that waits for somebody's home to be mounted holds nobody up.
const (
	fewest = 4
	slow   = 2 * time.Second
)

// newTurns bounds how many units systemd brings up at once. Each sandbox is some dozens of mounts, and the kernel makes them
// one at a time: given a hundred at once, all of them take as long as the last. How many servers boot at once is the hub's to
// say.
func newTurns() *semaphore.Weighted {
	return semaphore.NewWeighted(int64(max(fewest, 2*runtime.GOMAXPROCS(0))))
}

// turn waits in line until a unit may be given to systemd, and returns what has to be called when it is up. A Stop ends the
// wait.
func (l *Launcher) turn(ctx context.Context, e *entry) (done func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.roster.waits(e, cancel)
	err = l.turns.Acquire(ctx, 1)
	switch {
	case err == nil:
		release := sync.OnceFunc(func() { l.turns.Release(1) })
		late := time.AfterFunc(slow, release)
		return func() { late.Stop(); release() }, nil
	case l.roster.asked(e):
		return nil, wasStopped(l.roster.unit(e).ServerRef)
	}
	return nil, refused(hub.Unknown, hub.CauseTimeout, "So many servers start just now that yours did not have its turn in time.", err)
}
