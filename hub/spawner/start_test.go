package spawner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// never is a server that does not answer.
func never(ctx context.Context, _ hub.Unit) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestStart(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second, ListenDelay: time.Second})
		if live := h.start(alice); live.State != hub.Starting || live.URL != "/user/alice/" {
			t.Errorf("Start returned %+v", live)
		}
		if r := h.record(alice); !r.Wanted || r.BootID != "boot-0" || r.Started.IsZero() {
			t.Errorf("the wish is %+v", r)
		}
		sleep(1500 * time.Millisecond)
		h.routed()
		live, err := h.Wait(t.Context(), alice)
		if err != nil || live.State != hub.Running || live.Unit.Name != "jupyter-alice.service" {
			t.Fatalf("%+v, %v", live, err)
		}
		h.routed("/user/alice/")
		routes, _ := h.router.Routes(t.Context())
		if r := routes[1]; r.UID != live.Unit.UID || !strings.HasPrefix(r.Target, "http+unix://%2Frun%2Fjupyter%2F") || r.Server != alice {
			t.Errorf("the route is %+v", r)
		}
		if _, err := h.Start(t.Context(), alice, "", nil); hub.KindOf(err) != hub.Conflict {
			t.Errorf("starting it again answered %v", err)
		}
	})
}

func TestStartTwiceIsOneStart(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second})
		h.start(alice)
		h.start(alice)
		h.run(alice)
		if calls := h.machine.Calls(); len(calls) != 1 {
			t.Errorf("asked for %q", calls)
		}
	})
}

func TestProgressIsToldToEverybodyFromItsBeginning(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second, ListenDelay: time.Second})
		h.start(alice)
		early, err := h.Watch(t.Context(), alice) // reads nothing until all is over
		if err != nil {
			t.Fatal(err)
		}
		sleep(1500 * time.Millisecond)
		if got := h.story(alice); got[0] != (hub.Event{Message: "Server requested"}) || got[len(got)-1].Progress != 40 {
			t.Errorf("in the middle: %+v", got)
		}
		sleep(time.Second)
		var all []hub.Event
		for e := range early {
			all = append(all, e)
		}
		last := all[len(all)-1]
		if !last.Ready || last.Progress != 100 || last.URL != "/user/alice/" || all[0].Message != "Server requested" {
			t.Errorf("the whole: %+v", all)
		}
		for i := 1; i < len(all); i++ {
			if all[i].Progress < all[i-1].Progress {
				t.Errorf("progress goes back: %+v", all)
			}
		}
		if late := h.story(alice); len(late) != 1 || late[0] != last {
			t.Errorf("a late one sees %+v", late)
		}
		if _, err := h.Watch(t.Context(), bob); hub.KindOf(err) != hub.NotFound {
			t.Errorf("where nothing starts: %v", err)
		}
	})
}

// Every way in which a start can fail gives its cause at once, keeps it, and leaves nothing behind.
func TestFailedStart(t *testing.T) {
	missing := &hub.Cause{Kind: hub.CauseMissingCommand, Message: "jupyterhub-singleuser is not installed."}
	killed := &hub.Cause{Kind: hub.CauseOutOfMemory, Message: "It used more memory than it may.", Journal: []string{"Killed"}}
	for _, c := range []struct {
		name   string
		script spawnertest.Script
		probe  func(context.Context, hub.Unit) error
		after  time.Duration
		kind   hub.CauseKind
	}{
		{"refused", spawnertest.Script{Refuse: &hub.Error{Kind: hub.Invalid, Cause: missing}}, nil, 0, hub.CauseMissingCommand},
		{"refused with the kind of a door that is away", spawnertest.Script{Refuse: &hub.Error{Kind: hub.Unavailable, Cause: missing}}, nil, 0, hub.CauseMissingCommand},
		{"refused without a cause", spawnertest.Script{Refuse: errors.New("secret detail")}, nil, 0, hub.CauseSystem},
		{"dies before it listens", spawnertest.Script{Silent: true, DieAfter: 3 * time.Second, Death: killed}, nil, 3 * time.Second, hub.CauseOutOfMemory},
		{"ends well before it listens", spawnertest.Script{Silent: true, DieAfter: 3 * time.Second}, nil, 3 * time.Second, hub.CauseExited},
		{"dies before it answers", spawnertest.Script{DieAfter: 3 * time.Second, Death: killed}, never, 3 * time.Second, hub.CauseOutOfMemory},
		{"never listens", spawnertest.Script{Silent: true}, nil, 60 * time.Second, hub.CauseTimeout},
		{"never answers", spawnertest.Script{}, never, 30 * time.Second, hub.CauseTimeout},
		{"never starts", spawnertest.Script{StartDelay: time.Hour}, nil, 60 * time.Second, hub.CauseTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.probe = c.probe
				h.machine.Script(alice, c.script)
				h.start(alice)
				sleep(c.after - time.Millisecond)
				if c.after > 0 {
					h.is(alice, hub.Starting)
				}
				sleep(time.Second)
				h.is(alice, hub.Failed)
				live, err := h.Wait(t.Context(), alice)
				if live.Failure == nil || live.Failure.Kind != c.kind || err == nil || strings.Contains(live.Failure.Message, "secret") {
					t.Errorf("failed with %+v, %v", live.Failure, err)
				}
				if got := h.story(alice); len(got) != 1 || !got[0].Failed || got[0].Cause.Kind != c.kind {
					t.Errorf("told %+v", got)
				}
				if h.alive(alice) || h.record(alice).Wanted || h.tokens("alice") != 0 {
					t.Error("something is left of it")
				}
				h.routed()
				h.probe = nil
				h.machine.Script(alice, spawnertest.Script{})
				h.run(alice)
			})
		})
	}
}

