package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/html"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// today is when all tests happen.
var today = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

// world is a hub with the real store, porter and hall around the room, and doubles of what is behind doors.
type world struct {
	t         *testing.T
	store     *store.Store
	workshop  *workshop
	directory *directory
	porter    *auth.Porter
	doors     *authtest.Double
	url       string
	hall      http.Handler
}

// roles are what an admin configured beside the default ones.
var roles = []rbac.Role{
	{Name: "warden", Scopes: []string{"admin-ui", "list:users"}},
	{Name: "clerk", Scopes: []string{"admin-ui", "list:users", "admin:groups"}},
	{Name: "mentor", Scopes: []string{"admin-ui", "groups!group=staff"}},
	{Name: "sharer", Scopes: []string{"shares!user"}},
	{Name: "teacher", Scopes: []string{"shares!user", "read:users:name", "read:groups:name"}},
}

func newWorld(t *testing.T, change func(*web.Options), porters ...func(*auth.Options)) *world {
	t.Helper()
	w := &world{t: t, workshop: newWorkshop(), directory: &directory{}, doors: authtest.NewDouble()}
	now := func() time.Time { return today }
	var err error
	w.store, err = store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{Now: now})
	w.must(err)
	t.Cleanup(func() {
		w.must(w.store.Check())
		w.must(w.store.Close())
	})
	policy, err := rbac.New(roles, nil)
	w.must(err)
	po := auth.Options{Store: w.store, Rules: auth.Rules{Policy: policy, AdminGroups: []string{"sudo"}}, Authenticator: door{w.doors}, Changer: w.doors.Changer(), BaseURL: "/", Now: now}
	for _, f := range porters {
		f(&po)
	}
	porter, err := auth.New(po)
	w.must(err)
	o := web.Options{Store: w.store, Porter: porter, Workshop: w.workshop, Directory: w.directory, RedirectToServer: true, NamedServers: true, PageSize: 3, Now: now}
	if change != nil {
		change(&o)
	}
	w.porter = porter
	room, err := web.New(o)
	w.must(err)
	hall, err := httpd.New(httpd.Options{BaseURL: "/", Porter: porter, Pages: room, Browser: room.Routes(), Log: zerolog.Nop(), Now: now})
	w.must(err)
	w.hall = hall.Browser()
	srv := httptest.NewServer(w.hall)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// door refuses one name for being too hasty, and leaves the others to the double.
type door struct{ *authtest.Double }

