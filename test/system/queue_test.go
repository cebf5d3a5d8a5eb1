package system

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// held is a server that waits, before it begins to listen, until somebody says that it may go on.
const held = "#!/bin/sh\nuntil [ -e ~/go ]; do sleep 0.1; done\nexec mock-singleuser \"$@\"\n"

// As many servers start at one time, and run at one time, as the hub's options say. Who comes then waits in line, is told so, and has
// a server when there is a place; a limit that is raised makes one.
func TestStartsWaitForAPlace(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.put("/usr/local/bin/held", held, 0o755)
	const servers = "[spawner]\ncmd = [\"mock-singleuser\"]\n[spawner.user.alice]\ncmd = [\"held\"]\n"
	s.afterwards("rm", "-f", "/home/alice/go")

	s.configure("[hub]\nconcurrent_spawn_limit = 1\n" + servers)
	s.asksFor(alice)
	s.eventually("alice's server is under way", func() bool { return s.state(alice) == hub.Starting })
	s.asksFor(bob)
	s.becomes(bob, hub.Queued)
	s.hears(bob, "Waiting in line, 0 before you")
	s.asksFor(mallory)
	s.hears(mallory, "Waiting in line, 1 before you")
	s.run("su", "alice", "--command", "touch ~/go")
	for _, ref := range []hub.ServerRef{alice, bob, mallory} {
		s.becomes(ref, hub.Running)
	}
	s.clear(s.ctx)

	s.configure("[hub]\nactive_server_limit = 1\n" + servers)
	s.start(alice)
	s.asksFor(bob)
	s.becomes(bob, hub.Queued)
	s.hears(bob, "Waiting in line, 0 before you")
	if s.listed(bob) {
		t.Error("bob waits, and has a unit")
	}
	if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(bob, hub.Running)
	s.asksFor(alice)
	s.becomes(alice, hub.Queued)
	s.configure("[hub]\nactive_server_limit = 2\n" + servers)
	s.becomes(alice, hub.Running)
}

// asksFor asks for a server and leaves as soon as it is under way, which is no reason to stop it.
func (s *stage) asksFor(ref hub.ServerRef) {
	s.t.Helper()
	ctx, leave := context.WithCancel(s.ctx)
	refused := make(chan error, 1)
	go func() {
		_, err := s.hub.StartServer(ctx, ref, client.StartRequest{})
		refused <- err
	}()
	s.eventually(ref.String()+" is under way", func() bool { state := s.state(ref); return state != "" && state != hub.Stopped })
	leave()
	if err := <-refused; err != nil && !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
}

// Who has used up the day's processor time or memory is refused in a sentence that says what, how much, and when it is over, on the page
// and at the API; what was used on other days does not count, and what root's file allows counts at once.
func TestWhoHasUsedUpTheDayIsRefused(t *testing.T) {
	s := onStage(t)
	people := []string{"dora", "erna", "fritz"}
	var config strings.Builder
	for _, name := range people {
		s.account(name, "correct horse")
		s.user(name)
		config.WriteString("[spawner.user." + name + "]\ncmd = [\"mock-singleuser\"]\n")
	}
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	now, used := time.Now(), []hub.Consumption{}
	for _, days := range []int{0, 1} { // and tomorrow, should it be midnight
		day := now.AddDate(0, 0, days).Format(hub.DayFormat)
		used = append(used, hub.Consumption{User: "dora", Day: day, CPUSeconds: 7200}, hub.Consumption{User: "erna", Day: day, MemoryHours: 5.04})
	}
	used = append(used, hub.Consumption{User: "fritz", Day: now.AddDate(0, 0, -1).Format(hub.DayFormat), CPUSeconds: 90000, MemoryHours: 900})
	s.enters(used)
	s.configure("[hub]\ndaily_cpu_hours = 1.5\ndaily_gib_hours = 4\n" + config.String())

	for name, sentence := range map[string]string{
		"dora": "Your servers have used 2.0 hours of processor time today, of 1.5 that they may use in a day. They can be started again tomorrow.",
		"erna": "Your servers have used 5.0 GiB hours of memory today, of 4 that they may use in a day. They can be started again tomorrow.",
	} {
		_, err := s.hub.StartServer(s.ctx, hub.ServerRef{User: name}, client.StartRequest{})
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.TooMany || e.Text != sentence || e.RetryAfter <= 0 || e.RetryAfter > 24*time.Hour {
			t.Errorf("%s is answered %v", name, err)
		}
		p := s.player(name)
		p.tryPassword("correct horse", "/hub/home")
		if at := p.get("/hub/spawn"); !strings.Contains(at.words(), sentence) {
			t.Errorf("%s reads at %s, %d:\n%s", name, at.url, at.status, at.words())
		}
		if s.listed(hub.ServerRef{User: name}) {
			t.Errorf("%s has a unit", name)
		}
	}
	s.start(hub.ServerRef{User: "fritz"})
	s.configure("[hub]\ndaily_cpu_hours = 3\ndaily_gib_hours = 6\n" + config.String())
	for _, name := range people[:2] {
		s.start(hub.ServerRef{User: name})
	}
}

// enters writes into the accounts what was used, as the hub does, while the hub does not run.
func (s *stage) enters(used []hub.Consumption) {
	s.t.Helper()
	s.run("systemctl", "stop", "jupyterhub.service")
	s.eventually("the database is free", func() bool { // somebody may knock, who wakes the hub
		db, err := store.Open(s.Path("/var/lib/jupyterhub/jupyterhub.db"), store.Options{})
		if err != nil {
			s.run("systemctl", "stop", "jupyterhub.service")
			return false
		}
		err = db.Update(func(tx *store.Tx) error {
			for _, c := range used {
				if err := tx.AddUsage(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, db.Close()); err != nil {
			s.t.Fatal(err)
		}
		return true
	})
	s.run("systemctl", "start", "jupyterhub.service")
	s.connect()
	if err := s.AwaitHub(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

// What the machine has not cannot be promised: the start is refused at once, in a sentence, whoever asks, and nothing is left of it. What
// others are promised counts.
func TestWhatTheMachineHasNotIsNotPromised(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	total := s.run("awk", "/MemTotal/ {printf \"%d\", $2 / 1024}", "/proc/meminfo")
	s.configure("[spawner]\ncmd = [\"mock-singleuser\"]\nmem_limit = \"0\"\ncpu_limit = 0\n" +
		"[spawner.user.alice]\nmem_guarantee = \"" + total + "M\"\n[spawner.user.bob]\ncpu_guarantee = 10000\n[spawner.user.mallory]\nmem_guarantee = \"64M\"\n")
	for ref, wants := range map[hub.ServerRef]string{alice: "mem_guarantee", bob: "cpu_guarantee"} {
		_, err := s.hub.StartServer(s.ctx, ref, client.StartRequest{})
		const sentence = "The machine has no room for your server just now."
		if err == nil {
			s.becomes(ref, hub.Failed)
		} else if !strings.Contains(hub.TextOf(err), sentence) {
			t.Errorf("%s is answered %v", ref, err)
		}
		if cause := s.lastEvent(ref).Cause; cause == nil || cause.Kind != hub.CauseNoRoom || !strings.Contains(cause.Message, sentence) || !strings.Contains(cause.Detail, wants) {
			t.Errorf("the cause of %s is %+v", ref, cause)
		}
		if s.listed(ref) {
			t.Errorf("%s has a unit", ref)
		}
	}
	s.start(mallory)
}
