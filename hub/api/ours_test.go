package api_test

import (
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// The proxy wakes a server with the key of its route, and needs nothing else. Who has no key gets nothing, whatever scopes
// they have.
func TestWake(t *testing.T) {
	w := newWorld(t)
	w.shop.become(hub.ServerRef{User: "alice"}, hub.Frozen)
	w.ask(w.token("admin"), "POST", "/hub/api/users/alice/server/wake?key=guess").is(403)
	w.ask("", "POST", "/hub/api/users/alice/server/wake?key=the-key").is(204)
	w.ask("", "POST", "/hub/api/users/bob/server/wake?key=the-key").is(424)
	w.ask("", "GET", "/hub/api/users/alice/server/wake?key=the-key").is(405)
}

// What was used, by day: alice sees her own, admin everybody's.
func TestUsageByDay(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		for _, c := range []hub.Consumption{
			{User: "alice", Day: "2026-11-23", CPUSeconds: 10, MemoryHours: 1, ServerHours: 2},
			{User: "alice", Day: "2026-11-24", CPUSeconds: 20},
			{User: "alice", Day: "2026-11-24", CPUSeconds: 1.5},
			{User: "bob", Day: "2026-11-24", CPUSeconds: 5},
		} {
			if err := tx.AddUsage(c); err != nil {
				return err
			}
		}
		return nil
	})
	w.ask(w.token("alice"), "GET", "/hub/api/users/alice/usage?first=2026-11-24").is(200,
		`{"days":[{"user":"alice","day":"2026-11-24","cpu_seconds":21.5,"gib_hours":0,"server_hours":0}]}`)
	w.ask(w.token("alice"), "GET", "/hub/api/users/bob/usage").is(404)
	w.ask(w.token("alice"), "GET", "/hub/api/usage/days").is(403)
	w.ask(w.token("admin"), "GET", "/hub/api/usage/days?last=2026-11-23").is(200, `"day":"2026-11-23"`)
	w.ask(w.token("admin"), "GET", "/hub/api/usage/days").is(200, `"user":"bob"`)
	w.ask(w.token("admin"), "GET", "/hub/api/usage/days?first=yesterday").is(400, "2026-11-24")
	w.ask(w.token("mallory"), "GET", "/hub/api/users/mallory/usage").is(200, `{"days":[]}`)
}

// A restart is answered as a start is.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	token := w.token("alice")
	w.ask(token, "POST", "/hub/api/users/alice/server/restart").is(424)
	w.ask(token, "POST", "/hub/api/users/bob/server/restart").is(404)
	w.shop.become(hub.ServerRef{User: "alice"}, hub.Running)
	w.ask(token, "POST", "/hub/api/users/alice/server/restart").is(201)
	w.shop.quick = false
	w.ask(token, "POST", "/hub/api/users/alice/server/restart").is(202)
}

// Limits are changed by admins, as far as root's side lets them.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	const at = "/hub/api/users/alice/server/limits"
	admin := w.token("admin")
	w.ask(w.token("alice", "start:servers"), "POST", at, `{"limits":{"memory_max":1}}`).is(403)
	w.ask(admin, "POST", at, `{"limits":{"memory_max":1073741824,"cpu_quota":1.5}}`).is(200, `{"limits":{"memory_max":1073741824,"cpu_quota":1.5}}`)
	w.ask(admin, "POST", at, `{"limits":null}`).is(200, `{"limits":{"memory_max":2147483648}}`)
	w.ask(admin, "POST", at, `{"limits":{"memory_max":2147483648}}`).is(403, "more than you may")
	for _, bad := range []string{``, `{}`, `{"limits":{}}`, `{"limits":7}`, `{"limits":{"disk":1}}`, `{"limits":{"memory_max":"1G"}}`,
		`{"limits":{"memory_max":1},"for_good":"x"}`, `{"limits":{"memory_max":1},"by":"me"}`} {
		w.ask(admin, "POST", at, bad).is(400)
	}
}
