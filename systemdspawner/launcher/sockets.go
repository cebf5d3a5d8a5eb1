package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// sockets makes and removes the directories in which users' servers listen. What is in one of them belongs to a user who may
// have put anything there, so nothing below it is ever reached by a path: each step opens a directory without following
// links and works relative to it.
type sockets struct {
	base  string // root's alone; made by tmpfiles.d
	group int64  // gid of those who may enter a user's directory: the proxy and the hub
}

// make makes the unit's directory anew: 0710, the owner the user, the group the proxy's and hub's. With hub.NoUID it is root's until
// give, and may be looked at, so that whose it becomes can see that.
func (s sockets) make(unit string, uid int64) error {
	base, err := s.open()
	if err != nil {
		return err
	}
	defer unix.Close(base)
	name := socketDir(unit)
	if err := removeBelow(base, name); err != nil {
		return fmt.Errorf("remove what an earlier server left: %w", err)
	}
	if err := unix.Mkdirat(base, name, 0o700); err != nil {
		return fmt.Errorf("make a socket directory: %w", err)
	}
	if uid == hub.NoUID {
		err = unix.Fchmodat(base, name, 0o755, 0)
	} else {
		err = s.give(unit, uid)
	}
	if err != nil {
		return errors.Join(err, removeBelow(base, name))
	}
	return nil
}

// give makes a directory the user's. One that is a user's already stays as it is.
func (s sockets) give(unit string, uid int64) error {
	base, err := s.open()
	if err != nil {
		return err
	}
	defer unix.Close(base)
	dir, err := unix.Openat(base, socketDir(unit), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket directory: %w", err)
	}
	defer unix.Close(dir)
	var stat unix.Stat_t
	if err = unix.Fstat(dir, &stat); err != nil || stat.Uid != uint32(os.Getuid()) {
		return err
	}
	// The mode first: once the directory is the user's, changing it would take one more capability.
	if err = unix.Fchmod(dir, 0o710); err == nil {
		err = unix.Fchown(dir, int(uid), int(s.group))
	}
	if err != nil {
		return fmt.Errorf("give a socket directory to uid %d: %w", uid, err)
	}
	return nil
}

// remove removes the unit's directory with everything in it. It is no error when there is none.
func (s sockets) remove(unit string) error {
	base, err := s.open()
	if err != nil {
		return err
	}
	defer unix.Close(base)
	return removeBelow(base, socketDir(unit))
}

// check reports whether directories can be made.
func (s sockets) check() error {
	base, err := s.open()
	if err != nil {
		return err
	}
	return unix.Close(base)
}

// sweep removes every directory that is not of a known unit.
func (s sockets) sweep(known map[string]bool) error {
	base, err := s.open()
	if err != nil {
		return err
	}
	defer unix.Close(base)
	there, err := os.ReadDir(s.base)
	if err != nil {
		return err
	}
	var failed error
	for _, d := range there {
		if len(d.Name()) == 2*hashBytes && !known[d.Name()] {
			failed = errors.Join(failed, removeBelow(base, d.Name()))
		}
	}
	return failed
}

// listening reports whether the unit's server has made its socket.
func (s sockets) listening(unit string) bool {
	info, err := os.Lstat(socketPath(s.base, unit))
	return err == nil && info.Mode().Type() == fs.ModeSocket
}

func (s sockets) dir(unit string) string { return filepath.Join(s.base, socketDir(unit)) }

// open opens the directory of directories, and insists that it is root's alone: the names in it are trusted.
func (s sockets) open() (int, error) {
	fd, err := unix.Open(s.base, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, hub.Errorf(hub.Unknown, "%s is missing; systemd-tmpfiles --create jupyterhub.conf makes it: %w", s.base, err)
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && (stat.Uid != uint32(os.Getuid()) || stat.Mode&0o022 != 0) {
		err = hub.Errorf(hub.Unknown, "%s has to belong to root, and nobody else may write it: systemd-tmpfiles --create jupyterhub.conf", s.base)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
