package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// environ is what programs get that are run in a bed.
var environ = []string{"HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "TERM=dumb"}

// confine takes from root inside what reaches through every namespace, to the host's kernel and clock.
var confine = []string{"setpriv", "--bounding-set=-sys_module,-sys_rawio,-sys_time", "--"}

// Cmd is a command in all namespaces of the bed, as root, ended with the context.
//
// It stays in the cgroups of the test. What limits have to bind, and what only looks at its own cgroup, starts with
// systemd-run.
func (b *Bed) Cmd(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := append([]string{"--target", strconv.Itoa(b.boots.leader), "--all", "--"}, confine...)
	cmd := exec.CommandContext(ctx, "nsenter", append(append(enter, name), args...)...)
	cmd.Env = environ
	// nsenter forks, so its child has to be ended with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run runs a command as root and returns what it printed to standard output, without the last newline. Its error holds
// standard error.
func (b *Bed) Run(ctx context.Context, name string, args ...string) (string, error) {
	return output(b.Cmd(ctx, name, args...))
}

// Systemctl runs systemctl.
func (b *Bed) Systemctl(ctx context.Context, args ...string) (string, error) {
	return b.Run(ctx, "systemctl", args...)
}

// Kill sends a signal to the main process of a unit.
func (b *Bed) Kill(ctx context.Context, unit, signal string) error {
	_, err := b.Systemctl(ctx, "kill", "--kill-whom=main", "--signal="+signal, unit)
	return err
}

// Person is an account of the bed at a command line.
type Person struct {
	bed  *Bed
	name string
}

// As returns the person of that name.
func (b *Bed) As(name string) Person { return Person{bed: b, name: name} }

// Cmd is a command with the person's uid, gid and groups, in the home directory, with no capability.
func (p Person) Cmd(ctx context.Context, name string, args ...string) *exec.Cmd {
	return p.bed.Cmd(ctx, "setpriv", append([]string{"--reuid=" + p.name, "--regid=" + p.name, "--init-groups", "--inh-caps=-all",
		"--reset-env", "--", "sh", "-c", `cd "$HOME" && exec "$@"`, "sh", name}, args...)...)
}

// Run runs a command as the person; see Bed.Run.
func (p Person) Run(ctx context.Context, name string, args ...string) (string, error) {
	return output(p.Cmd(ctx, name, args...))
}

func output(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if err != nil {
		command := cmd.Args[5+len(confine):] // without the way in
		err = fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), err
}

// Path is a file of the bed as a path on the host. Absolute symbolic links on the way lead astray, to the host.
func (b *Bed) Path(path string) string { return fmt.Sprintf("/proc/%d/root%s", b.boots.leader, path) }

// WriteFile writes a file of root's into the bed, with its directories.
func (b *Bed) WriteFile(ctx context.Context, path, content string, mode os.FileMode) error {
	cmd := b.Cmd(ctx, "sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"`, "sh", path, fmt.Sprintf("%o", mode.Perm()))
	cmd.Stdin = strings.NewReader(content)
	_, err := output(cmd)
	return err
}

// ReadFile returns a file's content, exactly.
func (b *Bed) ReadFile(ctx context.Context, path string) (string, error) {
	cmd := b.Cmd(ctx, "cat", path)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return out.String(), nil
}

// script runs a shell script as root, telling its output to w line by line.
func (b *Bed) script(ctx context.Context, w io.Writer, text string, args ...string) error {
	cmd := b.Cmd(ctx, "sh", append([]string{"-euc", text, "sh"}, args...)...)
	var last bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(w, &last), io.MultiWriter(w, &last)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, last.String())
	}
	return nil
}
