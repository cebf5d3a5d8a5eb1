package api_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/store"
)

// workshop is a Workshop without units: a start is pending until the play says how it ends.
type workshop struct {
	store *store.Store

	mu      sync.Mutex // guards the rest
	states  map[hub.ServerRef]hub.State
	changed chan struct{}
	events  map[hub.ServerRef][]hub.Event
	quick   bool       // starts are ready and stops done at once
	fails   *hub.Cause // starts fail at once, with this cause
	refuses error      // starts are refused with this error
	started []string   // "alice/ profile options"
	hosts   hosts.Hosts
}

func newWorkshop(s *store.Store) *workshop {
	return &workshop{store: s, states: map[hub.ServerRef]hub.State{}, changed: make(chan struct{}), events: map[hub.ServerRef][]hub.Event{}, quick: true}
}

// become puts a server into a state and wakes whoever waits.
func (f *workshop) become(ref hub.ServerRef, s hub.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set(ref, s)
}

func (f *workshop) set(ref hub.ServerRef, s hub.State) {
	f.states[ref] = s
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *workshop) Create(ref hub.ServerRef, displayName string) (hub.Live, error) {
	if ref.Server == "" {
		return hub.Live{}, hub.Errorf(hub.Conflict, "the default server is always there")
	}
	if displayName == "" {
		displayName = ref.Server
	}
	err := f.store.Update(func(tx *store.Tx) error {
		if _, err := tx.Server(ref); err == nil {
			return hub.Errorf(hub.Conflict, "it exists")
		}
		return tx.PutServer(hub.Server{ServerRef: ref, DisplayName: displayName})
	})
	if err != nil {
		return hub.Live{}, err
	}
	return f.Server(ref)
}

func (f *workshop) Start(_ context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Live, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch s := f.states[ref]; {
	case f.refuses != nil:
		return hub.Live{}, f.refuses
	case s.Ready() || s == hub.Stopping:
		return hub.Live{}, hub.Errorf(hub.Conflict, "%s is already running", ref)
	case s.Pending() == "spawn":
		return hub.Live{}, nil
	}
	f.started = append(f.started, strings.TrimSpace(ref.String()+" "+profile+" "+string(options)))
	err := f.store.Update(func(tx *store.Tx) error {
		s, err := tx.Server(ref)
		if hub.KindOf(err) == hub.NotFound {
			s, err = hub.Server{ServerRef: ref}, nil
		}
		s.Wanted, s.Profile, s.Failure = true, profile, f.fails
		if options != nil {
			s.Options = options
		}
		if err != nil {
			return err
		}
		return tx.PutServer(s)
	})
	switch {
	case f.fails != nil:
		f.set(ref, hub.Failed)
	case f.quick:
		f.set(ref, hub.Running)
	default:
		f.set(ref, hub.Starting)
	}
	return hub.Live{}, err
}

func (f *workshop) Wait(ctx context.Context, ref hub.ServerRef) (hub.Live, error) {
	for {
		f.mu.Lock()
		s, changed, cause := f.states[ref], f.changed, f.fails
		f.mu.Unlock()
		if s.Pending() == "" {
			live, err := f.Server(ref)
			if s == hub.Failed {
				err = &hub.Error{Kind: hub.Unavailable, Text: cause.Message, Cause: cause}
			}
			return live, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return hub.Live{}, ctx.Err()
		}
	}
}

func (f *workshop) Stop(_ context.Context, ref hub.ServerRef) (hub.Live, error) {
	f.mu.Lock()
	to := hub.Stopping
	if f.quick {
		to = hub.Stopped
	}
	f.set(ref, to)
	f.mu.Unlock()
	return f.Server(ref)
}

func (f *workshop) Remove(ctx context.Context, ref hub.ServerRef) error {
	if _, err := f.Stop(ctx, ref); err != nil {
		return err
	}
	if _, err := f.Wait(ctx, ref); err != nil {
		return err
	}
	return f.store.Update(func(tx *store.Tx) error { return tx.DeleteServer(ref) })
}

func (f *workshop) Server(ref hub.ServerRef) (hub.Live, error) {
	live := hub.Live{State: f.state(ref), URL: f.hosts.User(ref.User) + "/user/" + ref.User + "/" + strings.TrimPrefix(ref.Server+"/", "/")}
	err := f.store.View(func(tx *store.Tx) (err error) {
		live.Server, err = tx.Server(ref)
		if hub.KindOf(err) == hub.NotFound && ref.Server == "" {
			live.ServerRef = ref
			_, err = tx.User(ref.User)
		}
		return err
	})
	live.Unit = hub.Unit{ServerRef: ref, Name: hub.UnitName(ref), UID: 1000}
	return live, err
}

func (f *workshop) state(ref hub.ServerRef) hub.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.states[ref]; s != "" {
		return s
	}
	return hub.Stopped
}

func (f *workshop) Servers(user string) (lives []hub.Live) {
	f.store.View(func(tx *store.Tx) error {
		for _, s := range tx.Servers(user) {
			live, _ := f.Server(s.ServerRef)
			lives = append(lives, live)
		}
		return nil
	})
	return lives
}

func (f *workshop) Active() (lives []hub.Live) {
	f.mu.Lock()
	refs := []hub.ServerRef{}
	for ref, s := range f.states {
		if s.Active() {
			refs = append(refs, ref)
		}
	}
	f.mu.Unlock()
	slices.SortFunc(refs, func(a, b hub.ServerRef) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		live, _ := f.Server(ref)
		lives = append(lives, live)
	}
	return lives
}

func (f *workshop) Watch(ctx context.Context, ref hub.ServerRef) (<-chan hub.Event, error) {
	f.mu.Lock()
	events := f.events[ref]
	f.mu.Unlock()
	if events == nil {
		return nil, hub.Errorf(hub.NotFound, "%s is not starting", ref)
	}
	out := make(chan hub.Event)
	go func() {
		defer close(out)
		for _, e := range events {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (f *workshop) Usage(context.Context) (map[hub.ServerRef]hub.Unit, error) {
	used := map[hub.ServerRef]hub.Unit{}
	for _, l := range f.Active() {
		l.Unit.State, l.Unit.Memory, l.Unit.CPU, l.Unit.Tasks = hub.UnitActive, 1<<20, 5, -1
		l.Unit.Used = &hub.Usage{MemoryPeak: 2 << 20, TasksPeak: -1, Swap: -1, IORead: 4096, IOWritten: -1}
		used[l.ServerRef] = l.Unit
	}
	return used, nil
}

// Wake knows one key.
func (f *workshop) Wake(_ context.Context, ref hub.ServerRef, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case key != "the-key":
		return hub.Errorf(hub.Forbidden, "only the proxy wakes servers")
	case f.states[ref] != hub.Frozen:
		return hub.Errorf(hub.NotRunning, "%s does not run", ref)
	}
	f.set(ref, hub.Running)
	return nil
}

func (f *workshop) Restart(_ context.Context, ref hub.ServerRef) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.states[ref].Ready() {
		return hub.Errorf(hub.NotRunning, "%s does not run", ref)
	}
	if !f.quick {
		f.set(ref, hub.Stopping)
	}
	return nil
}

// Limit allows what is at most one GiB.
func (f *workshop) Limit(_ context.Context, ref hub.ServerRef, l *hub.Limits, forGood bool) (hub.Limits, error) {
	switch {
	case l == nil:
		return hub.Limits{MemoryMax: 2 << 30}, nil
	case l.MemoryMax > 1<<30:
		return hub.Limits{}, hub.Errorf(hub.Forbidden, "more than you may")
	}
	return *l, nil
}
