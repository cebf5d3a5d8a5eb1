package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// drowsy lets servers sleep soon, and one person have a real JupyterLab. It works a little by itself, which does not count.
const drowsy = `[spawner]
sleep_after = "1s"
busy_cpu = 0.9
[spawner.user.p000]
cmd = ["%s"]
`

// bareThaw is the floor of waking: systemd is asked to thaw a bare unit, and then a server that is awake is asked.
const bareThaw = "bare thaw and a request"

// measureSleep wakes servers that sleep, in a bed of its own: where the host has its controllers in hierarchies of version 1, units
// can be frozen in a bed that does without them.
func (s *stage) measureSleep(ctx context.Context) (err error) {
	bed, err := testbed.Boot(ctx, testbed.Options{Bare: true, Unified: true})
	if err != nil {
		return err
	}
	z := size{rounds: s.size.rounds, serial: max(2, s.size.serial/2)}
	u := &stage{bed: bed, size: z, log: s.log, scores: s.scores}
	defer func() {
		s.missing = append(s.missing, u.missing...)
		err = errors.Join(err, u.close())
	}()
	for _, step := range []func(context.Context) error{u.installSingleUser, u.addPeople, u.installProduct, u.letSleep} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	f, err := u.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	return u.inTurn(ctx, z.rounds,
		contender{ours, u.wakings},
		contender{bareThaw, func(ctx context.Context) error { return u.bareThaws(ctx, f) }})
}

// letSleep starts everybody's server, the first of which is a JupyterLab.
func (s *stage) letSleep(ctx context.Context) error {
	err := s.bed.WriteFile(ctx, "/etc/jupyterhub/jupyterhub.toml.d/70-sleep.toml", fmt.Sprintf(drowsy, testbed.SingleUser()), 0o644)
	if err != nil {
		return err
	}
	if _, err := s.bed.Run(ctx, "jupyterhub", "reload"); err != nil {
		return err
	}
	if _, err := os.Stat(testbed.SingleUser()); err != nil {
		s.missing = append(s.missing, "JupyterLab cannot be had here, so none sleeps.")
		s.people = s.people[1:]
	}
	if !s.bed.HasControllers() {
		s.missing = append(s.missing, "No memory controller beside freezing on this host: make uml tells what a sleeping JupyterLab keeps.")
	}
	for _, a := range s.people {
		if err := s.own.start(ctx, a.Name); err != nil {
			return err
		}
	}
	return nil
}

// wakings wakes one server after another by a request through the proxy.
func (s *stage) wakings(ctx context.Context) error {
	var took []time.Duration
	for _, a := range s.people {
		if err := s.asleep(ctx, a); err != nil {
			return err
		}
	}
	if err := s.noteKept(); err != nil {
		return err
	}
	for _, a := range s.people {
		one, err := s.own.answer(ctx, a)
		if err != nil {
			return err
		}
		if a.UID == firstUID {
			s.scores.note("wake-lab", ours, milliseconds(one))
			continue
		}
		took = append(took, one)
	}
	s.scores.note("wake", ours, milliseconds(percentile(took, 50)))
	return nil
}

// noteKept looks at what a sleeping JupyterLab keeps in memory, where that is counted.
func (s *stage) noteKept() error {
	if s.people[0].UID != firstUID || !s.bed.HasControllers() {
		return nil
	}
	files, err := filepath.Glob(s.bed.Path("/sys/fs/cgroup/" + hub.TopSlice + "/*/" + hub.UnitName(hub.ServerRef{User: s.people[0].Name}) + "/memory.current"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("look for the memory of a JupyterLab: %q, %w", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	var bytes float64
	if _, err := fmt.Sscan(string(b), &bytes); err != nil {
		return err
	}
	s.scores.note("sleep-memory", ours, bytes/(1<<20))
	return nil
}

// answer asks a server once, through the proxy, and returns how long its answer took.
func (w *site) answer(ctx context.Context, a hub.Account) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	began := time.Now()
	status, _, err := w.do(ctx, http.MethodGet, w.url+"/user/"+a.Name+"/api", nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the server of %s answers %d", a.Name, status)
	}
	return time.Since(began), err
}

// asleep waits until the hub says that somebody's server sleeps.
func (s *stage) asleep(ctx context.Context, a hub.Account) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		body, err := s.own.call(ctx, http.MethodGet, "/users/"+a.Name, nil, http.StatusOK)
		if err != nil {
			return err
		}
		var user struct {
			Servers map[string]struct {
				State struct {
					State hub.State `json:"state"`
				} `json:"state"`
			} `json:"servers"`
		}
		if err := json.Unmarshal(body, &user); err != nil {
			return fmt.Errorf("read the state of %s: %w", a.Name, err)
		}
		if user.Servers[""].State.State == hub.Frozen {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the server of %s does not fall asleep: %w: %s", a.Name, ctx.Err(), strings.TrimSpace(string(body)))
		}
	}
}

// bareThaws lets systemd freeze and thaw a bare unit, and adds to each thaw a request to a server of ours that is awake.
func (s *stage) bareThaws(ctx context.Context, f *floor) error {
	last := s.people[len(s.people)-1]
	if err := f.start(ctx, last); err != nil {
		return err
	}
	var took []time.Duration
	for _, a := range s.people {
		if _, err := s.own.answer(ctx, last); err != nil { // which wakes it
			return err
		}
		if err := f.bus.FreezeUnit(ctx, f.unitOf(last)); err != nil {
			return fmt.Errorf("freeze %s: %w", f.unitOf(last), err)
		}
		began := time.Now()
		if err := f.bus.ThawUnit(ctx, f.unitOf(last)); err != nil {
			return fmt.Errorf("thaw %s: %w", f.unitOf(last), err)
		}
		thawed := time.Since(began)
		awake, err := s.own.answer(ctx, last)
		if err != nil {
			return err
		}
		if a.UID != firstUID {
			took = append(took, thawed+awake)
		}
	}
	s.scores.note("wake", bareThaw, milliseconds(percentile(took, 50)))
	return f.stop(ctx, last)
}
