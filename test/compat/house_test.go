package compat

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/spawner"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
	"jupyterhubd/test/testbed"
)

// needs returns a program of a Python environment, or says why the test cannot run.
func needs(t *testing.T, environment, program string) string {
	t.Helper()
	leftOut(t)
	path := filepath.Join(testbed.Environment(environment), "bin", program)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: make environments", err)
		}
		t.Skipf("%v: make environments", err)
	}
	return path
}

// leftOut leaves a test with a real peer out of the quick part.
func leftOut(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a peer's program, which -short leaves out")
	}
}

// cryptKey seals auth states in both hubs.
const cryptKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// house is a hub without systemd.
type house struct {
	t       *testing.T
	store   *store.Store
	manager *spawner.Manager
	porter  *auth.Porter
	hall    *httpd.Hall
	url     string // of the token API
	browser string // where the proxy knocks
	seen    *visitors
	now     func() time.Time
}

// plan says what a house is like.
type plan struct {
	machine spawner.Spawner
	table   spawner.Router
	now     func() time.Time
	probe   spawner.Probe
	site    site // services, roles and scopes beside those that every house has
	users   []string
	doors   *authtest.Double // who can log in; nil for nobody
	log     io.Writer        // where the hall logs to; nil for nowhere
	hosts   hosts.Hosts      // of users and services
}

// newHouse opens a hub whose servers run on the given machine and whose routes go into the given table.
func newHouse(t *testing.T, machine spawner.Spawner, table spawner.Router, now func() time.Time, probe spawner.Probe) *house {
	t.Helper()
	return openHouse(t, plan{machine: machine, table: table, now: now, probe: probe, site: site{Roles: []siteRole{{Role: cullerRole}}}, users: []string{"admin", "alice", "bob", "mallory"}})
}

var cullerRole = rbac.Role{Name: "culler", Scopes: []string{"list:users", "read:users:activity", "read:servers", "delete:servers", "delete:users"}}

// openHouse opens a hub.
func openHouse(t *testing.T, p plan) *house {
	t.Helper()
	h := &house{t: t, seen: new(visitors), now: p.now}
	keys, err := crypt.Parse(cryptKey)
	if err != nil {
		t.Fatal(err)
	}
	if h.store, err = store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{Now: p.now, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	tokens, browsers := listen(t), listen(t)
	h.url, h.browser = "http://"+tokens.Addr().String(), "http://"+browsers.Addr().String()
	policy := spawner.DefaultPolicy()
	policy.AllowNamedServers = true
	h.manager = spawner.New(spawner.Options{
		Store: h.store, Spawner: p.machine, Router: p.table, Probe: p.probe, Policy: policy, Log: zerolog.Nop(), Now: p.now,
		URLs: spawner.URLs{Base: "/", Hub: h.browser, API: h.url, Public: p.hosts.Hub(), Hosts: p.hosts},
	})
	h.furnish(p)
	h.live(func(ctx context.Context) error { return h.store.Run(ctx) })
	h.live(func(ctx context.Context) error { return h.manager.Run(ctx) })
	h.live(func(ctx context.Context) error {
		return h.hall.Serve(ctx, tokens, h.seen.note(h.hall.API()), httpd.Limits{})
	})
	h.live(func(ctx context.Context) error { return h.hall.Serve(ctx, browsers, h.hall.Browser(), httpd.Limits{}) })
	return h
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// furnish makes the rooms and the cast.
func (h *house) furnish(p plan) {
	h.t.Helper()
	policy, err := p.site.policy()
	if err != nil {
		h.t.Fatal(err)
	}
	o := auth.Options{Store: h.store, Momentary: h.manager.Momentary, Rules: auth.Rules{Policy: policy, KeepAuthState: true}, BaseURL: "/", Hosts: p.hosts, PublicURL: p.hosts.Hub()}
	if p.doors != nil {
		o.Authenticator = p.doors
	}
	if h.porter, err = auth.New(o); err != nil {
		h.t.Fatal(err)
	}
	rest := api.New(api.Options{Store: h.store, Workshop: h.manager, Proxy: p.table, Policy: h.porter.Policy, Daemon: nobody{}, Doorman: h.porter, BaseURL: "/", Hosts: p.hosts, PublicOrigin: p.hosts.Hub(),
		SlowSpawn: 5 * time.Second, SlowStop: 30 * time.Second, NamedServers: true})
	pages, err := web.New(web.Options{Store: h.store, Porter: h.porter, Workshop: h.manager, Directory: rest, BaseURL: "/", Hosts: p.hosts, RedirectToServer: true, NamedServers: true})
	if err != nil {
		h.t.Fatal(err)
	}
	provider := oauth.New(oauth.Options{Store: h.store, Policy: h.porter.Policy, Pages: pages})
	log := zerolog.Nop()
	if p.log != nil {
		log = zerolog.New(p.log)
	}
	measured := prometheus.NewRegistry()
	h.hall, err = httpd.New(httpd.Options{BaseURL: "/", Porter: h.porter, Pages: pages, Log: log, Metrics: measured, Gatherer: measured,
		API: append(rest.Routes(), provider.API()...), Browser: append(pages.Routes(), provider.Pages()...)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.update(func(tx *store.Tx) error {
		for _, name := range p.users {
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Admin: name == "admin"}); err != nil {
				return err
			}
		}
		return p.site.move(tx)
	})
}

// live runs a part of the house until the test ends, the last one first.
func (h *house) live(part func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(h.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	h.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("a part of the house ended with %v", err)
		}
	})
}

