package spawner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/spawner/spawnertest"
)

// A hub is killed while a server is ending, which somebody wanted or which is a failure. The next hub goes on with the end: what was the
// server's opens nothing any more, a unit that still lives is stopped at once, and why it ended is kept.
func TestTheNextHubGoesOnWithAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(*house)
		meant bool // the unit dies while no hub is there
		want  hub.State
		kind  hub.CauseKind
	}{
		"a stop, and the unit lives":   {begin: (*house).stopAlice, want: hub.Stopped},
		"a stop, and the unit is gone": {begin: (*house).stopAlice, meant: true, want: hub.Stopped},
		"a failure": {begin: func(h *house) {
			h.probe = never
			h.identified()
			sleep(31 * time.Second)
		}, want: hub.Failed, kind: hub.CauseTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, h *house) {
				h.machine.Script(alice, spawnertest.Script{StopDelay: 5 * time.Second})
				c.begin(h)
				h.stop() // the hub
				if h.tokens("alice") != 1 || h.record(alice).Wanted {
					t.Fatalf("the hub ended too late: %+v", h.record(alice))
				}
				if c.meant {
					h.machine.Die(alice, nil)
				}
				h.router.Away(false)
				h.open()
				sleep(6 * time.Second)
				h.is(alice, c.want)
				if r := h.record(alice); h.tokens("alice") != 0 || h.alive(alice) || r.Ending || (r.Failure == nil) != (c.kind == "") || r.Failure != nil && r.Failure.Kind != c.kind {
					t.Errorf("alive: %t, with %d tokens, recorded as %+v", h.alive(alice), h.tokens("alice"), r)
				}
				h.routed()
				h.probe = nil
				h.machine.Script(alice, spawnertest.Script{})
				h.run(alice)
			})
		})
	}
}

// identified starts alice's server, which asks for its identity.
func (h *house) identified() {
	h.t.Helper()
	h.start(alice)
	if _, err := h.Credential(h.t.Context(), hub.UnitName(alice), credential.Name); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

func (h *house) stopAlice() {
	h.t.Helper()
	h.identified()
	if _, err := h.Stop(h.t.Context(), alice); err != nil {
		h.t.Fatal(err)
	}
	sleep(time.Second)
}
