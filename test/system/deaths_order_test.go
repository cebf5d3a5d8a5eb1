package system

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// chances are what may happen next in a play of deaths, to the server of somebody's or to the daemons. What cannot be done just now is
// not done.
var chances = []struct {
	name   string
	often  int
	unfold func(ctx context.Context, s *stage, ref hub.ServerRef) error
}{
	{"start", 8, func(ctx context.Context, s *stage, ref hub.ServerRef) error {
		_, err := s.hub.StartServer(ctx, ref, client.StartRequest{})
		return err
	}},
	{"stop", 5, func(ctx context.Context, s *stage, ref hub.ServerRef) error {
		_, err := s.hub.StopServer(ctx, ref, false)
		return err
	}},
	{"restart", 2, func(ctx context.Context, s *stage, ref hub.ServerRef) error {
		_, err := s.hub.RestartServer(ctx, ref)
		return err
	}},
	{"the server is killed", 2, toUnit("kill", "--signal=SIGKILL")},
	{"an admin stops", 1, toUnit("stop", "--no-block")},
	{"an admin restarts", 1, toUnit("try-restart", "--no-block")},
	{"the hub is killed", 2, toDaemons("kill", "--signal=SIGKILL", "jupyterhub.service")},
	{"root's side is killed", 2, toDaemons("kill", "--signal=SIGKILL", "jupyterhub-spawnd.service")},
	{"both are killed", 1, toDaemons("kill", "--signal=SIGKILL", "jupyterhub.service", "jupyterhub-spawnd.service")},
	{"the bus is killed", 1, toDaemons("kill", "--signal=SIGKILL", "dbus.service")},
	{"systemd is executed anew", 1, toDaemons("daemon-reexec")},
	{"systemd reads its units", 1, toDaemons("daemon-reload")},
}

func toUnit(command ...string) func(context.Context, *stage, hub.ServerRef) error {
	return func(ctx context.Context, s *stage, ref hub.ServerRef) error {
		_, err := s.Run(ctx, "systemctl", append(command[:len(command):len(command)], hub.UnitName(ref))...)
		return err
	}
}

func toDaemons(command ...string) func(context.Context, *stage, hub.ServerRef) error {
	return func(ctx context.Context, s *stage, _ hub.ServerRef) error {
		_, err := s.Run(ctx, "systemctl", command...)
		return err
	}
}

// The daemons and what they stand on die in any order, while people start and stop servers, and servers die, and an admin has a hand in
// it. When it is quiet again every server has one unit or none, hub and systemd agree on which, nothing is left of what is gone, and
// everything can be started.
func TestDeathsInAnyOrder(t *testing.T) {
	s := onStage(t)
	refs := []hub.ServerRef{alice, bob, {User: "mallory"}, {User: "alice", Server: "lab"}, {User: "bob", Server: "two"}}
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[hub]\nallow_named_servers = true\nslow_spawn_timeout = \"1ms\"\nslow_stop_timeout = \"1ms\"\n[spawner]\ncmd = [\"mock-singleuser\"]\n")
	t.Cleanup(func() {
		for _, ref := range refs {
			if _, err := s.hub.StopServer(context.WithoutCancel(s.ctx), ref, ref.Server != ""); err != nil && hub.KindOf(err) != hub.NotFound {
				t.Error(err)
			}
		}
	})
	s.unfold(rand.New(rand.NewPCG(seed(t), 0)), refs, release(40, 1000))
	s.quiet()
	s.agree(refs)
	for _, ref := range refs {
		if s.state(ref) != hub.Running {
			s.start(ref)
		}
	}
	s.agree(refs)
	for _, ref := range refs {
		path := "/user/" + ref.User + "/"
		if ref.Server != "" {
			path += ref.Server + "/"
		}
		if status := s.answers(path + "api"); status != http.StatusOK || s.state(ref) != hub.Running {
			t.Errorf("%s is %s and answers %d", ref, s.state(ref), status)
		}
		if _, err := s.hub.StopServer(s.ctx, ref, false); err != nil {
			t.Error(err)
		}
	}
	for _, ref := range refs {
		s.becomes(ref, hub.Stopped)
	}
	s.agree(refs)
	for _, ref := range refs {
		s.nothingLeft(hub.ServerRef{User: ref.User})
	}
}

