package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// awaitOwn waits until a directory is this process's own. Who a guest is systemd decides in the moment of the start; root's side gives
// the directory away as soon as it knows. Whoever stops the unit ends the wait.
func awaitOwn(dir string) error {
	events, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(events)
	if _, err := unix.InotifyAddWatch(events, dir, unix.IN_ATTRIB|unix.IN_DELETE_SELF|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	buffer := make([]byte, 4096)
	for {
		err := owns(dir)
		if !errors.Is(err, errNotYet) {
			return err
		}
		if _, err := unix.Read(events, buffer); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

var errNotYet = errors.New("the socket's directory is not the server's own")

func owns(dir string) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return err
	}
	if stat.Uid != uint32(unix.Geteuid()) {
		return errNotYet
	}
	return nil
}
