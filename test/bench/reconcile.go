package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sync/errgroup"

	"jupyterhubd/hub"
	"jupyterhubd/systemdspawner"
)

// oneListing is the floor of reconciling: systemd is asked once for all units of users.
const oneListing = "one ListUnitsByPatterns"

// measureReconcile lets root's side begin anew where many units run: from its process's start until it answers what runs. The
// hub is away: it would stop units that nobody wished for.
func (s *stage) measureReconcile(ctx context.Context) (err error) {
	f, err := s.newFloor(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := s.systemctl(ctx, []string{"stop", hubUnit}); err != nil {
		return err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, s.systemctl(ctx, []string{"stop", "jupyter-crowd*.service"}, []string{"start", hubUnit}), s.bed.AwaitHub(ctx))
	}()
	if err := s.gather(ctx, f); err != nil {
		return err
	}
	return s.inTurn(ctx, s.size.rounds,
		contender{oneListing, func(ctx context.Context) error {
			began := time.Now()
			units, err := f.bus.ListUnitsByPatternsContext(ctx, nil, []string{"jupyter-*.service"})
			running := slices.DeleteFunc(units, func(u sd.UnitStatus) bool { return u.ActiveState != "active" })
			if err == nil && len(running) < s.size.units {
				err = fmt.Errorf("systemd lists %d units that run", len(running))
			}
			s.scores.note("reconcile", oneListing, milliseconds(time.Since(began)))
			return err
		}},
		contender{ours, s.reconcile})
}

// gather starts units that root's side takes for its own, with nothing in them: what runs in a unit is no part of this. They run as
// anybody there is: for a number without an account systemd starts nothing.
func (s *stage) gather(ctx context.Context, f *floor) error {
	var work errgroup.Group
	work.SetLimit(bareAtOnce)
	for i := range s.size.units {
		work.Go(func() error {
			ref := hub.ServerRef{User: fmt.Sprintf("crowd%04d", i)}
			c, err := f.compose(hub.Account{Name: ref.User, UID: s.people[i%len(s.people)].UID, Home: "/"})
			if err != nil {
				return err
			}
			kept := []sd.Property{sd.PropExecStart([]string{"/bin/sleep", "infinity"}, false)}
			for _, p := range c.Properties {
				switch p.Name {
				case "Description", "Slice", "CollectMode", "LogExtraFields", "User", "MemoryMax", "TasksMax":
					kept = append(kept, p)
				}
			}
			// As a server has it. It goes with the unit.
			if err := os.Mkdir(s.bed.Path(filepath.Join("/run/jupyter", filepath.Base(filepath.Dir(c.Socket)))), 0o710); err != nil {
				return err
			}
			done := make(chan string, 1)
			if _, err := f.bus.StartTransientUnitContext(ctx, c.Unit, "fail", kept, done); err != nil {
				return fmt.Errorf("start %s: %w", c.Unit, err)
			}
			return f.await(ctx, done)
		})
	}
	return work.Wait()
}

// reconcile starts root's side anew. It is stopped at first, and woken by the question what runs.
func (s *stage) reconcile(ctx context.Context) error {
	if err := s.systemctl(ctx, []string{"stop", spawndUnit}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	began := time.Now()
	all, err := systemdspawner.New(s.bed.Path(filepath.Join("/run/jupyterhub", "spawnd.sock"))).List(ctx)
	if err == nil && len(all.Units) < s.size.units {
		err = fmt.Errorf("root's side lists %d units", len(all.Units))
	}
	s.scores.note("reconcile", ours, milliseconds(time.Since(began)))
	return err
}