// seed is what chance begins with: another one each time, unless DEATHS_SEED says which.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("DEATHS_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DEATHS_SEED=%d plays this again", n)
	return n
}

// unfold lets so many things happen by chance.
func (s *stage) unfold(r *rand.Rand, refs []hub.ServerRef, steps int) {
	s.t.Helper()
	var lots []int
	for i, c := range chances {
		lots = append(lots, slices.Repeat([]int{i}, c.often)...)
	}
	for range steps {
		c, ref := chances[lots[r.IntN(len(lots))]], refs[r.IntN(len(refs))]
		ctx, done := context.WithTimeout(s.ctx, patience)
		err := c.unfold(ctx, s, ref)
		done()
		s.t.Logf("%s %s, %s: %v", time.Now().Format("15:04:05.000"), c.name, ref, err)
	}
}

// quiet waits until the daemons and what they stand on are there again.
func (s *stage) quiet() {
	s.t.Helper()
	s.managed()
	for _, unit := range []string{"jupyterhub.service", "jupyterhub-spawnd.service"} {
		s.eventually(unit+" is there", func() bool {
			_, err := s.Run(s.ctx, "sh", "-c", "systemctl start "+unit)
			return err == nil
		})
	}
}

// agree waits until hub, root's side and systemd say the same of the servers, and nothing is left of those that do not run. A unit that
// nobody wishes is left alone for a minute.
func (s *stage) agree(refs []hub.ServerRef) {
	s.t.Helper()
	var amiss, before []string
	late := time.After(time.Minute + 2*patience)
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		if amiss = s.disagreements(refs); len(amiss) == 0 {
			return
		}
		if !slices.Equal(amiss, before) {
			s.t.Logf("%s not yet: %s", time.Now().Format("15:04:05.000"), strings.Join(amiss, "; "))
		}
		before = amiss
		select {
		case <-look.C:
		case <-late:
			s.t.Fatalf("hub and machine do not come to agree:\n%s", strings.Join(amiss, "\n"))
		case <-s.ctx.Done():
			s.t.Fatal(s.ctx.Err())
		}
	}
}

// disagreements lists what is not as it should be.
func (s *stage) disagreements(refs []hub.ServerRef) (amiss []string) {
	s.t.Helper()
	units, dirs := map[string]bool{}, map[string]bool{}
	for _, ref := range refs {
		state, unit := s.state(ref), hub.UnitName(ref)
		switch {
		case state == hub.Running:
			sum := sha256.Sum256([]byte(unit))
			units[unit], dirs[hex.EncodeToString(sum[:8])] = true, true
			if !s.listed(ref) {
				amiss = append(amiss, "root's side does not know of "+unit)
			}
		case state != hub.Stopped && state != hub.Failed && state != "": // "": it has no record
			amiss = append(amiss, fmt.Sprintf("the hub says that %s is %s", ref, state))
		}
	}
	same := func(what string, want map[string]bool, command string) {
		have := strings.Fields(s.run("sh", "-c", command))
		slices.Sort(have)
		if expected := slices.Sorted(maps.Keys(want)); !slices.Equal(have, expected) {
			amiss = append(amiss, fmt.Sprintf("%s %v instead of %v", what, have, expected))
		}
	}
	same("units are", units, "systemctl list-units --all --plain --no-legend 'jupyter-*.service' | awk '{ print $1 }'")
	same("active are", units, "systemctl list-units --state=active --plain --no-legend 'jupyter-*.service' | awk '{ print $1 }'")
	same("written down are", units, "cd /run/systemd/transient && ls -d jupyter-*.service 2>/dev/null || true")
	same("directories are", dirs, "ls /run/jupyter")
	same("failed are", nil, "systemctl list-units --failed --plain --no-legend 'jupyter*' | awk '{ print $1 }'")
	return amiss
}
