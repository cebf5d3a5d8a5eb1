package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// recorded names the directory of which this test program, run once more, records what happens to it while a third one lives there.
const recorded = "STORE_TEST_RECORDED"

// deed is one thing that a process did to its disk, or said.
type deed struct {
	Did  string `json:"did"`            // make (unless it is there), write, length, link, name, gone, sync, said
	File string `json:"file,omitempty"` // "." is the directory
	To   string `json:"to,omitempty"`   // its name from now on
	At   int64  `json:"at,omitempty"`
	Data []byte `json:"data,omitempty"` // what was written or said
}

// recording is everything that a life did, in its order. It is made by ptrace(2), which shows every system call of every thread.
func recording(t *testing.T, dir string) (all []deed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), recorded+"="+dir)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if strings.Contains(complaint.String(), syscall.EPERM.Error()) {
		t.Skipf("no process may trace its child here: %s", &complaint)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); {
		var d deed
		if err := lines.Decode(&d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// recorder follows the threads of a process from system call to system call.
type recorder struct {
	dir  string
	out  *json.Encoder
	told map[int]systemCall // by thread: what it has begun
}

// systemCall is struct ptrace_syscall_info. When the call has returned, Number is what it returned.
type systemCall struct {
	Moment         uint8
	_              [3]uint8
	Arch           uint32
	Pointer, Stack uint64
	Number         uint64
	Args           [6]uint64
}

// Of ptrace(2); the package unix does not have them.
const (
	getSystemCall = 0x420e
	atEntry       = 1
	atExit        = 2
)

// playRecorder lets a life be lived in dir, and prints its deeds.
func playRecorder(dir string) error {
	runtime.LockOSThread()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), recorded+"=", lived+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil {
		return err
	}
	const all = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(cmd.Process.Pid, all); err != nil {
		return err
	}
	r := recorder{dir: dir, out: json.NewEncoder(os.Stdout), told: map[int]systemCall{}}
	return r.follow(cmd.Process.Pid)
}

// follow lets all threads go on from stop to stop, until the first one has ended, which is the last to.
func (r *recorder) follow(first int) error {
	thread, signal := first, 0
	for {
		if err := unix.PtraceSyscall(thread, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		stopped, status, err := r.await(first)
		if err != nil || !status.Stopped() {
			return err
		}
		thread, signal = stopped, 0
		switch stop := status.StopSignal(); stop {
		case unix.SIGTRAP | 0x80:
			err = r.see(thread)
		case unix.SIGTRAP, unix.SIGSTOP: // a thread began, or was begun
		default:
			signal = int(stop)
		}
		if err != nil {
			return err
		}
	}
}

// await waits until a thread stops, or until the first one has ended well.
func (r *recorder) await(first int) (thread int, status unix.WaitStatus, err error) {
	for {
		thread, err = unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || status.Stopped():
			return thread, status, err
		case thread == first && status.ExitStatus() != 0:
			return thread, status, errors.New("the life ended badly")
		case thread == first:
			return thread, status, nil
		}
	}
}

// see looks at a thread that enters or leaves a system call.
func (r *recorder) see(thread int) error {
	var c systemCall
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSystemCall, uintptr(thread), unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)), 0, 0); errno != 0 {
		return errno
	}
	switch c.Moment {
	case atEntry:
		r.told[thread] = c
	case atExit:
		if done := int64(c.Number); done >= 0 {
			return r.note(thread, r.told[thread], done)
		}
	}
	return nil
}

// note writes down a call that went well and changed what the disk or somebody else knows.
func (r *recorder) note(thread int, c systemCall, done int64) error {
	switch c.Number {
	case unix.SYS_WRITE:
		if c.Args[0] == 1 {
			said := make([]byte, done)
			_, err := r.memory(thread, c.Args[1], said)
			return errors.Join(err, r.out.Encode(deed{Did: "said", Data: said}))
		}
		return r.wrote(thread, c.Args[0], -1, done)
	case unix.SYS_PWRITE64:
		return r.wrote(thread, c.Args[0], int64(c.Args[3]), done)
	case unix.SYS_SENDFILE:
		return r.wrote(thread, c.Args[0], -1, done)
	case unix.SYS_COPY_FILE_RANGE:
		return r.wrote(thread, c.Args[2], -1, done)
	case unix.SYS_FTRUNCATE:
		return r.tell(deed{Did: "length", File: r.file(thread, c.Args[0]), At: int64(c.Args[1])})
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		return r.tell(deed{Did: "sync", File: r.file(thread, c.Args[0])})
	case unix.SYS_OPENAT:
		file := r.file(thread, uint64(done))
		if c.Args[2]&unix.O_CREAT != 0 {
			if err := r.tell(deed{Did: "make", File: file}); err != nil {
				return err
			}
		}
		if c.Args[2]&unix.O_TRUNC != 0 {
			return r.tell(deed{Did: "length", File: file})
		}
	case unix.SYS_LINKAT:
		return r.named(thread, "link", c.Args[1], c.Args[3])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return r.named(thread, "name", c.Args[1], c.Args[3])
	case unix.SYS_UNLINKAT:
		return r.named(thread, "gone", c.Args[1], c.Args[1])
	case unix.SYS_PWRITEV, unix.SYS_WRITEV, unix.SYS_SPLICE, unix.SYS_FALLOCATE, unix.SYS_TRUNCATE:
		return fmt.Errorf("system call %d writes in a way that is not followed", c.Number)
	}
	return nil
}

func (r *recorder) tell(d deed) error {
	if d.File == "" {
		return nil
	}
	return r.out.Encode(d)
}

// wrote tells what is in a file now where n bytes were written, page by page: a process may be killed between two pages.
func (r *recorder) wrote(thread int, descriptor uint64, at, n int64) error {
	file := r.file(thread, descriptor)
	if file == "" {
		return nil
	}
	if at < 0 { // where it stands now is behind what it wrote
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", thread, descriptor))
		if _, scan := fmt.Sscanf(string(info), "pos: %d", &at); err != nil || scan != nil {
			return errors.Join(err, scan)
		}
		at -= n
	}
	data := make([]byte, n)
	f, err := os.Open(filepath.Join(r.dir, file))
	if err == nil {
		_, err = f.ReadAt(data, at)
		f.Close()
	}
	for chunk := range slices.Chunk(data, pageSize) {
		err = errors.Join(err, r.out.Encode(deed{Did: "write", File: file, At: at, Data: chunk}))
		at += int64(len(chunk))
	}
	return err
}

// file is the name in the directory of what a descriptor is of, "" for everything elsewhere.
func (r *recorder) file(thread int, descriptor uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, descriptor))
	if err != nil {
		return ""
	}
	return r.within(path)
}

func (r *recorder) within(path string) string {
	name, err := filepath.Rel(r.dir, path)
	if err != nil || strings.HasPrefix(name, "..") || !filepath.IsAbs(path) {
		return ""
	}
	return name
}

func (r *recorder) named(thread int, did string, from, to uint64) error {
	var names [2]string
	for i, at := range []uint64{from, to} {
		path := make([]byte, unix.PathMax)
		n, err := r.memory(thread, at, path)
		end := bytes.IndexByte(path[:n], 0)
		if end < 0 {
			return err
		}
		names[i] = r.within(string(path[:end]))
	}
	return r.tell(deed{Did: did, File: names[0], To: names[1]})
}

// memory reads what the process has at an address.
func (r *recorder) memory(thread int, at uint64, into []byte) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", thread))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(into, int64(at))
}
