package localprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub"
)

// stopTime is how long a server may take to end before it is killed.
const stopTime = 10 * time.Second

// process is a server's process with all its children.
type process struct {
	cmd      *exec.Cmd
	unit     hub.Unit // guarded by Spawner.mu, as is stopping
	stopping bool
	said     *tail
	gone     chan struct{} // closed when it is gone and that was told
}

// launch starts a process in a group of its own, which goes when we do.
func launch(u hub.Unit, command []string) (*process, error) {
	p := &process{unit: u, said: &tail{}, gone: make(chan struct{})}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.UID)}
	}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.WaitDelay = time.Second // for children that keep its output open
	return p, p.cmd.Start()
}

// wait returns when the process has ended, and lets none of its children live on.
func (p *process) wait() error {
	err := p.cmd.Wait()
	_ = p.signal(unix.SIGKILL) // most often nobody is left, ignoring
	return err
}

func (p *process) signal(s unix.Signal) error { return unix.Kill(-p.cmd.Process.Pid, s) }

// halt stops the group, or lets it go on.
func (p *process) halt(frozen bool) error {
	if frozen {
		return p.signal(unix.SIGSTOP)
	}
	return p.signal(unix.SIGCONT)
}

// end asks the group to end, and kills it when it does not.
func (p *process) end(ctx context.Context) error {
	_ = p.signal(unix.SIGTERM) // it may have ended just now, ignoring
	_ = p.signal(unix.SIGCONT) // one that sleeps would not hear it
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
	}
	_ = p.signal(unix.SIGKILL)
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitSocket calls listening once the socket is there, unless the process ends before.
func (p *process) awaitSocket(listening func()) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return // the start will be given up
	}
	events := os.NewFile(uintptr(fd), "inotify") // read with the runtime's poller, so Close ends a Read
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(p.unit.Socket), unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		return
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-p.gone:
			events.Close()
		case <-over:
		}
	}()
	buffer := make([]byte, 4096)
	for {
		if info, err := os.Lstat(p.unit.Socket); err == nil && info.Mode().Type() == os.ModeSocket {
			listening()
			return
		}
		if _, err := events.Read(buffer); err != nil {
			return
		}
	}
}

// used returns the unit with what its first process uses now; what its children use is not counted.
func (p *process) used() hub.Unit {
	u := p.unit
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	if threads, err := os.ReadDir(dir + "/task"); err == nil {
		u.Tasks = int64(len(threads))
	}
	if resident, err := field(dir+"/statm", 1); err == nil {
		u.Memory = resident * int64(os.Getpagesize())
	}
	user, err1 := field(dir+"/stat", 13)
	system, err2 := field(dir+"/stat", 14)
	if errors.Join(err1, err2) == nil {
		u.CPU = (user + system) * int64(time.Second/100) // USER_HZ is 100 on every Linux
	}
	return u
}

// field reads one number of a file of proc(5), counted from 0. A program's name, which may hold blanks, is one field.
func field(path string, n int) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	text, skipped := string(b), 0
	if end := strings.LastIndexByte(text, ')'); end >= 0 {
		text, skipped = text[end+1:], 2
	}
	fields := strings.Fields(text)
	if n-skipped < 0 || n-skipped >= len(fields) {
		return 0, fmt.Errorf("%s has no field %d", path, n)
	}
	return strconv.ParseInt(fields[n-skipped], 10, 64)
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

const tailBytes = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = t.text[over:]
	}
	return len(b), nil
}

// last returns the last lines, without control characters.
func (t *tail) last(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(t.text), "?"), "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, line)
	}
	return lines
}