func TestCancel(t *testing.T) {
	for _, c := range []struct {
		name   string
		script spawnertest.Script
		probe  func(context.Context, hub.Unit) error
	}{
		{"while systemd starts it", spawnertest.Script{StartDelay: time.Hour}, nil},
		{"while it does not listen", spawnertest.Script{Silent: true}, nil},
		{"while it does not answer", spawnertest.Script{}, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.probe = c.probe
				h.machine.Script(alice, c.script)
				h.start(alice)
				sleep(time.Second)
				events, err := h.Watch(t.Context(), alice)
				if err != nil {
					t.Fatal(err)
				}
				if live, err := h.Stop(t.Context(), alice); err != nil || live.State != hub.Stopping {
					t.Errorf("%s, %v", live.State, err)
				}
				sleep(time.Millisecond)
				h.is(alice, hub.Stopped)
				if h.alive(alice) {
					t.Error("the unit goes on")
				}
				var last hub.Event
				for last = range events {
				}
				if !last.Failed || last.Message != "Spawn cancelled" {
					t.Errorf("the watcher was told %+v", last)
				}
			})
		})
	}
}

func TestNamedServers(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.options.Policy.NamedServerLimitPerUser = 2
		h.SetPolicy(h.options.Policy)
		h.run(aliceLab)
		h.routed("/user/alice/lab/")
		if r := h.record(aliceLab); r.DisplayName != "lab" {
			t.Errorf("%+v", r)
		}
		for _, name := range []string{"Lab", "1lab", "a--b", "a-", "a b", "../x", "a/b", strings.Repeat("a", 31)} {
			if _, err := h.Create(hub.ServerRef{User: "alice", Server: name}, ""); hub.KindOf(err) != hub.Invalid {
				t.Errorf("a server named %q: %v", name, err)
			}
		}
		if _, err := h.Create(hub.ServerRef{User: "alice", Server: "x"}, " x"); hub.KindOf(err) != hub.Invalid {
			t.Errorf("display name: %v", err)
		}
		if live, err := h.Create(hub.ServerRef{User: "alice", Server: "gpu-2"}, "The GPU"); err != nil || live.State != hub.Stopped {
			t.Errorf("%+v, %v", live, err)
		}
		if _, err := h.Create(aliceLab, ""); hub.KindOf(err) != hub.Conflict {
			t.Errorf("a second one of the name: %v", err)
		}
		if _, err := h.Start(t.Context(), hub.ServerRef{User: "alice", Server: "third"}, "", nil); hub.KindOf(err) != hub.Invalid {
			t.Errorf("one too many: %v", err)
		}
		if _, err := h.Start(t.Context(), hub.ServerRef{User: "carol"}, "", nil); hub.KindOf(err) != hub.NotFound {
			t.Errorf("a server of nobody: %v", err)
		}
		if got := len(h.Servers("alice")); got != 2 {
			t.Errorf("alice has %d servers", got)
		}
		h.options.Policy.AllowNamedServers = false
		h.SetPolicy(h.options.Policy)
		if _, err := h.Start(t.Context(), hub.ServerRef{User: "alice", Server: "gpu-2"}, "", nil); hub.KindOf(err) != hub.Invalid {
			t.Errorf("switched off: %v", err)
		}
	})
}