func (d door) Begin(ctx context.Context, user, host string) (auth.Conversation, hub.Step, error) {
	if user == "hasty" {
		return nil, hub.Step{}, &hub.Error{Kind: hub.TooMany, Text: "Too many attempts. Please try again in 2 seconds.", RetryAfter: 1500 * time.Millisecond}
	}
	return d.Double.Begin(ctx, user, host)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// browser is one person's, with cookies; it follows no redirect.
type browser struct {
	*world
	http.Client
	header http.Header
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	b := &browser{world: w, header: http.Header{"X-Forwarded-For": {"127.0.0.1"}, "Accept": {"text/html"}}}
	b.Jar, b.CheckRedirect = jar, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// as returns a browser in which somebody is logged in.
func (w *world) as(name, password string) *browser {
	w.t.Helper()
	b := w.browser()
	if p := b.login(name, password); p.status != http.StatusFound {
		w.t.Fatalf("%s cannot log in: %d %s", name, p.status, p.body)
	}
	return b
}

func (w *world) alice() *browser { return w.as("alice", "correct horse") }
func (w *world) admin() *browser { return w.as("admin", "hunter2 and more") }

// page is an answer.
type page struct {
	t        *testing.T
	status   int
	header   http.Header
	location string
	body     string
	root     *html.Node
}

func (b *browser) do(r *http.Request, err error) *page {
	b.t.Helper()
	b.must(err)
	for k, v := range b.header {
		if _, said := r.Header[k]; !said {
			r.Header[k] = v
		}
	}
	res, err := b.Do(r)
	b.must(err)
	defer res.Body.Close()
	var text strings.Builder
	_, err = copyAll(&text, res)
	b.must(err)
	p := &page{t: b.t, status: res.StatusCode, header: res.Header, location: res.Header.Get("Location"), body: text.String()}
	p.root, err = html.Parse(strings.NewReader(p.body))
	b.must(err)
	return p
}

func (b *browser) get(path string) *page {
	b.t.Helper()
	return b.do(http.NewRequestWithContext(b.t.Context(), "GET", b.url+path, nil))
}

func (b *browser) post(path string, form url.Values) *page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.url+path, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(r, err)
}

// submit fills in the form of a page that has a button or field of that id, as a person does, and sends it.
func (b *browser) submit(at *page, id string, fill url.Values) *page {
	b.t.Helper()
	for _, f := range at.all("form") {
		if !has(f, id) {
			continue
		}
		values := formValues(f, id)
		for k, v := range fill {
			values[k] = v
		}
		action := attr(f, "action")
		if action == "" {
			b.t.Fatalf("the form of #%s posts to nowhere that the test knows", id)
		}
		return b.post(action, values)
	}
	b.t.Fatalf("no form has #%s: %s", id, at.body)
	return nil
}

func (b *browser) login(name, password string) *page {
	b.t.Helper()
	return b.submit(b.get("/hub/login"), "login_submit", url.Values{"username": {name}, "password": {password}})
}

// workshop is a double that does at once what it is asked.
type workshop struct {
	mu      sync.Mutex
	servers map[hub.ServerRef]hub.Live
	hosts   hosts.Hosts
	refuse  error     // what Start says
	becomes hub.State // of a server that is started
	failure *hub.Cause
	started []string // "alice/gpu profile options"
}

func newWorkshop() *workshop {
	return &workshop{servers: map[hub.ServerRef]hub.Live{}, becomes: hub.Running}
}

func (w *workshop) put(user, name string, state hub.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref := hub.ServerRef{User: user, Server: name}
	live := hub.Live{Server: hub.Server{ServerRef: ref, Created: today}, State: state, URL: w.hosts.User(user) + "/user/" + url.PathEscape(user) + "/"}
	if name != "" {
		live.URL += url.PathEscape(name) + "/"
	}
	if state.Active() {
		live.Started, live.LastActivity = today.Add(-time.Hour), today.Add(-time.Minute)
	}
	if state == hub.Failed {
		live.Failure = w.failure
	}
	w.servers[ref] = live
}

func (w *workshop) Server(ref hub.ServerRef) (hub.Live, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	live, ok := w.servers[ref]
	if !ok && ref.Server != "" {
		return hub.Live{}, hub.Errorf(hub.NotFound, "No such server")
	}
	if !ok {
		live = hub.Live{Server: hub.Server{ServerRef: ref}, State: hub.Stopped, URL: w.hosts.User(ref.User) + "/user/" + url.PathEscape(ref.User) + "/"}
	}
	return live, nil
}

func (w *workshop) Servers(user string) (lives []hub.Live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, live := range w.servers {
		if ref.User == user {
			lives = append(lives, live)
		}
	}
	return lives
}

func (w *workshop) Active() (lives []hub.Live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, live := range w.servers {
		if live.State.Active() {
			lives = append(lives, live)
		}
	}
	return lives
}

func (w *workshop) Create(ref hub.ServerRef, display string) (hub.Live, error) {
	w.put(ref.User, ref.Server, hub.Stopped)
	w.started = append(w.started, "create "+ref.String()+" "+display)
	return w.Server(ref)
}

func (w *workshop) Start(_ context.Context, ref hub.ServerRef, profile string, options json.RawMessage) (hub.Live, error) {
	if w.refuse != nil {
		return hub.Live{}, w.refuse
	}
	w.put(ref.User, ref.Server, w.becomes)
	w.started = append(w.started, strings.TrimSpace(ref.String()+" "+profile+" "+string(options)))
	return w.Server(ref)
}

func (w *workshop) Wait(_ context.Context, ref hub.ServerRef) (hub.Live, error) {
	live, err := w.Server(ref)
	if err == nil && live.State == hub.Failed {
		err = &hub.Error{Kind: hub.Unavailable, Text: live.Failure.Message, Cause: live.Failure}
	}
	return live, err
}

func (w *workshop) Stop(_ context.Context, ref hub.ServerRef) (hub.Live, error) {
	w.put(ref.User, ref.Server, hub.Stopped)
	return w.Server(ref)
}

func (w *workshop) Remove(_ context.Context, ref hub.ServerRef) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.servers, ref)
	return nil
}

func (w *workshop) StopAll(ctx context.Context) (n int, err error) {
	for ref, live := range w.servers {
		if live.State.Active() {
			n++
			_, err = w.Stop(ctx, ref)
		}
	}
	return n, err
}

func (w *workshop) Usage(context.Context) (map[hub.ServerRef]hub.Unit, error) {
	used := map[hub.ServerRef]hub.Unit{}
	for ref, live := range w.servers {
		if live.State.Ready() {
			used[ref] = hub.Unit{ServerRef: ref, Memory: 300 << 20, CPU: 12_340_000_000, Tasks: 40, Used: &hub.Usage{IORead: 12 << 20, IOWritten: 3 << 10}}
		}
	}
	return used, nil
}

// addUser puts somebody into the store who never logged in.
func (w *world) addUser(names ...string) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		for _, name := range names {
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Created: today}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// addGroups puts groups into the store, whose members were added before or are the cast.
func (w *world) addGroups(groups ...hub.Group) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		for _, g := range groups {
			for _, name := range g.Users {
				if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Created: today}); err != nil && hub.KindOf(err) != hub.Conflict {
					return err
				}
			}
			if _, err := tx.PutGroup(g); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (p *page) want(status int, texts ...string) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Errorf("status %d, want %d: %s", p.status, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.text(), text) {
			p.t.Errorf("the page does not say %q: %s", text, p.text())
		}
	}
	return p
}

func (p *page) wantLocation(status int, to string) *page {
	p.t.Helper()
	if p.status != status || p.location != to {
		p.t.Errorf("%d to %q, want %d to %q: %s", p.status, p.location, status, to, p.body)
	}
	return p
}

// ids returns the ids of a page's elements, sorted.
func (p *page) ids() (ids []string) {
	for _, n := range p.all("*") {
		if id := attr(n, "id"); id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
