package launcher

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// testimonyName is the file that a unit's witness writes into the unit's socket directory.
const testimonyName = "end"

// maxTestimony bounds what is read of it.
const maxTestimony = 4096

// testimony returns what the unit's witness wrote down. Without a witness nothing was hit. The directory is the user's: what
// stands there may be anything, so no link is followed, nothing is waited for, and only numbers are believed.
func (s sockets) testimony(unit string) (outOfMemory, outOfTasks bool, err error) {
	path := filepath.Join(s.dir(unit), testimonyName)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, false, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTestimony))
	return valueOf(b, "oom_kill") > 0, valueOf(b, "fork_refused") > 0, err
}
