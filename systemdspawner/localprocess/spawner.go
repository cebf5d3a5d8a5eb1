package localprocess

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// Options say what runs and where.
type Options struct {
	// Development says that nobody but the one who runs this uses the machine. Without it New refuses.
	Development bool

	Users   []string // who may have a server
	Command []string // a program by its whole path, and its arguments, in which {socket}, {user} and {server} are filled in
	Dir     string   // where the directories of sockets are made
	UID     uint32   // whom servers run as, where root runs this; root's own servers there are none
	Now     func() time.Time
}

// Spawner runs servers as its own children. Its methods may be called from any goroutine.
type Spawner struct {
	Options
	life string // stands for the boot: processes do not outlive us

	mu       sync.Mutex // guards the rest
	servers  map[hub.ServerRef]*process
	watchers map[*watcher]bool
}

// New refuses to work in production.
func New(o Options) (*Spawner, error) {
	switch {
	case !o.Development:
		return nil, hub.Errorf(hub.Forbidden, "servers as plain processes have no sandbox, no limits and no accounts of their own: "+
			"use jupyterhub-spawnd, or say that this is a development machine")
	case len(o.Command) == 0 || !filepath.IsAbs(o.Command[0]):
		return nil, hub.Errorf(hub.Invalid, "the command is a program by its whole path, with its arguments")
	}
	if me := os.Getuid(); me != 0 {
		o.UID = uint32(me)
	}
	if o.UID == 0 {
		return nil, hub.Errorf(hub.Forbidden, "nobody's server runs as root: run this as yourself, or name the uid of servers")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Spawner{Options: o, life: random(), servers: map[hub.ServerRef]*process{}, watchers: map[*watcher]bool{}}, nil
}

func random() string {
	b := make([]byte, 16)
	rand.Read(b) //nolint:errcheck // crypto/rand never fails since Go 1.24
	return hex.EncodeToString(b)
}

// Start runs the server's process and returns when it does.
func (s *Spawner) Start(ctx context.Context, ref hub.ServerRef) (hub.Unit, error) {
	if err := ctx.Err(); err != nil {
		return hub.Unit{}, err
	}
	if !slices.Contains(s.Users, ref.User) {
		return hub.Unit{}, refused(hub.NotFound, hub.CauseAccount, "There is no account of your name here.", ref.User+" is not among those who may have servers")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.servers[ref]; p != nil {
		return hub.Unit{}, hub.Errorf(hub.Conflict, "the server %s runs already", ref)
	}
	name := hub.UnitName(ref)
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(s.Dir, hex.EncodeToString(sum[:8]))
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chown(dir, int(s.UID), -1)
	}
	if err != nil {
		return hub.Unit{}, refused(hub.Unknown, hub.CauseSystem, "Your server has no place for its socket.", err.Error())
	}
	u := hub.Unit{ServerRef: ref, Name: name, UID: int64(s.UID), Socket: filepath.Join(dir, "s"), State: hub.UnitActive,
		Invocation: random(), Since: s.Now().UTC(), Memory: -1, CPU: -1, Tasks: -1}
	_ = os.Remove(u.Socket) // of an earlier run, ignoring
	p, err := launch(u, s.fill(u))
	if err != nil {
		return hub.Unit{}, refused(hub.Unknown, hub.CauseMissingCommand, "The program that servers run cannot be started here.", err.Error())
	}
	s.servers[ref] = p
	s.tell(u)
	go p.awaitSocket(func() { s.change(p, func(u *hub.Unit) { u.Listening = true }) })
	go s.await(p)
	return u, nil
}

// fill returns the command with what its arguments leave open.
func (s *Spawner) fill(u hub.Unit) []string {
	filled := slices.Clone(s.Command)
	in := strings.NewReplacer("{socket}", u.Socket, "{user}", u.User, "{server}", u.Server)
	for i := range filled {
		filled[i] = in.Replace(filled[i])
	}
	return filled
}

func refused(kind hub.Kind, cause hub.CauseKind, message, detail string) error {
	return &hub.Error{Kind: kind, Text: message, Cause: &hub.Cause{Kind: cause, Message: message, Detail: detail}}
}

// change alters what is known of a process that still runs, and tells it.
func (s *Spawner) change(p *process, do func(*hub.Unit)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[p.unit.ServerRef] == p {
		do(&p.unit)
		s.tell(p.unit)
	}
}

// await takes in the end of a process.
func (s *Spawner) await(p *process) {
	err := p.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := p.unit
	u.State, u.Listening, u.Frozen = hub.UnitInactive, false, false
	if err != nil && !p.stopping {
		u.State = hub.UnitFailed
		u.Cause = &hub.Cause{Kind: hub.CauseExited, Message: "Your server ended by itself. The last lines of its log say more.", Detail: err.Error(),
			Unit: u.Name, Invocation: u.Invocation, Journal: p.said.last(20), At: s.Now().UTC()}
	}
	delete(s.servers, u.ServerRef)
	s.tell(u)
	close(p.gone)
}

// Stop ends a server's process group, and returns when it is gone.
func (s *Spawner) Stop(ctx context.Context, ref hub.ServerRef) error {
	s.mu.Lock()
	p := s.servers[ref]
	if p != nil {
		p.stopping = true
	}
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.end(ctx)
}

// Close ends all servers.
func (s *Spawner) Close(ctx context.Context) error {
	s.mu.Lock()
	refs := slices.Collect(maps.Keys(s.servers))
	s.mu.Unlock()
	for _, ref := range refs {
		if err := s.Stop(ctx, ref); err != nil {
			return fmt.Errorf("stop %s: %w", ref, err)
		}
	}
	return nil
}

// sleep freezes or thaws a server: its group is stopped, as a shell's job control does.
func (s *Spawner) sleep(ref hub.ServerRef, frozen bool) (hub.Unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.servers[ref]
	if p == nil || p.stopping {
		return hub.Unit{}, hub.Errorf(hub.NotRunning, "the server %s does not run", ref)
	}
	if p.unit.Frozen == frozen {
		return p.unit, nil
	}
	if err := p.halt(frozen); err != nil {
		return hub.Unit{}, hub.Errorf(hub.NotRunning, "the server %s does not run: %w", ref, err)
	}
	p.unit.Frozen = frozen
	s.tell(p.unit)
	return p.unit, nil
}

// units returns what runs, in order of names; the caller holds mu.
func (s *Spawner) units(f func(*process) hub.Unit) []hub.Unit {
	units := make([]hub.Unit, 0, len(s.servers))
	for _, p := range s.servers {
		units = append(units, f(p))
	}
	slices.SortFunc(units, func(a, b hub.Unit) int { return strings.Compare(a.Name, b.Name) })
	return units
}

func (s *Spawner) inventory() hub.Inventory {
	return hub.Inventory{BootID: s.life, Units: s.units(func(p *process) hub.Unit { return p.unit })}
}
