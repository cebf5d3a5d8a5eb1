package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxRemoved bounds what is removed with one directory. It is well over twice what the file system of the sockets holds
// (nr_inodes= in run-jupyter.mount), so nobody can leave there what nobody removes; where that is not mounted, root does not
// go on for ever.
const maxRemoved = 50000

// removeBelow removes name, a directory in parent, with everything in it. It is no error when there is none.
//
// A tree may be deeper than anybody can keep open. So its directories are lifted to the top, one after the other, and none is
// ever more than one below.
func removeBelow(parent int, name string) error {
	top, err := take(parent, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	r := remover{top: top, left: maxRemoved}
	for more := true; more; {
		more = false // a directory that was lifted while it was read may have been missed
		err := r.each(top, func(e os.DirEntry) error {
			more = true
			return r.remove(e)
		})
		if err != nil {
			return err
		}
	}
	return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
}

// take opens a directory and takes it from its owner, so that from then on nothing is put in.
func take(parent int, name string) (*os.File, error) {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), name)
	err = unix.Fchown(fd, os.Getuid(), -1)
	if err == nil {
		err = unix.Fchmod(fd, 0o700)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// remover empties one directory.
type remover struct {
	top    *os.File
	left   int // of maxRemoved
	lifted int // names that were given
}

// remove removes what stands at the top. A directory leaves its own directories there.
func (r *remover) remove(e os.DirEntry) error {
	top := int(r.top.Fd())
	if !e.IsDir() {
		return unix.Unlinkat(top, e.Name(), 0)
	}
	dir, err := take(top, e.Name())
	if err != nil {
		return err
	}
	defer dir.Close()
	err = r.each(dir, func(below os.DirEntry) error {
		if below.IsDir() {
			return r.lift(dir, below.Name())
		}
		return unix.Unlinkat(int(dir.Fd()), below.Name(), 0)
	})
	if err != nil {
		return err
	}
	return unix.Unlinkat(top, e.Name(), unix.AT_REMOVEDIR)
}

// lift moves a directory to the top, under a name that is free there. Whoever moves a directory has to be able to write it.
func (r *remover) lift(from *os.File, name string) error {
	dir, err := take(int(from.Fd()), name)
	if err != nil {
		return err
	}
	defer dir.Close()
	for ; r.lifted < maxRemoved; r.lifted++ {
		err := unix.Renameat2(int(from.Fd()), name, int(r.top.Fd()), strconv.Itoa(r.lifted), unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return tooMuch()
}

// each does something with everything in a directory, within the bounds. What is gone meanwhile is no error.
func (r *remover) each(dir *os.File, do func(os.DirEntry) error) error {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for {
		entries, err := dir.ReadDir(256)
		for _, e := range entries {
			if r.left--; r.left < 0 {
				return tooMuch()
			}
			if err := do(e); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func tooMuch() error { return fmt.Errorf("over %d files are left where they are", maxRemoved) }
