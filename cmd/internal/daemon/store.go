package daemon

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub/descriptor"
)

// barrierTime is how long systemd may take to have read everything that it was told.
const barrierTime = 5 * time.Second

// Store puts descriptors into the unit's file-descriptor store under a name of at most 24 bytes: longer ones do not fit into the
// environment of a process that gets thousands back. The next process of the unit finds them by Stored. It returns when systemd
// has them, so that the process may end; the caller's copies are its own to close.
func (d *Daemon) Store(name string, files []*os.File) error {
	for _, f := range files {
		// Systemd would drop what has come to its end, and the other end of a kept connection may end at any time.
		if err := tell("FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0", f); err != nil {
			return fmt.Errorf("store the descriptor %s: %w", name, err)
		}
	}
	return barrier()
}

// Stored takes out of the store what a process before this one put there under a name.
func (d *Daemon) Stored(name string) []*os.File {
	files := d.files[name]
	delete(d.files, name)
	if len(files) > 0 {
		d.notify("FDSTOREREMOVE=1\nFDNAME=" + name)
	}
	return files
}

// Succeeded makes another process of the unit's cgroup its main one, and returns when systemd knows. From then on this process
// says nothing more to systemd, which would not listen.
func (d *Daemon) Succeeded(pid int) error {
	if os.Getenv(notifyVariable) == "" {
		return nil
	}
	if err := tell(fmt.Sprintf("MAINPID=%d", pid)); err != nil {
		return fmt.Errorf("name the next main process: %w", err)
	}
	if err := barrier(); err != nil {
		return err
	}
	return os.Unsetenv(notifyVariable)
}

// Inherited is what of this process's environment makes another one known to systemd, once it has succeeded this one.
func (d *Daemon) Inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return !slices.ContainsFunc([]string{notifyVariable + "=", "WATCHDOG_USEC="}, func(name string) bool { return len(v) > len(name) && v[:len(name)] == name })
	})
}

const notifyVariable = "NOTIFY_SOCKET"

// tell is sd_notify(3) with descriptors.
func tell(state string, files ...*os.File) error {
	at := os.Getenv(notifyVariable)
	if at == "" {
		return errors.New("systemd does not listen: the unit needs Type=notify")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var fds []int
	for _, f := range files {
		fds = append(fds, descriptor.Of(f))
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: at}, 0)
}

// barrier returns when systemd has read what it was told before. It takes no message of a process that has ended meanwhile.
func barrier() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("wait for systemd: %w", err)
	}
	defer r.Close()
	err = tell("BARRIER=1", w)
	w.Close()
	if err != nil {
		return fmt.Errorf("wait for systemd: %w", err)
	}
	if err := r.SetReadDeadline(time.Now().Add(barrierTime)); err != nil {
		return fmt.Errorf("wait for systemd: %w", err)
	}
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("systemd has not read what it was told in %s", barrierTime)
	}
	return nil
}
