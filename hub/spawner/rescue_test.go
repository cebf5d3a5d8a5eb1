package spawner_test

import (
	"encoding/json"
	"testing"

	"jupyterhubd/hub"
)

// A rescue is for once: the next start is what alice chose before.
func TestARescueIsForOnce(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		start := func(profile string, options json.RawMessage) {
			t.Helper()
			if _, err := h.Start(t.Context(), alice, profile, options); err != nil {
				t.Fatal(err)
			}
			h.is(alice, hub.Running)
			if _, err := h.Stop(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
			h.is(alice, hub.Stopped)
		}
		start("gpu", json.RawMessage(`{"count":"2"}`))
		start(hub.RescueProfile, nil)
		if r := h.record(alice); r.Profile != "gpu" || string(r.Options) != `{"count":"2"}` {
			t.Errorf("the next start would be of %q with %s", r.Profile, r.Options)
		}
	})
}
