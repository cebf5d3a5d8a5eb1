package api_test

import (
	"context"
	"slices"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/auth/authtest"
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

// lodge is the door that accounts are looked at through: alice's is locked. It is told who was looked at.
type lodge chan string

func (l lodge) Check(_ context.Context, name string) (hub.Account, error) {
	l <- name
	if name == "alice" {
		return hub.Account{}, hub.Errorf(hub.Forbidden, "locked")
	}
	return hub.Account{Name: name, UID: 1003}, nil
}

// Vulnerability: alice's account is locked and her server goes on, since neither she nor it ever asks the hub for anything. Verified: the
// culler's question has the account of everybody looked at whose server runs, and nobody else's; she loses what she has, bob nothing.
func TestACheckOfAccountsEndsWhoIsGone(t *testing.T) {
	looked, out := make(lodge, 8), make(chan string, 8)
	w := newWorld(t, func(o *api.Options) {
		porter, err := auth.New(auth.Options{
			Store: o.Store, Rules: auth.Rules{Policy: o.Policy()}, Authenticator: authtest.NewDouble(), BaseURL: "/", Accounts: looked,
			Report: func(user, _ string, err error) {
				if err == nil {
					out <- user
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Doorman = porter
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- porter.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			<-done
		})
	})
	w.update(func(tx *store.Tx) error {
		for name, uid := range map[string]int64{"alice": 1002, "bob": 1003, "mallory": 1004} {
			u, err := tx.User(name)
			if err != nil {
				return err
			}
			u.UID = uid
			if _, err = tx.PutUser(u); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range []string{"alice", "bob"} {
		w.shop.become(hub.ServerRef{User: name}, hub.Running)
	}
	alice, bob := w.token("alice"), w.token("bob")
	w.ask(bob, "POST", "/hub/api/accounts/check").is(403)
	w.ask(w.service("culler", "delete:servers"), "POST", "/hub/api/accounts/check").is(200, `{"checked":2,"ended":1}`)
	if len(looked) != 2 {
		t.Fatalf("%d accounts were looked at", len(looked))
	}
	if got := []string{<-looked, <-looked}; !slices.Contains(got, "alice") || !slices.Contains(got, "bob") {
		t.Errorf("looked at %q", got)
	}
	if got := <-out; got != "alice" {
		t.Errorf("%s was shown out", got)
	}
	w.ask(alice, "GET", "/hub/api/user").is(403)
	w.ask(bob, "GET", "/hub/api/user").is(200)
}
