package launcher

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// eyes is one inotify instance that watches the directories of sockets and the files of control groups.
type eyes struct {
	file *os.File

	mu   sync.Mutex // guards seen
	seen map[int32]func(name string)
}

func openEyes() (*eyes, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open inotify: %w", err)
	}
	return &eyes{file: os.NewFile(uintptr(fd), "inotify"), seen: map[int32]func(string){}}, nil
}

// watch calls see for every event of the mask, with the name in the directory or "", until the function that it returns is
// called. After an overflow see is called once with "": look again.
func (e *eyes) watch(path string, mask uint32, see func(name string)) (stop func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var wd int
	err = e.with(func(fd int) (err error) {
		wd, err = unix.InotifyAddWatch(fd, path, mask|unix.IN_DONT_FOLLOW)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	e.seen[int32(wd)] = see
	return func() { e.forget(int32(wd)) }, nil
}

func (e *eyes) forget(wd int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.seen, wd)
	_ = e.with(func(fd int) error {
		_, err := unix.InotifyRmWatch(fd, uint32(wd))
		return err
	}) // gone with what it watched, ignoring
}

// with lends the descriptor out. File.Fd would make it block, and the reading goroutine could not be stopped.
func (e *eyes) with(do func(fd int) error) error {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return err
	}
	if lent := raw.Control(func(fd uintptr) { err = do(int(fd)) }); lent != nil {
		return lent
	}
	return err
}

// run hands events out until ctx ends.
func (e *eyes) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { e.file.Close() })
	defer stop()
	buf := make([]byte, 64<<10)
	for {
		n, err := e.file.Read(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read inotify: %w", err)
		}
		e.dispatch(buf[:n])
	}
}

// dispatch reads struct inotify_event (inotify(7)): wd, mask, cookie, length, then that many bytes of a padded name.
func (e *eyes) dispatch(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		length := int(binary.NativeEndian.Uint32(events[12:]))
		name := events[unix.SizeofInotifyEvent : unix.SizeofInotifyEvent+length]
		events = events[unix.SizeofInotifyEvent+length:]
		name, _, _ = bytes.Cut(name, []byte{0})
		for _, see := range e.concerned(wd, mask) {
			see(string(name))
		}
	}
}

func (e *eyes) concerned(wd int32, mask uint32) []func(string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []func(string)
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0:
		for _, see := range e.seen {
			all = append(all, see)
		}
	case mask&unix.IN_IGNORED != 0:
		delete(e.seen, wd)
	case e.seen[wd] != nil:
		all = append(all, e.seen[wd])
	}
	return all
}
