package systemdspawner

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"reflect"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// door opens a spawner whose methods the test plays.
func door(t *testing.T, methods map[string]varlink.Handler) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spawnd.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &varlink.Service{Interfaces: []varlink.Interface{{Name: "org.jupyterhub.Spawner", Methods: methods}}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the door: %v", err)
		}
	})
	return New(path)
}

var alice = hub.ServerRef{User: "alice", Server: "gpu"}

func TestStartSaysWhoAndWhatAndNothingElse(t *testing.T) {
	var said json.RawMessage
	c := door(t, map[string]varlink.Handler{"Start": func(_ context.Context, r *varlink.Request) error {
		said = r.Parameters
		return r.Reply(map[string]any{"unit": hub.Unit{ServerRef: alice, Name: "jupyter-alice-gpu.service", UID: 1000}})
	}})
	unit, err := c.Start(t.Context(), alice, "big", json.RawMessage(`{"profile":"big"}`))
	if err != nil || unit.UID != 1000 || unit.ServerRef != alice {
		t.Fatalf("got %+v, %v", unit, err)
	}
	if want := `{"user":"alice","server":"gpu","profile":"big","options":{"profile":"big"}}`; string(said) != want {
		t.Errorf("said %s, want %s", said, want)
	}
}

func TestARefusalArrivesWithItsKindAndCause(t *testing.T) {
	c := door(t, map[string]varlink.Handler{"Start": func(context.Context, *varlink.Request) error {
		return &hub.Error{Kind: hub.Forbidden, Text: "alice may not", Cause: &hub.Cause{Kind: hub.CauseAccount, Message: "no"}}
	}})
	_, err := c.Start(t.Context(), alice, "", nil)
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Forbidden || e.Cause == nil || e.Cause.Kind != hub.CauseAccount {
		t.Errorf("got %#v", err)
	}
}

