package launcher

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// testimonyName is the file that a unit's witness writes into the unit's socket directory.
const testimonyName = "end"

// maxTestimony bounds what is read of it.
const maxTestimony = 4096

// testimony is what a unit's witness wrote down of one run. Numbers are -1 where it said nothing.
type testimony struct {
	outOfMemory, outOfTasks bool
	cpu                     int64 // nanoseconds
	memoryPeak              int64 // bytes
}

// testimony returns what the witness of a unit's run wrote down. Without a witness nothing was hit. The directory is the user's: what
// stands there may be anything, so no link is followed, nothing is waited for, and only numbers are believed.
func (s sockets) testimony(unit, invocation string) (testimony, error) {
	nothing := testimony{cpu: -1, memoryPeak: -1}
	path := filepath.Join(s.dir(unit), testimonyName)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nothing, nil
	}
	if err != nil {
		return nothing, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nothing, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTestimony))
	if !strings.HasPrefix(string(b), "run "+invocation+"\n") {
		return nothing, err // of an earlier run
	}
	return testimony{valueOf(b, "oom_kill") > 0, valueOf(b, "fork_refused") > 0, valueOf(b, "cpu"), valueOf(b, "memory_peak")}, err
}
