package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// bite is how much memory is asked back at once: a server that is woken waits for no more than that.
const bite = 32 << 20

// freezes returns nil if control groups can be frozen here, which version 2 alone can in a way that systemd knows.
func (c cgroups) freezes() error {
	if !c.unified {
		return cannotFreeze("control groups are of version 1: boot with systemd.unified_cgroup_hierarchy=1")
	}
	return nil
}

// frozen reports whether no process of a control group runs, because it or one above it was frozen.
func (c cgroups) frozen(group string) bool {
	return c.unified && group != "" && keyed(c.file("", group, "cgroup.events"), "frozen") == 1
}

// reclaim gives the memory of a unit that sleeps back to the machine, as far as the kernel finds a place for it: files' pages
// go, the rest needs swap.
func (l *Launcher) reclaim(ctx context.Context, name, group string) {
	if err := l.cgroups.reclaim(ctx, group); err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		l.o.Report("give back a sleeping server's memory", name, err)
	}
}

// reclaim works until nothing more comes, or ctx ends. Memory that came back meanwhile does not: nobody of the group runs.
func (c cgroups) reclaim(ctx context.Context, group string) error {
	file := c.file("", group, "memory.reclaim")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return c.reclaimByHigh(ctx, group)
	}
	for ctx.Err() == nil {
		used := number(c.file("", group, "memory.current"))
		if used <= 0 {
			return nil
		}
		err := write(file, strconv.FormatInt(min(used, bite), 10))
		if errors.Is(err, unix.EAGAIN) { // less came back than was asked for: there is no more
			return nil
		}
		if err != nil {
			return err
		}
		if number(c.file("", group, "memory.current")) >= used {
			return nil
		}
	}
	return ctx.Err()
}

// reclaimByHigh does it with kernels before 5.19: a limit that is lowered under what is used makes them take back at once.
// The limit that systemd set is put back in any case, unless it has set another one meanwhile.
func (c cgroups) reclaimByHigh(ctx context.Context, group string) (err error) {
	file := c.file("", group, "memory.high")
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	ours := number(file)
	defer func() {
		if number(file) == ours {
			err = errors.Join(err, write(file, strings.TrimSpace(string(before))))
		}
	}()
	for ctx.Err() == nil {
		used := number(c.file("", group, "memory.current"))
		if used <= 0 {
			return nil
		}
		ours = max(0, used-bite) &^ int64(os.Getpagesize()-1) // as the kernel rounds
		if err := write(file, strconv.FormatInt(ours, 10)); err != nil {
			return err
		}
		if number(c.file("", group, "memory.current")) >= used {
			return nil
		}
	}
	return ctx.Err()
}

// write writes into a file of the kernel's, which has to be there.
func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// checkSleep tells what is missing for servers to sleep.
func (c cgroups) checkSleep() []string {
	switch err := c.freezes(); {
	case err != nil:
		return []string{fmt.Sprintf("idle servers cannot sleep here, and are stopped where they would: %v", errors.Unwrap(err))}
	case !c.has("memory"):
		return []string{"servers that sleep keep their memory: there is no memory controller for control groups; " +
			"boot the kernel without cgroup_disable=memory"}
	}
	return nil
}
