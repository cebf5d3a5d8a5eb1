package daemon

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Watchdog pings systemd's watchdog as long as alive keeps returning nil, and returns when ctx ends. Alive has to go through
// the work itself (a transaction, a turn of the main loop, a call on the bus): a process whose timers still tick is no proof. It
// is asked three times in WatchdogSec=, so that one bad answer is no death. One that never returns is, and systemd's signal
// makes Go show where everybody stands. The same bell shows when the daemon rests, and gives memory back then. Where no watchdog is asked for, alive is never called.
func (d *Daemon) Watchdog(ctx context.Context, alive func(context.Context) error) error {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read what the watchdog wants: %w", err)
	}
	if limit == 0 {
		<-ctx.Done()
		return nil
	}
	bell, err := newBell(limit / 3)
	if err != nil {
		return fmt.Errorf("get a clock for the watchdog: %w", err)
	}
	defer context.AfterFunc(ctx, func() { bell.Close() })()
	defer bell.Close()
	var memory thrift
	for rung := true; rung; rung = bell.await() {
		if err := alive(ctx); err == nil {
			d.notify("WATCHDOG=1")
		} else if ctx.Err() == nil {
			d.Log.Error().Err(err).Msg("no sign of life for the watchdog")
		}
		memory.look()
	}
	return nil
}

// bell rings again and again. It is the kernel's clock and not Go's: for a timer of its own Go wakes two threads, of which one
// looks about for a while, and that is most of what an idle daemon would do.
type bell struct{ *os.File }

func newBell(every time.Duration) (bell, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return bell{}, err
	}
	span := unix.NsecToTimespec(every.Nanoseconds())
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: span, Value: span}, nil); err != nil {
		unix.Close(fd)
		return bell{}, err
	}
	return bell{os.NewFile(uintptr(fd), "bell")}, nil
}

// await returns when the bell rings next, or at once when it has rung since; false means that it is closed.
func (b bell) await() bool {
	var rings uint64 // since the last time
	return binary.Read(b.File, binary.NativeEndian, &rings) == nil
}
