package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
)

// machine runs servers as plain processes: a Spawner for machines without systemd. Each gets its identity as its unit would.
type machine struct {
	t        *testing.T
	command  string
	identity func(ctx context.Context, unit, name string) ([]byte, error) // what PID 1 would ask the hub for

	mu      sync.Mutex // guards the rest
	servers map[hub.ServerRef]*process
	tell    func(hub.Unit)
}

type process struct {
	unit  hub.Unit
	cmd   *exec.Cmd
	ended chan struct{}
	said  *spoken
}

func newMachine(t *testing.T, command string) *machine {
	m := &machine{t: t, command: command, servers: map[hub.ServerRef]*process{}}
	t.Cleanup(func() {
		for _, p := range m.all() {
			p.stop()
			if t.Failed() {
				t.Logf("%s said:\n%s", p.unit.Name, p.said)
			}
		}
	})
	return m
}

func (m *machine) all() (all []*process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.servers {
		all = append(all, p)
	}
	return all
}

// Start starts a server the way DESIGN has it: port 8888 in its URL, a Unix socket on its command line.
func (m *machine) Start(ctx context.Context, ref hub.ServerRef, _ string, _ json.RawMessage) (hub.Unit, error) {
	home, err := os.MkdirTemp("", "jh") // short: a socket's path has 107 bytes
	if err != nil {
		return hub.Unit{}, err
	}
	m.t.Cleanup(func() { os.RemoveAll(home) })
	p := &process{said: new(spoken), ended: make(chan struct{}), unit: hub.Unit{
		ServerRef: ref, Name: hub.UnitName(ref), UID: int64(os.Getuid()), Socket: filepath.Join(home, "s"), Listening: true,
		State: hub.UnitActive, Invocation: fmt.Sprintf("%032x", time.Now().UnixNano()), Since: time.Now(),
	}}
	m.mu.Lock()
	tell := m.tell
	m.mu.Unlock()
	if begins := p.unit; tell != nil { // whose unit it is the hub is told before the unit asks who it is
		begins.State, begins.Listening = hub.UnitActivating, false
		tell(begins)
	}
	sealed, err := m.identity(ctx, p.unit.Name, credential.Name)
	if err != nil {
		return hub.Unit{}, err
	}
	variables, err := credential.Decode(sealed)
	if err != nil {
		return hub.Unit{}, err
	}
	p.cmd = exec.Command(m.command, "--ServerApp.sock="+p.unit.Socket, "--ServerApp.sock_mode=0666", "--ServerApp.allow_root=True")
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = home, p.said, p.said
	p.cmd.Env = []string{"HOME=" + home, "PATH=" + filepath.Dir(m.command) + ":/usr/bin:/bin", "LANG=C.UTF-8"}
	for name, value := range variables {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return hub.Unit{}, err
	}
	m.mu.Lock()
	m.servers[ref] = p
	m.mu.Unlock()
	if tell != nil {
		tell(p.unit)
	}
	go m.attend(p)
	return p.unit, nil
}

// attend tells of a process's end.
func (m *machine) attend(p *process) {
	p.cmd.Wait()
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its kernels
	close(p.ended)
	m.mu.Lock()
	delete(m.servers, p.unit.ServerRef)
	tell := m.tell
	m.mu.Unlock()
	gone := p.unit
	gone.State, gone.Listening = hub.UnitInactive, false
	if tell != nil {
		tell(gone)
	}
}

// stop does what JupyterHub does: interrupt, and kill what does not go.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// Stop stops a server.
func (m *machine) Stop(_ context.Context, ref hub.ServerRef) error {
	m.mu.Lock()
	p := m.servers[ref]
	m.mu.Unlock()
	if p != nil {
		p.stop()
	}
	return nil
}

// Watch tells of what runs, and of every end.
func (m *machine) Watch(ctx context.Context, inventory func(hub.Inventory), unit func(hub.Unit)) error {
	var units []hub.Unit
	for _, p := range m.all() {
		units = append(units, p.unit)
	}
	slices.SortFunc(units, func(a, b hub.Unit) int { return a.Since.Compare(b.Since) })
	inventory(hub.Inventory{BootID: "this-boot", Units: units})
	m.mu.Lock()
	m.tell = unit
	m.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// Usage is not measured here.
func (m *machine) Usage(context.Context) ([]hub.Unit, error) {
	return nil, errors.New("nothing is measured")
}