func TestWatchTellsTheWholeThenTheChanges(t *testing.T) {
	c := door(t, map[string]varlink.Handler{"Watch": func(ctx context.Context, r *varlink.Request) error {
		for _, v := range []map[string]any{
			{"inventory": hub.Inventory{BootID: "b", Units: []hub.Unit{{Name: "one"}}}},
			{"unit": hub.Unit{Name: "two"}},
			{"inventory": hub.Inventory{BootID: "b"}},
		} {
			if err := r.Continue(v); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var seen []string
	err := c.Watch(ctx,
		func(i hub.Inventory) {
			if seen = append(seen, i.BootID); len(i.Units) == 0 {
				cancel()
			}
		},
		func(u hub.Unit) { seen = append(seen, u.Name) })
	if !errors.Is(err, context.Canceled) || !reflect.DeepEqual(seen, []string{"b", "two", "b"}) {
		t.Errorf("saw %q, ended with %v", seen, err)
	}
}

func TestADoorThatIsAwayIsUnavailable(t *testing.T) {
	c := New(filepath.Join(t.TempDir(), "nobody.sock"))
	if err := c.Stop(t.Context(), alice); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("Stop: %v", err)
	}
	if err := c.Watch(t.Context(), nil, nil); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("Watch: %v", err)
	}
}

func TestAStreamThatEndsIsUnavailable(t *testing.T) {
	c := door(t, map[string]varlink.Handler{"Watch": func(_ context.Context, r *varlink.Request) error {
		return r.Reply(map[string]any{"inventory": hub.Inventory{}})
	}})
	if err := c.Watch(t.Context(), func(hub.Inventory) {}, nil); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestTheOtherVerbs(t *testing.T) {
	answer := func(v any) varlink.Handler {
		return func(_ context.Context, r *varlink.Request) error { return r.Reply(v) }
	}
	c := door(t, map[string]varlink.Handler{
		"Stop":               answer(struct{}{}),
		"List":               answer(map[string]any{"inventory": hub.Inventory{BootID: "b"}}),
		"Usage":              answer(map[string]any{"units": []hub.Unit{{Memory: 5}}}),
		"Journal":            answer(map[string]any{"lines": []string{"one"}}),
		"Check":              answer(map[string]any{"findings": []string{"install it"}}),
		"CheckConfiguration": answer(struct{}{}),
		"Reload":             answer(map[string]any{"changes": []string{"mem_limit"}}),
	})
	ctx := t.Context()
	list, err1 := c.List(ctx)
	usage, err2 := c.Usage(ctx)
	lines, err3 := c.Journal(ctx, alice, 5)
	findings, err4 := c.Check(ctx)
	changes, err5 := c.Reload(ctx)
	if err := errors.Join(err1, err2, err3, err4, err5, c.Stop(ctx, alice), c.CheckConfiguration(ctx)); err != nil {
		t.Fatal(err)
	}
	got := []any{list.BootID, usage[0].Memory, lines, findings, changes}
	want := []any{"b", int64(5), []string{"one"}, []string{"install it"}, []string{"mem_limit"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Each of the verbs that name a server says it, and what it changes, and hands back what is answered.
func TestLimitsSleepAndOffersAreSaidAsPublished(t *testing.T) {
	said := map[string]string{}
	play := func(verb string, answer any) varlink.Handler {
		return func(_ context.Context, r *varlink.Request) error {
			said[verb] = string(r.Parameters)
			return r.Reply(answer)
		}
	}
	limits, offer := hub.Limits{MemoryMax: 1 << 30, CPUQuota: 0.5}, hub.Offer{Name: "gpu", DisplayName: "GPU"}
	asleep := hub.Unit{ServerRef: alice, Frozen: true, Used: &hub.Usage{Limits: limits}}
	explained := hub.Explanation{Unit: "jupyter-alice-gpu.service", Settings: []hub.Provided{{Name: "mem_limit", Value: "1G", Origin: "default"}}}
	c := door(t, map[string]varlink.Handler{
		"Limit": play("Limit", map[string]any{"limits": limits}), "Freeze": play("Freeze", map[string]any{"unit": asleep}),
		"Thaw": play("Thaw", map[string]any{"unit": hub.Unit{ServerRef: alice}}), "Profiles": play("Profiles", map[string]any{"profiles": []hub.Offer{offer}}),
		"Explain": play("Explain", map[string]any{"explanation": explained}),
	})
	ctx := t.Context()
	if got, err := c.Limit(ctx, alice, &limits, true); err != nil || got != limits {
		t.Errorf("limited to %+v, %v", got, err)
	}
	if got, err := c.Freeze(ctx, alice); err != nil || !got.Frozen || got.Used.Limits != limits {
		t.Errorf("asleep is %+v, %v", got, err)
	}
	if got, err := c.Thaw(ctx, alice); err != nil || got.Frozen {
		t.Errorf("awake is %+v, %v", got, err)
	}
	if got, err := c.Profiles(ctx, "alice"); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], offer) {
		t.Errorf("offered is %+v, %v", got, err)
	}
	if got, err := c.Explain(ctx, alice, "gpu", json.RawMessage(`{"size":2}`)); err != nil || !reflect.DeepEqual(got, explained) {
		t.Errorf("explained is %+v, %v", got, err)
	}
	want := map[string]string{
		"Limit":    `{"user":"alice","server":"gpu","limits":{"memory_max":1073741824,"cpu_quota":0.5},"for_good":true}`,
		"Freeze":   `{"user":"alice","server":"gpu"}`,
		"Thaw":     `{"user":"alice","server":"gpu"}`,
		"Profiles": `{"user":"alice"}`,
		"Explain":  `{"user":"alice","server":"gpu","profile":"gpu","options":{"size":2}}`,
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("said %v\nwant %v", said, want)
	}
	if _, err := c.Limit(ctx, alice, nil, false); err != nil || said["Limit"] != `{"user":"alice","server":"gpu","limits":null,"for_good":false}` {
		t.Errorf("said %s, %v", said["Limit"], err)
	}
}
