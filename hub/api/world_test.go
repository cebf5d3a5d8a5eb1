package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// world is a hub with a real store, a real porter and a real hall, and with the cast: admin, alice, bob, mallory.
type world struct {
	t      testing.TB
	store  *store.Store
	shop   *workshop
	daemon *daemon
	porter *auth.Porter
	deeds  []httpd.Deed
	ended  []string // sessions that the proxy was told to end
	room   *api.Room
	door   http.Handler // the proxy's
	tokens http.Handler // 127.0.0.1:8081
	admin  http.Handler // admin.sock
}

func newWorld(t testing.TB, change ...func(*api.Options)) *world {
	t.Helper()
	return newWorldIn(t, filepath.Join(t.TempDir(), "hub.db"), strings.Repeat("k", 32), change...)
}

// newWorldIn is a world with a file that may be there, and with keys for auth states.
func newWorldIn(t testing.TB, path, keys string, change ...func(*api.Options)) *world {
	t.Helper()
	s, err := store.Open(path, store.Options{Keys: parseKeys(t, keys)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	policy, err := rbac.New([]rbac.Role{{Name: "teacher", Scopes: []string{"read:users!group=class", "list:users!group=class"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, shop: newWorkshop(s), daemon: new(daemon)}
	if w.porter, err = auth.New(auth.Options{Store: s, Rules: auth.Rules{Policy: policy}, Authenticator: authtest.NewDouble(), Sessions: w, BaseURL: "/"}); err != nil {
		t.Fatal(err)
	}
	o := api.Options{Store: s, Workshop: w.shop, Limiter: w.shop, Proxy: routes{}, Daemon: w.daemon, Doorman: w.porter, Policy: w.porter.Policy, BaseURL: "/", NamedServers: true, SlowSpawn: 50 * time.Millisecond, SlowStop: 50 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	w.room = api.New(o)
	hall, err := httpd.New(httpd.Options{BaseURL: "/", Porter: w.porter, Pages: noPages{}, API: w.room.Routes(), Log: zerolog.Nop(), Deeds: func(d httpd.Deed) { w.deeds = append(w.deeds, d) }})
	if err != nil {
		t.Fatal(err)
	}
	w.door, w.tokens, w.admin = hall.Browser(), hall.API(), hall.Admin()
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"admin", "alice", "bob", "mallory"} {
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Admin: name == "admin"}); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

// EndSession makes the world the proxy to whom ends of sessions are told.
func (w *world) EndSession(_ context.Context, id string) error {
	w.ended = append(w.ended, id)
	return nil
}

// EndVisit is told the same of one server.
func (w *world) EndVisit(_ context.Context, id, spec string, _ time.Time) error {
	w.ended = append(w.ended, id+" at "+spec)
	return nil
}

// EndTokens is told of tokens, which the porter's own tests look at.
func (w *world) EndTokens(context.Context, []string) error { return nil }

// AskAboutToken is likewise.
func (w *world) AskAboutToken(context.Context, string, []string) error { return nil }

func parseKeys(t testing.TB, text string) crypt.Keys {
	t.Helper()
	keys, err := crypt.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (w *world) update(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.View(f); err != nil {
		w.t.Fatal(err)
	}
}

// token makes a user's token with these scopes; none means all that the user has.
func (w *world) token(user string, scopes ...string) string {
	w.t.Helper()
	if len(scopes) == 0 {
		scopes = []string{rbac.Inherit}
	}
	return w.mint(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Scopes: scopes})
}

// service makes a service that holds these scopes, and its token.
func (w *world) service(name string, scopes ...string) string {
	w.t.Helper()
	w.update(func(tx *store.Tx) error { return tx.PutService(hub.Service{Name: name, Scopes: scopes}) })
	return w.mint(hub.Token{Owner: hub.Owner{Kind: hub.OwnerService, Name: name}, Scopes: []string{rbac.Inherit}})
}

func (w *world) mint(t hub.Token) (value string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) (err error) {
		value, _, err = tx.NewToken(t)
		return err
	})
	return value
}

// reply is an answer as a client reads it.
type reply struct {
	t      testing.TB
	status int
	head   http.Header
	body   string
}

// ask sends a request with a token ("" for nobody) through the proxy's door.
func (w *world) ask(token, method, path string, body ...string) reply {
	w.t.Helper()
	return w.at(w.door, token, method, path, body...)
}

func (w *world) at(door http.Handler, token, method, path string, body ...string) reply {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(strings.Join(body, "")))
	if token != "" {
		r.Header.Set("Authorization", "token "+token)
	}
	return w.send(door, r)
}

func (w *world) send(door http.Handler, r *http.Request) reply {
	w.t.Helper()
	rec := httptest.NewRecorder()
	door.ServeHTTP(rec, r)
	return reply{w.t, rec.Code, rec.Header(), rec.Body.String()}
}

// is checks a reply's status and that its body holds each of the texts.
func (r reply) is(status int, texts ...string) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Errorf("status %d, want %d: %s", r.status, status, r.body)
	}
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			r.t.Errorf("%s lacks %s", r.body, text)
		}
	}
	return r
}

// into decodes a reply's JSON.
func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		r.t.Fatalf("%s: %v", r.body, err)
	}
}

// object decodes a reply that is a JSON object.
func (r reply) object() (o map[string]any) {
	r.t.Helper()
	r.into(&o)
	return o
}

// daemon notes what it is asked for.
type daemon struct{ asked []string }

func (d *daemon) Reload(_ context.Context, check bool) ([]string, error) {
	if check {
		return nil, hub.Errorf(hub.Invalid, "jupyterhub.toml:3: spawner.mem_limt: unknown key\njupyterhub.toml:9: proxy: not a table")
	}
	return []string{"spawner.mem_limit is 2G now"}, nil
}

func (d *daemon) Resync(context.Context) error { d.asked = append(d.asked, "resync"); return nil }

func (d *daemon) Shutdown(servers *bool) {
	switch {
	case servers == nil:
		d.asked = append(d.asked, "shutdown")
	case *servers:
		d.asked = append(d.asked, "shutdown with servers")
	default:
		d.asked = append(d.asked, "shutdown without servers")
	}
}

// routes is a proxy that has two routes.
type routes struct{}

func (routes) Routes(context.Context) ([]hub.Route, error) {
	return []hub.Route{
		{Spec: "/user/alice/", Target: "http+unix://%2Frun%2Fjupyter%2Fx%2Fs", Server: hub.ServerRef{User: "alice"}},
		{Spec: "/", Target: "http+unix://%2Frun%2Fjupyterhub%2Fhub.sock", Hub: true},
	}, nil
}

type noPages struct{}

func (noPages) RenderError(w http.ResponseWriter, _ *http.Request, status int, err error) {
	w.WriteHeader(status)
	io.WriteString(w, "page: "+err.Error())
}

// page is the envelope of a list.
type page[T any] = client.Page[T]