// Options are those of the last start unless new ones are given.
func TestOptionsAreKept(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		start := func(profile string, o []byte) hub.Server {
			t.Helper()
			if _, err := h.Start(t.Context(), alice, profile, o); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := h.Stop(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return h.record(alice)
		}
		for i, c := range []struct {
			profile string
			options []byte
			want    string
		}{{"gpu", []byte(`{"gpus":1}`), `gpu {"gpus":1}`}, {"", nil, `gpu {"gpus":1}`}, {"", []byte(`{}`), ` {}`}} {
			if r := start(c.profile, c.options); r.Profile+" "+string(r.Options) != c.want {
				t.Errorf("start %d left %q %s, want %s", i, r.Profile, r.Options, c.want)
			}
		}
	})
}

// A profile that is not for alice is refused with its own kind, and does not become what her next start goes by.
func TestRefusedChoiceIsNotKept(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second, Refuse: hub.Errorf(hub.Forbidden, "the profile gpu is not for you")})
		if _, err := h.Start(t.Context(), alice, "gpu", []byte(`{"profile":"gpu"}`)); err != nil {
			t.Fatal(err)
		}
		live, err := h.Wait(t.Context(), alice)
		if hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != "the profile gpu is not for you" || live.State != hub.Failed {
			t.Errorf("%s, %v", live.State, err)
		}
		if r := h.record(alice); r.Profile != "" || r.Options != nil {
			t.Errorf("kept is %q %s", r.Profile, r.Options)
		}
		h.machine.Script(alice, spawnertest.Script{})
		h.run(alice)
	})
}

// What was chosen the last time and is gone now keeps nobody from their server, who may have no page to choose on. Who asks for it by name
// is refused.
func TestWhatWasChosenMayBeGone(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		if _, err := h.Start(t.Context(), alice, "course", []byte(`{"profile":"course"}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := h.Stop(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.machine.Script(alice, spawnertest.Script{Gone: "course"})
		if _, err := h.Start(t.Context(), alice, "course", []byte(`{"profile":"course"}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Wait(t.Context(), alice); hub.KindOf(err) != hub.Invalid {
			t.Errorf("asked for by name: %v", err)
		}
		h.run(alice)
		if r := h.record(alice); r.Profile != "" || r.Options != nil {
			t.Errorf("kept is %q %s", r.Profile, r.Options)
		}
	})
}

// Vulnerability: a name passes from one person to another while the first one's session is good.
// Attack: mallory logged in as alice when that was uid 4711. The account was deleted, another alice has the name and uid 1005,
// and mallory's cookie asks for a server; or the hub finds one running when it starts.
// Verified: the start fails with the cause, no request is routed there, the unit is stopped and its token is worth nothing.
func TestANameThatIsAnotherPersonsNow(t *testing.T) {
	another := func(h *house) {
		h.update(func(tx *store.Tx) error {
			u, err := tx.User("alice")
			if err != nil {
				return err
			}
			u.UID = 4711
			_, err = tx.PutUser(u)
			return err
		})
	}
	for name, begin := range map[string]func(h *house){
		"asked for": func(h *house) { another(h); h.start(alice) },
		"found":     func(h *house) { h.run(alice); h.stop(); another(h); h.open() },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				begin(h)
				live, err := h.Wait(t.Context(), alice)
				if err == nil || live.Failure == nil || live.Failure.Kind != hub.CauseAccount {
					t.Errorf("%s with %+v, %v", live.State, live.Failure, err)
				}
				h.routed()
				if h.alive(alice) || h.record(alice).Wanted || h.tokens("alice") != 0 {
					t.Error("something is left of it")
				}
			})
		})
	}
}

// Before the first inventory nobody knows what runs, so a start waits a little.
func TestStartBeforeTheFirstInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		defer h.close()
		h.machine.Crash()
		h.open()
		_, err := h.Start(t.Context(), alice, "", nil)
		if hub.KindOf(err) != hub.Unavailable {
			t.Errorf("answered %v", err)
		}
		go func() { time.Sleep(5 * time.Second); h.machine.Return() }()
		h.run(alice)
	})
}
