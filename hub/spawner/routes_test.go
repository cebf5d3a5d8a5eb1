package spawner_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// The proxy's table is made right from the whole of it: missing and wrong routes are added, unknown ones of ours deleted,
// others left alone.
func TestRoutesAreReconciled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		defer h.close()
		h.update(func(tx *store.Tx) error {
			return tx.PutService(hub.Service{Name: "grader", URL: "http://127.0.0.1:9999"})
		})
		h.wish(hub.Server{ServerRef: alice, BootID: "boot-0"})
		h.machine.Plant(running(alice))
		for _, r := range []hub.Route{
			{Spec: "/user/alice/", Target: "http+unix://%2Frun%2Fjupyter%2Fformer%2Fs", UID: 1005, Server: alice},
			{Spec: "/user/bob/", Target: "http+unix://%2Frun%2Fjupyter%2Fbob%2Fs", UID: 1006, Server: bob},
			{Spec: "/services/gone/", Target: "http://127.0.0.1:1", Service: "gone"},
			{Spec: "/by-hand/", Target: "http://127.0.0.1:2"},
		} {
			h.router.Put(r)
		}
		h.open()
		h.routed("/by-hand/", "/services/grader/", "/user/alice/")
		routes, _ := h.router.Routes(t.Context())
		for _, r := range routes {
			if r.Spec == "/user/alice/" && r.Target != "http+unix://%2Frun%2Fjupyter%2F0123456789abcdef%2Fs" {
				t.Errorf("alice is led to %s", r.Target)
			}
		}
	})
}

// Before the hub knows what runs, it deletes nothing: the servers that a former hub routed are in use.
func TestRoutesStayUntilTheFirstInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		defer h.close()
		h.router.Put(hub.Route{Spec: "/user/alice/", Target: "http+unix://x", Server: alice})
		h.machine.Crash()
		h.open()
		sleep(10 * time.Minute)
		h.routed("/user/alice/")
		h.machine.Return()
		sleep(5 * time.Second)
		h.routed()
	})
}

func TestProxyThatIsAway(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(bob)
		h.router.Away(true)
		h.start(alice)
		h.is(alice, hub.Starting)
		if _, err := h.Stop(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		h.is(bob, hub.Stopped)
		sleep(20 * time.Second)
		h.router.Away(false)
		sleep(31 * time.Second)
		h.is(alice, hub.Running)
		h.routed("/user/alice/")
	})
}

// The proxy lost its table, and something else shows that only then.
func TestRouteThatIsGoneComesBack(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		if err := h.router.Delete(t.Context(), "/user/alice/"); err != nil {
			t.Fatal(err)
		}
		sleep(301 * time.Second)
		h.routed("/user/alice/")
		if edits := h.router.Edits(); !slices.Equal(edits[len(edits)-2:], []string{"delete /user/alice/", "add /user/alice/"}) {
			t.Errorf("edits were %q", edits)
		}
	})
}

func TestActivityOfTheProxyIsTakenIn(t *testing.T) {
	play(t, func(t *testing.T, h *house) {
		h.run(alice)
		routes, _ := h.router.Routes(t.Context())
		seen := time.Now().Add(time.Minute)
		routes[1].LastActivity = seen
		h.router.Put(routes[1])
		sleep(301 * time.Second)
		if got := h.record(alice).LastActivity; !got.Equal(seen) {
			t.Errorf("the server was active at %s, want %s", got, seen)
		}
		h.update(func(tx *store.Tx) error {
			u, err := tx.User("alice")
			if !u.LastActivity.Equal(seen) {
				t.Errorf("alice was active at %s, want %s", u.LastActivity, seen)
			}
			return err
		})
	})
}
