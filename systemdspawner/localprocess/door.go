package localprocess

import (
	"context"
	"encoding/json"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// Interface returns the verbs of the door. What makes no sense for plain processes is refused, or answered with nothing.
func (s *Spawner) Interface() varlink.Interface {
	nothing := func(v any) varlink.Handler {
		return func(_ context.Context, r *varlink.Request) error { return r.Reply(v) }
	}
	refuse := func(context.Context, *varlink.Request) error {
		return hub.Errorf(hub.Invalid, "servers that are plain processes have no limits")
	}
	return varlink.Interface{
		Name: varlink.Spawner, Description: varlink.SpawnerInterface,
		Methods: map[string]varlink.Handler{
			"Start": s.serveStart, "Stop": s.serveStop, "List": s.serveList, "Watch": s.serveWatch, "Usage": s.serveUsage,
			"Freeze": s.serveSleep(true), "Thaw": s.serveSleep(false), "Journal": s.serveJournal,
			"Explain": refuse, "Limit": refuse,
			"Ended":              nothing(map[string]any{"runs": []hub.Ended{}}),
			"Profiles":           nothing(map[string]any{"profiles": []hub.Offer{}}),
			"Headroom":           nothing(map[string]any{"headroom": hub.Headroom{Memory: -1, MemoryPressure: -1, IOPressure: -1, CPUPressure: -1}}),
			"Check":              nothing(map[string]any{"findings": []string{"servers are plain processes: for development alone"}}),
			"CheckConfiguration": nothing(struct{}{}),
			"Reload":             nothing(map[string]any{"changes": []string{}}),
			"ApplyServices":      nothing(map[string]any{"services": []hub.ServiceUnit{}}),
		},
	}
}

func (s *Spawner) serveStart(ctx context.Context, r *varlink.Request) error {
	var in struct {
		hub.ServerRef
		Profile *string         `json:"profile"`
		Options json.RawMessage `json:"options"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.Profile != nil && *in.Profile != "" {
		return hub.Errorf(hub.Invalid, "there are no profiles here")
	}
	u, err := s.Start(ctx, in.ServerRef)
	return reply(r, "unit", u, err)
}

// reply answers with one value, or refuses.
func reply(r *varlink.Request, name string, v any, err error) error {
	if err != nil {
		return err
	}
	return r.Reply(map[string]any{name: v})
}

func (s *Spawner) serveStop(ctx context.Context, r *varlink.Request) error {
	var ref hub.ServerRef
	err := r.Decode(&ref)
	if err == nil {
		err = s.Stop(ctx, ref)
	}
	if err != nil {
		return err
	}
	return r.Reply(struct{}{})
}

func (s *Spawner) serveSleep(frozen bool) varlink.Handler {
	return func(_ context.Context, r *varlink.Request) error {
		var ref hub.ServerRef
		if err := r.Decode(&ref); err != nil {
			return err
		}
		u, err := s.sleep(ref, frozen)
		return reply(r, "unit", u, err)
	}
}

func (s *Spawner) serveList(_ context.Context, r *varlink.Request) error {
	s.mu.Lock()
	whole := s.inventory()
	s.mu.Unlock()
	return r.Reply(map[string]any{"inventory": whole})
}

func (s *Spawner) serveUsage(_ context.Context, r *varlink.Request) error {
	s.mu.Lock()
	units := s.units((*process).used)
	s.mu.Unlock()
	return r.Reply(map[string]any{"units": units})
}

func (s *Spawner) serveJournal(_ context.Context, r *varlink.Request) error {
	var in struct {
		hub.ServerRef
		Lines int `json:"lines"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	s.mu.Lock()
	p := s.servers[in.ServerRef]
	s.mu.Unlock()
	lines := []string{}
	if p != nil && in.Lines > 0 {
		lines = p.said.last(in.Lines)
	}
	return r.Reply(map[string]any{"lines": lines})
}

// watcher is one call of Watch. Its changes are guarded by Spawner.mu.
type watcher struct {
	changes []hub.Unit
	wake    chan struct{} // one token: there are changes
}

// tell lets every watcher know of a change; the caller holds mu.
func (s *Spawner) tell(u hub.Unit) {
	for w := range s.watchers {
		w.changes = append(w.changes, u)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// serveWatch tells the whole and then every change, until the caller leaves.
func (s *Spawner) serveWatch(ctx context.Context, r *varlink.Request) error {
	w := &watcher{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	s.watchers[w] = true
	whole := s.inventory()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
	}()
	if err := r.Continue(map[string]any{"inventory": whole}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		s.mu.Lock()
		changes := w.changes
		w.changes = nil
		s.mu.Unlock()
		for _, u := range changes {
			if err := r.Continue(map[string]any{"unit": u}); err != nil {
				return err
			}
		}
	}
}
