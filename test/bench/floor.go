package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/systemdspawner/launcher"
)

// floor starts units with the properties that root's side gives them, and has nothing around it: no hub, no proxy, no account
// looked up, no jupyterhub-exec before the server. No server of the same isolation can start in less.
type floor struct {
	s       *stage
	bus     *sd.Conn
	spawner config.Spawner
	layout  launcher.Layout
	door    net.Listener // where PID 1 fetches credentials of these units
}

// credentialSize is about what a server's identity has, in bytes.
const credentialSize = 1500

func (s *stage) newFloor(ctx context.Context) (*floor, error) {
	c, err := config.Load(s.bed.Path("/etc/jupyterhub"))
	if err != nil {
		return nil, err
	}
	f := &floor{s: s, spawner: c.Spawner, layout: launcher.Layout{
		// In jupyterhub-exec's place: the server finds its own argument behind those that are not for it.
		Exec:        singleUser,
		Credentials: "/run/floor-credentials",
		Sockets:     "/run/floor",
		Hidden:      launcher.DefaultLayout().Hidden,
	}}
	if err := os.MkdirAll(s.bed.Path(f.layout.Sockets), 0o711); err != nil {
		return nil, err
	}
	if f.door, err = net.Listen("unix", s.bed.Path(f.layout.Credentials)); err != nil {
		return nil, err
	}
	go f.handOut()
	if f.bus, err = s.systemd(ctx); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *floor) close() {
	_ = f.door.Close() // the bed ends with what is in it
	if f.bus != nil {
		f.bus.Close()
	}
}

// handOut answers whoever asks for a credential, until the door is closed.
func (f *floor) handOut() {
	credential := make([]byte, credentialSize)
	for {
		c, err := f.door.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write(credential) // a unit without one fails, which is seen
		_ = c.Close()
	}
}

// systemd connects to the bed's systemd and hears of what becomes of jobs. That is over the system bus: the private socket,
// which root's side uses, is for processes of the machine itself.
func (s *stage) systemd(ctx context.Context) (*sd.Conn, error) {
	conn, err := s.bed.Bus(ctx)
	if err != nil {
		return nil, err
	}
	if err := conn.Subscribe(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("subscribe to the bed's systemd: %w", err)
	}
	return conn, nil
}

// compose is what root's side would compose for the account.
func (f *floor) compose(a hub.Account) (launcher.Composition, error) {
	p := f.spawner.PolicyFor(a.Name, nil, nil)
	ref := hub.ServerRef{User: a.Name}
	return launcher.Compose(f.layout, launcher.Order{
		ServerRef: ref, Unit: hub.UnitName(ref), Person: launcher.Person{User: a.Name, Account: a}, Command: singleUser, StartTimeout: f.spawner.StartTimeout.Std(),
		Settings: launcher.Settings{
			Command: p.Cmd, Args: p.Args, SearchPath: p.SearchPath, Environment: p.Environment,
			DefaultURL: p.DefaultURL, NotebookDir: p.NotebookDir, DisableUserConfig: p.DisableUserConfig,
			MemLimit: int64(p.MemLimit), CPULimit: p.CPULimit, TasksMax: p.TasksMax,
			Sandbox: p.Sandbox, UnitExtraProperties: p.UnitExtraProperties,
		},
	})
}

// unitOf is a name that root's side does not take for one of its own.
func (f *floor) unitOf(a hub.Account) string { return "floor-" + a.Name + ".service" }

// start starts the account's unit and returns when its server has answered.
func (f *floor) start(ctx context.Context, a hub.Account) error {
	return f.startWith(ctx, a, func(sd.Property) bool { return true })
}

// startWith leaves out properties.
func (f *floor) startWith(ctx context.Context, a hub.Account, wanted func(sd.Property) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	c, err := f.compose(a)
	if err != nil {
		return err
	}
	dir := f.s.bed.Path(filepath.Dir(c.Socket))
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o710); err != nil {
		return err
	}
	if err := os.Chown(dir, int(a.UID), 0); err != nil {
		return err
	}
	properties := slices.DeleteFunc(c.Properties, func(p sd.Property) bool { return !wanted(p) })
	done := make(chan string, 1)
	if _, err := f.bus.StartTransientUnitContext(ctx, f.unitOf(a), "fail", properties, done); err != nil {
		return fmt.Errorf("start %s: %w", f.unitOf(a), err)
	}
	if err := f.await(ctx, done); err != nil {
		told, _ := f.s.bed.Run(context.WithoutCancel(ctx), "systemctl", "status", "--no-pager", f.unitOf(a)) // for whoever looks for the cause
		return fmt.Errorf("start %s: %w\n%s", f.unitOf(a), err, told)
	}
	return firstAnswer(ctx, f.s.bed.Path(c.Socket))
}

func (f *floor) stop(ctx context.Context, a hub.Account) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	done := make(chan string, 1)
	if _, err := f.bus.StopUnitContext(ctx, f.unitOf(a), "fail", done); err != nil {
		return fmt.Errorf("stop %s: %w", f.unitOf(a), err)
	}
	return f.await(ctx, done)
}

func (f *floor) await(ctx context.Context, done <-chan string) error {
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("the job ended as %s", result)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstAnswer asks a server at a Unix socket, again and again, until it answers.
func firstAnswer(ctx context.Context, socket string) error {
	again := time.NewTicker(200 * time.Microsecond)
	defer again.Stop()
	for {
		err := ask(ctx, socket)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", socket, ctx.Err(), err)
		}
	}
}

func ask(ctx context.Context, socket string) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /api HTTP/1.1\r\nHost: floor\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", answer.Status)
	}
	return nil
}

// own are properties that cannot be the same for two units, or that start nothing.
var own = map[string]bool{
	"ExecStart": true, "ExecStartEx": true, "ExecStopPost": true, "ExecStopPostEx": true, // jupyterhub-exec
	"LoadCredential": true, "BindPaths": true, "TemporaryFileSystem": true, // other paths
	"MemoryAvailable": true, "ControlGroup": true, "ControlGroupId": true, "MainPID": true, "NRestarts": true,
}

// differences names the properties in which a unit of ours and one of the floor differ. There ought to be none.
func (f *floor) differences(ctx context.Context, a hub.Account) (names []string, err error) {
	mine, err := f.bus.GetUnitTypePropertiesContext(ctx, hub.UnitName(hub.ServerRef{User: a.Name}), "Service")
	if err != nil {
		return nil, err
	}
	bare, err := f.bus.GetUnitTypePropertiesContext(ctx, f.unitOf(a), "Service")
	if err != nil {
		return nil, err
	}
	for name, value := range mine {
		moving := own[name] || strings.HasPrefix(name, "ExecMain") || strings.HasSuffix(name, "Timestamp") ||
			strings.HasSuffix(name, "Current") || strings.HasSuffix(name, "NSec") || strings.HasPrefix(name, "IO") || strings.HasPrefix(name, "IP")
		if !moving && fmt.Sprint(value) != fmt.Sprint(bare[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
