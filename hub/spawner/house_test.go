package spawner_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

var (
	alice    = hub.ServerRef{User: "alice"}
	aliceLab = hub.ServerRef{User: "alice", Server: "lab"}
	bob      = hub.ServerRef{User: "bob"}
)

// house is a hub's workshop with a machine and a proxy that are played, and a real store. Its tests run in a bubble of
// synctest: a minute passes in no time.
type house struct {
	*spawner.Manager
	t       *testing.T
	machine *spawnertest.Fake
	router  *spawnertest.Router
	store   *store.Store
	options spawner.Options
	stop    func()                                // ends the hub; its servers go on
	key     string                                // that last woke a server
	probe   func(context.Context, hub.Unit) error // what a server answers; nil: at once
	kernels kernels
}

// play runs a test in a bubble, with a house in which alice and bob have accounts.
func play(t *testing.T, f func(t *testing.T, h *house), before ...func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		for _, change := range before {
			change(h)
		}
		h.open()
		f(t, h)
		h.close()
	})
}

func build(t *testing.T) *house {
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, machine: spawnertest.NewFake(), router: spawnertest.NewRouter(), store: s}
	h.options = spawner.Options{
		Store: s, Spawner: h.machine, Sleeper: h.machine, Router: h.router, Ended: h.machine.Ended, Probe: h.answer, Kernels: h.kernels.ask, Log: zerolog.Nop(), Policy: spawner.DefaultPolicy(),
		URLs: spawner.URLs{Base: "/", Hub: "http+unix://%2Frun%2Fjupyterhub%2Fhub.sock", API: "http://127.0.0.1:8081"},
	}
	h.options.Policy.AllowNamedServers = true
	for _, name := range []string{"alice", "bob"} {
		h.update(func(tx *store.Tx) error {
			_, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID})
			return err
		})
	}
	return h
}

func (h *house) answer(ctx context.Context, u hub.Unit, _ string) (string, error) {
	if h.probe == nil {
		return hub.APIVersion, nil
	}
	return hub.APIVersion, h.probe(ctx, u)
}

// open starts a hub in the house.
func (h *house) open() {
	ctx, cancel := context.WithCancel(h.t.Context())
	h.Manager = spawner.New(h.options)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Manager.Run(ctx)
	}()
	h.stop = func() { cancel(); <-ended }
	synctest.Wait()
}

func (h *house) close() {
	h.t.Helper()
	h.stop()
	if err := h.store.Check(); err != nil {
		h.t.Error(err)
	}
	if err := h.store.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) update(f func(*store.Tx) error) {
	h.t.Helper()
	if err := h.store.Update(f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) record(ref hub.ServerRef) (r hub.Server) {
	h.t.Helper()
	err := h.store.View(func(tx *store.Tx) (err error) {
		r, err = tx.Server(ref)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// wish writes a wish into the store as a former hub would have.
func (h *house) wish(s hub.Server) {
	h.t.Helper()
	s.Wanted = true
	h.update(func(tx *store.Tx) error { return tx.PutServer(s) })
}

func (h *house) start(ref hub.ServerRef) hub.Live {
	h.t.Helper()
	live, err := h.Start(h.t.Context(), ref, "", nil)
	if err != nil {
		h.t.Fatalf("start %s: %v", ref, err)
	}
	return live
}

// run starts a server and waits until it is ready.
func (h *house) run(refs ...hub.ServerRef) {
	h.t.Helper()
	for _, ref := range refs {
		h.start(ref)
	}
	for _, ref := range refs {
		if live, err := h.Wait(h.t.Context(), ref); err != nil || live.State != hub.Running {
			h.t.Fatalf("%s is %s: %v", ref, live.State, err)
		}
	}
}

func (h *house) state(ref hub.ServerRef) hub.State {
	h.t.Helper()
	live, err := h.Server(ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return live.State
}

func (h *house) is(ref hub.ServerRef, want hub.State) {
	h.t.Helper()
	synctest.Wait()
	if got := h.state(ref); got != want {
		h.t.Errorf("%s is %s, want %s", ref, got, want)
	}
}

func (h *house) routed(want ...string) {
	h.t.Helper()
	synctest.Wait()
	if got := h.router.Specs(); !slices.Equal(got, append([]string{"/"}, want...)) {
		h.t.Errorf("routed is %q, want %q and the hub", got, want)
	}
}

func (h *house) alive(ref hub.ServerRef) bool {
	u, err := h.machine.Unit(ref)
	return err == nil && u.State.Alive()
}

// tokens counts alice's tokens.
func (h *house) tokens(user string) (n int) {
	h.t.Helper()
	_ = h.store.View(func(tx *store.Tx) error {
		n = len(tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: user}))
		return nil
	})
	return n
}

// story collects the progress of a start up to now, or to its end.
func (h *house) story(ref hub.ServerRef) []hub.Event {
	h.t.Helper()
	ctx, done := context.WithCancel(h.t.Context())
	defer done()
	events, err := h.Watch(ctx, ref)
	if err != nil {
		h.t.Fatal(err)
	}
	var told []hub.Event
	for {
		synctest.Wait()
		select {
		case e, more := <-events:
			if !more {
				return told
			}
			told = append(told, e)
		default:
			return told
		}
	}
}

func messages(events []hub.Event) string {
	var lines []string
	for _, e := range events {
		lines = append(lines, e.Message)
	}
	return strings.Join(lines, "\n")
}

func options(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sleep(d time.Duration) { time.Sleep(d); synctest.Wait() } // in a bubble: lets this much time pass
