package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Options say what to put into a bed.
type Options struct {
	Unified bool     // cgroup v2 alone, without the controllers that the host has in v1 hierarchies
	Bare    bool     // no product: a booted systemd and the accounts
	Users   []string // accounts beside the cast, each with a password
	Config  string   // TOML of a file in jupyterhub.toml.d, read after the one that names the single-user command
	Log     io.Writer
}

// Cast is the accounts of every bed. Admin is in the group sudo.
var Cast = []string{"admin", "alice", "bob", "mallory"}

// URL is where the hub answers inside every bed; see Dial for how to get there.
const URL = "http://127.0.0.1:8000/"

// Bed is a running machine. Its methods may be called from several goroutines, Reboot and End excepted.
type Bed struct {
	Name string // of its cgroups and its directory

	dir     string   // on the host, holding an empty mount point, the notification socket and the console
	cgroups []string // on the host, one in each hierarchy
	v1      []string // hierarchies inside; empty for cgroup v2
	mounts  *os.File // the mount namespace with the tmpfs that outlives reboots
	boots   boots
	log     io.Writer

	mu        sync.Mutex // guards what follows
	passwords map[string]string
}

// Boot makes a bed and returns when its systemd has booted, its accounts are there and, unless it is to be bare, the
// product is installed, enabled and started. An error or the context's end leaves nothing behind.
func Boot(ctx context.Context, o Options) (*Bed, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("a bed needs root: namespaces, mounts and cgroups")
	}
	if inGuest() {
		return nil, errors.New("a guest is one machine: Shared returns it")
	}
	clearAway()
	b := &Bed{log: o.Log, passwords: make(map[string]string)}
	if b.log == nil {
		b.log = io.Discard
	}
	err := b.make(o)
	if err == nil {
		err = b.boot(ctx)
	}
	if err == nil {
		err = b.furnish(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(err, b.End())
	}
	return b, nil
}

// make claims what the bed needs on the host: a directory and cgroups.
func (b *Bed) make(o Options) (err error) {
	if b.dir, err = os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid())); err != nil {
		return fmt.Errorf("make the bed's directory: %w", err)
	}
	b.Name = filepath.Base(b.dir)
	if err := os.Mkdir(filepath.Join(b.dir, "machine"), 0o755); err != nil {
		return fmt.Errorf("make the bed's mount point: %w", err)
	}
	host, err := hostHierarchies()
	if err != nil {
		return err
	}
	for _, h := range host {
		if h.controllers != "" && !o.Unified {
			b.v1 = append(b.v1, h.controllers)
		}
	}
	b.cgroups, err = makeCgroups(host, b.Name)
	return err
}

// End kills everything in the bed and removes what it had on the host. It may be called twice.
func (b *Bed) End() error {
	errs := []error{b.boots.kill()}
	if b.mounts != nil {
		errs = append(errs, b.mounts.Close())
		b.mounts = nil
	}
	errs = append(errs, removeCgroups(b.cgroups))
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// Reboot says `systemctl reboot` and returns when the machine is up again.
func (b *Bed) Reboot(ctx context.Context) error {
	// The answer may be cut off by the shutdown that it announces.
	_, _ = b.Run(ctx, "systemctl", "reboot")
	if err := b.boots.gone(ctx); err != nil {
		return fmt.Errorf("wait for the machine to go down: %w", err)
	}
	return b.boot(ctx)
}

// Password returns the password of an account of the bed.
func (b *Bed) Password(user string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passwords[user]
}

// HasControllers reports whether limits of memory, tasks and processor bind inside.
func (b *Bed) HasControllers() bool {
	here := strings.Join(b.v1, ",")
	if here == "" {
		all, _ := os.ReadFile(b.Path("/sys/fs/cgroup/cgroup.controllers")) // absent, there are none
		here = string(all)
	}
	return strings.Contains(here, "memory") && strings.Contains(here, "pids") && strings.Contains(here, "cpu")
}

// Unified reports whether the control groups inside are of version 2, where units can be frozen.
func (b *Bed) Unified() bool { return len(b.v1) == 0 }
