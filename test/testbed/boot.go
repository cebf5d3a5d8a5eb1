package testbed

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// prefix begins the names of all that a bed has on the host.
const prefix = "jupyterhub-testbed-"

// bootLimit is generous: two seconds are usual, and machines that build at the same time are slow.
const bootLimit = 2 * time.Minute

//go:embed inside.sh
var inside []byte

//go:embed plain.sh
var plain []byte

// boots is the machine as a process: process 1 of its namespaces, known on the host by a number of its own.
type boots struct {
	leader int
	done   chan struct{} // closed when it has ended
}

// boot starts process 1 and waits until it says that it has booted.
func (b *Bed) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if b.mounts == nil {
		if err := b.pinMounts(ctx); err != nil {
			return err
		}
	}
	path := filepath.Join(b.dir, "notify")
	os.Remove(path)
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("listen for systemd's readiness: %w", err)
	}
	defer ready.Close()
	if err := b.start(); err != nil {
		return err
	}
	up := make(chan error, 1)
	go func() { up <- hear(ready, "READY=1") }()
	select {
	case err = <-up:
	case <-b.boots.done:
		err = errors.New("process 1 ended")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		console, _ := os.ReadFile(filepath.Join(b.dir, "console"))
		return fmt.Errorf("boot systemd: %w\n%s", err, console)
	}
	return nil
}

// pinMounts makes a mount namespace with a tmpfs on the bed's mount point and keeps it by its descriptor alone: no mount of
// the host changes, and when this program dies, however it does, the kernel takes all of it away.
func (b *Bed) pinMounts(ctx context.Context) error {
	holder := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", `mount -t tmpfs -o mode=755 bed "$0" && echo up && read -r end`,
		filepath.Join(b.dir, "machine"))
	end, err := holder.StdinPipe()
	if err != nil {
		return fmt.Errorf("hold a mount namespace: %w", err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		return fmt.Errorf("hold a mount namespace: %w", err)
	}
	if err := holder.Start(); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	defer holder.Wait()
	defer end.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		return fmt.Errorf("make a mount namespace: %q, %w", line, err)
	}
	b.mounts, err = os.Open(fmt.Sprintf("/proc/%d/ns/mnt", holder.Process.Pid))
	if err != nil {
		return fmt.Errorf("keep the mount namespace: %w", err)
	}
	return nil
}

// start runs inside.sh as process 1 of new namespaces. It is held until it has been put into the bed's cgroups, since these
// have to be the roots of its cgroup namespace.
func (b *Bed) start() error {
	script := filepath.Join(b.dir, "inside.sh")
	for path, content := range map[string][]byte{script: inside, filepath.Join(b.dir, "plain.sh"): plain} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write the first program: %w", err)
		}
	}
	console, err := os.OpenFile(filepath.Join(b.dir, "console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the console: %w", err)
	}
	defer console.Close()
	held, release, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("hold process 1: %w", err)
	}
	defer held.Close()
	defer release.Close()

	cmd := exec.Command("sh", "-c", `read -r go <&3 && exec nsenter --mount=/proc/self/fd/4 unshare --mount --cgroup sh -eu "$@"`,
		"sh", script, b.dir, sourceDir(), cacheDir(), strings.Join(b.v1, " "))
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{held, b.mounts}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	if err := b.boots.launch(cmd); err != nil {
		return fmt.Errorf("start process 1: %w", err)
	}
	if err := enterCgroups(b.cgroups, b.boots.leader); err != nil {
		return err
	}
	if _, err := release.WriteString("go\n"); err != nil {
		return fmt.Errorf("let process 1 go: %w", err)
	}
	return nil
}

// launch starts the command from a thread that lives as long as it: the kernel kills a child with Pdeathsig when the thread
// that made it ends, not when the process does.
func (s *boots) launch(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is of no interest: it is told by who made it end
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.leader, s.done = cmd.Process.Pid, done
	return nil
}

// gone waits until process 1 has ended, and with it every process of its namespace.
func (s *boots) gone(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *boots) kill() error {
	if s.done == nil {
		return nil
	}
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := syscall.Kill(s.leader, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process 1: %w", err)
	}
	<-s.done
	return nil
}

// hear reads notifications until one has the assignment.
func hear(l *net.UnixConn, assignment string) error {
	buf := make([]byte, 4096)
	for {
		n, err := l.Read(buf)
		if err != nil {
			return fmt.Errorf("listen for %s: %w", assignment, err)
		}
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			if line == assignment {
				return nil
			}
		}
	}
}

// clearAway removes what beds left whose owner was killed.
func clearAway() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	host, _ := hostHierarchies()
	for _, dir := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		var cgroups []string
		for _, h := range host {
			cgroups = append(cgroups, filepath.Join(h.own, filepath.Base(dir)))
		}
		_ = removeCgroups(cgroups) // somebody else may be doing the same
		os.RemoveAll(dir)
	}
}