func (h *house) update(f func(*store.Tx) error) {
	h.t.Helper()
	if err := h.store.Update(f); err != nil {
		h.t.Fatal(err)
	}
}

// token makes a token of a user's or, with "service/", of a service's.
func (h *house) token(owner string, scopes ...string) (value string) {
	h.t.Helper()
	who := hub.Owner{Kind: hub.OwnerUser, Name: owner}
	if name, ok := strings.CutPrefix(owner, "service/"); ok {
		who = hub.Owner{Kind: hub.OwnerService, Name: name}
	}
	h.update(func(tx *store.Tx) (err error) {
		value, _, err = tx.NewToken(hub.Token{Owner: who, Scopes: scopes})
		return err
	})
	return value
}

// start starts a server and waits until it is ready.
func (h *house) start(ref hub.ServerRef) hub.Live {
	h.t.Helper()
	_, err := h.manager.Start(h.t.Context(), ref, "", nil)
	var live hub.Live
	if err == nil {
		live, err = h.manager.Wait(h.t.Context(), ref)
	}
	if err != nil || !live.State.Ready() {
		h.t.Fatalf("%s is %s: %v", ref, live.State, err)
	}
	return live
}

// visitors remembers what was asked at a door, and lets a test wait for it.
type visitors struct {
	mu    sync.Mutex // guards the rest
	lines []string   // "GET /hub/api 200"
	more  chan struct{}
}

func (v *visitors) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &witness{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.lines = append(v.lines, r.Method+" "+r.URL.Path+" "+http.StatusText(seen.status))
		if v.more != nil {
			close(v.more)
			v.more = nil
		}
	})
}

// await returns when something was asked for.
func (v *visitors) await(ctx context.Context, line string) error {
	for {
		v.mu.Lock()
		for _, l := range v.lines {
			if l == line {
				v.mu.Unlock()
				return nil
			}
		}
		if v.more == nil {
			v.more = make(chan struct{})
		}
		more, all := v.more, strings.Join(v.lines, "\n")
		v.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return errors.New("nobody asked for " + line + ", but:\n" + all)
		}
	}
}

type witness struct {
	http.ResponseWriter
	status int
}

func (w *witness) WriteHeader(status int) { w.status = status; w.ResponseWriter.WriteHeader(status) }

func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// nobody is a daemon that is asked for nothing here.
type nobody struct{}

func (nobody) Reload(context.Context, bool) ([]string, error) { return nil, nil }
func (nobody) Resync(context.Context) error                   { return nil }
func (nobody) Shutdown(*bool)                                 {}
