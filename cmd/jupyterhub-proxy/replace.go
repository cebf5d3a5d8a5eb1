package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/proxy"
)

// controlName is the socket in the state directory at which a proxy is asked to be followed by another. Only its own user and
// root come near it.
const controlName = "control.sock"

// followsVariable tells a proxy that it follows another: at descriptor 3 is the connection to that one, at 4 a pipe to whoever
// started it and wants to hear how it went.
const followsVariable = "JUPYTERHUB_PROXY_FOLLOWS"

// took is the word for a good end at descriptor 4.
const took = "took over"

// replace lets another proxy follow the one that runs, and waits until it has. It is what `systemctl reload` does: systemd
// starts it with the unit's sandbox as it is now, in the unit's cgroup, and so is what it starts. The new process becomes a child
// of our parent, systemd: one that is not its child it would kill without waiting when the unit stops.
func replace(ctx context.Context, d *daemon.Daemon) error {
	conn, args, env, err := proxy.Knock(filepath.Join(stateDir(), controlName))
	if err != nil {
		return fmt.Errorf("ask the proxy that runs: %w; systemctl restart jupyterhub-proxy starts a new one, with an interruption", err)
	}
	defer conn.Close()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	outcome, tells, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start another proxy: %w", err)
	}
	defer outcome.Close()
	next := exec.Command(program, args...)
	next.Env = append(os.Environ(), append(env, followsVariable+"=1")...)
	next.Stdout, next.Stderr = os.Stdout, os.Stderr
	next.ExtraFiles = []*os.File{conn, tells}
	next.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_PARENT}
	err = next.Start()
	tells.Close()
	if err != nil {
		return fmt.Errorf("start another proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { outcome.Close() })
	defer stop()
	told, err := io.ReadAll(outcome)
	switch {
	case string(told) == took:
		d.Log.Info().Int("pid", next.Process.Pid).Msg("another proxy has taken over")
		return nil
	case len(told) > 0:
		return fmt.Errorf("the new proxy does not begin, and the old one goes on: %s", told)
	}
	return errors.Join(errors.New("the new proxy ended before it had begun, and the old one goes on"), err)
}

// predecessor is the proxy that this one follows.
type predecessor struct {
	heir    *proxy.Heir
	outcome *os.File
}

// follows returns the proxy that this one follows; nil when there is none.
func follows() (*predecessor, error) {
	if os.Getenv(followsVariable) == "" {
		return nil, nil
	}
	if err := os.Unsetenv(followsVariable); err != nil {
		return nil, err
	}
	for _, fd := range []int{3, 4} {
		unix.CloseOnExec(fd)
	}
	b := &predecessor{outcome: os.NewFile(4, "outcome")}
	var err error
	if b.heir, err = proxy.Claim(os.NewFile(3, "predecessor")); err != nil {
		return nil, b.tell(err)
	}
	return b, nil
}

// tell lets whoever started this process know how it went, once, and returns err.
func (b *predecessor) tell(err error) error {
	if b == nil {
		return err
	}
	word := took
	if err != nil {
		word = err.Error()
		os.Unsetenv("NOTIFY_SOCKET") // the unit is the other one's
	}
	_, _ = io.WriteString(b.outcome, word) // it may have stopped waiting
	b.outcome.Close()
	return err
}

// listeners returns the doors by name: the predecessor's, or systemd's.
func (b *predecessor) listeners(d *daemon.Daemon, name string) ([]net.Listener, error) {
	if b != nil {
		return b.heir.Doors(name)
	}
	return d.Listeners(name)
}

// control returns the socket at which this proxy can be asked to be followed; nil, with a line in the log, where none can be.
func (b *predecessor) control(d *daemon.Daemon) *net.UnixListener {
	if b != nil {
		if all, err := b.heir.Doors(controlName); err == nil && len(all) == 1 {
			l, _ := all[0].(*net.UnixListener)
			return l
		}
	}
	path := filepath.Join(stateDir(), controlName)
	os.Remove(path) // one of a process that was killed
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err == nil {
		l.SetUnlinkOnClose(false) // the next one has it, too
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		d.Log.Warn().Err(err).Msg("no other proxy can follow this one, systemctl reload will fail")
		return nil
	}
	return l
}

// fit says why a process cannot follow this one: systemd takes no main process from outside the unit.
func fit(pid int) error {
	ours, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("look at our cgroup: %w", err)
	}
	theirs, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return fmt.Errorf("look at the cgroup of process %d: %w", pid, err)
	}
	if strings.TrimSpace(string(ours)) != strings.TrimSpace(string(theirs)) {
		return hub.Errorf(hub.Forbidden, "process %d is not of the proxy's unit; say: systemctl reload jupyterhub-proxy", pid)
	}
	return nil
}
