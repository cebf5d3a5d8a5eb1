package testbed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed guest.sh
var guestInside []byte

// guestKernel is of Debian's package user-mode-linux: a kernel that is an ordinary program.
const guestKernel = "linux.uml"

// What a guest has, in bytes. Its disks are files with holes.
const (
	guestMemory = 2 << 30
	guestSwap   = 1 << 30
	guestDisk   = 1 << 30
)

// Guest is a machine with a kernel of its own, on which one program runs. It has what a host with cgroup v1 cannot give to a
// bed: control groups of version 2 with every controller, which freeze, and whose out-of-memory kills systemd hears of. It
// has one processor, takes ten seconds to boot, and its system calls are slow.
type Guest struct {
	Program   string   // on the host; run as root when systemd has booted. In it, Shared is the guest
	Arguments []string // of the program, at least one
	Directory string   // that it runs in, below this project's source
	Out       io.Writer
}

// Run boots the guest, runs the program to its end and returns an error unless it succeeded. Nothing is left on the host when
// it returns, or when whoever called it is killed.
func (g Guest) Run(ctx context.Context) (err error) {
	kernel, err := exec.LookPath(guestKernel)
	if err != nil {
		return fmt.Errorf("a guest needs the package user-mode-linux: %w", err)
	}
	clearAway()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return fmt.Errorf("make the guest's directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := g.prepare(ctx, dir); err != nil {
		return err
	}
	if err := g.play(ctx, kernel, dir); err != nil {
		return err
	}
	result, err := os.ReadFile(filepath.Join(dir, "result"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		console, _ := os.ReadFile(filepath.Join(dir, "console"))
		return fmt.Errorf("the guest went down before its program had ended:\n%s", console)
	case err != nil:
		return err
	case strings.TrimSpace(string(result)) != "success":
		return fmt.Errorf("the guest's program ended with %s", strings.TrimSpace(string(result)))
	}
	return nil
}

// prepare lays what the guest reads into its directory.
func (g Guest) prepare(ctx context.Context, dir string) error {
	for name, content := range map[string]string{
		"plain.sh": string(plain), "guest.sh": string(guestInside), "directory": g.Directory, "cache": cacheDir(),
		"arguments": strings.Join(g.Arguments, "\x00"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	for name, size := range map[string]int64{"swap": guestSwap, "disk": guestDisk} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			return err
		}
	}
	for _, name := range []string{"kernel", "memory"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	if err := os.Symlink(sourceDir(), filepath.Join(dir, "source")); err != nil {
		return err
	}
	// Its own directory may be one that the guest has covered.
	if out, err := exec.CommandContext(ctx, "cp", "--", g.Program, filepath.Join(dir, "program")).CombinedOutput(); err != nil {
		return fmt.Errorf("lay out the guest's program: %w: %s", err, out)
	}
	return nil
}

// bootGuest gives the kernel a view of processes of its own, a place for what it takes for memory, and leave to keep as many files of the
// host open as its file system has in mind.
const bootGuest = `mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o "size=$1" tmpfs "$2/memory"
ulimit -n "$(ulimit -H -n)"
export TMPDIR="$2/memory"
shift 2
"$@" </dev/null
exit $?`

// play runs the kernel to its end.
func (g Guest) play(ctx context.Context, kernel, dir string) error {
	console, err := os.Create(filepath.Join(dir, "console"))
	if err != nil {
		return err
	}
	defer console.Close()
	heard, said, err := os.Pipe()
	if err != nil {
		return err
	}
	defer heard.Close()
	cmd := exec.Command("sh", append([]string{"-euc", bootGuest, "sh", fmt.Sprint(guestMemory + 64<<20), dir, kernel}, guestCommand(dir)...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = console, console, []*os.File{said}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	var kernelRuns boots
	err = kernelRuns.launch(cmd)
	said.Close()
	if err != nil {
		return fmt.Errorf("start the guest's kernel: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = kernelRuns.kill() }) // it is gone in any case when the pipe ends
	defer stop()
	_, err = io.Copy(g.Out, heard)
	<-kernelRuns.done
	return errors.Join(err, context.Cause(ctx))
}

// guestCommand is what the kernel is told (user-mode-linux, "--help"): its console is ours, its first serial line is where the
// program writes.
func guestCommand(dir string) []string {
	return []string{
		fmt.Sprintf("mem=%dM", guestMemory>>20), "uml_dir=" + dir, "umid=kernel",
		"ubd0=" + filepath.Join(dir, "swap"), "ubd1=" + filepath.Join(dir, "disk"),
		"rootfstype=hostfs", "rootflags=/", "ro",
		"con=null", "con0=null,fd:1", "ssl=null", "ssl0=null,fd:3",
		"init=/bin/sh", "--", "-eu", filepath.Join(dir, "guest.sh"), dir,
	}
}

// inGuest reports whether this program runs on a guest.
func inGuest() bool {
	_, err := os.Stat("/run/guest")
	return err == nil
}

// Patience bounds a wait for what takes a second at most, where nothing else is done.
func Patience() time.Duration {
	if inGuest() {
		return 2 * time.Minute
	}
	return 30 * time.Second
}

// aboard is the guest as a bed, for the program that runs on it. Whoever calls furnishes it, once.
func aboard(ctx context.Context, o Options) (*Bed, error) {
	b := &Bed{log: o.Log, passwords: make(map[string]string), boots: boots{leader: 1}}
	if b.log == nil {
		b.log = io.Discard
	}
	return b, b.furnish(ctx, o)
}
