package spawner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
)

// Vulnerability: a server of an account that is locked by now. Attack: alice, or an admin for her, asks for its start while nobody has looked
// at the account since. Verified: the account is asked about before the machine is, at each start, the start fails with what was
// said, and nothing runs; when the account is in order again, the next start succeeds, and bob's was never in question.
func TestAStartAsksForAdmission(t *testing.T) {
	locked := true
	var asked []string
	play(t, func(t *testing.T, h *house) {
		for _, ref := range []hub.ServerRef{alice, aliceLab} {
			live, _ := h.Start(t.Context(), ref, "", nil)
			if live.State.Ready() {
				t.Errorf("the start of %s is %s", ref, live.State)
			}
			live, err := h.Wait(t.Context(), ref)
			if err == nil && live.State.Active() || live.Failure == nil || live.Failure.Message != "The account is locked." {
				t.Errorf("%s is %s, with %+v (%v)", ref, live.State, live.Failure, err)
			}
		}
		for _, call := range h.machine.Calls() {
			if strings.HasPrefix(call, "start") {
				t.Errorf("the machine was told to %s", call)
			}
		}
		locked = false
		for _, ref := range []hub.ServerRef{alice, bob} {
			h.start(ref)
			if live, err := h.Wait(t.Context(), ref); err != nil || live.State != hub.Running {
				t.Errorf("%s is %s: %v", ref, live.State, err)
			}
		}
		if want := []string{"alice", "alice", "alice", "bob"}; !slices.Equal(asked, want) {
			t.Errorf("asked about %q, want %q", asked, want)
		}
	}, func(h *house) {
		h.machine.Script(alice, spawnertest.Script{StartDelay: time.Second})
		h.update(func(tx *store.Tx) error { return tx.PutServer(hub.Server{ServerRef: aliceLab}) })
		h.options.Admission = func(_ context.Context, user string) error {
			asked = append(asked, user)
			if locked && user == "alice" {
				return &hub.Error{Kind: hub.Forbidden, Text: "The account is locked.", Cause: &hub.Cause{Message: "The account is locked."}}
			}
			return nil
		}
	})
}
