package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/crypt"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// house is a porter with a real store, a login door that tests furnish, and a few rooms.
type house struct {
	*Porter
	t     *testing.T
	store *store.Store
	door  *loginDoor
	proxy *proxyDouble
	rooms http.Handler

	closed bool // the test closes the store itself
}

// newHouse builds one whose time is the clock's; nil for the real time, which in a synctest bubble is the bubble's.
func newHouse(t *testing.T, c *clock, change ...func(*Options)) *house {
	t.Helper()
	now := time.Now
	if c != nil {
		now = c.now
	}
	keys, err := crypt.Parse(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "jupyterhub.db"), store.Options{Now: now, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: s, door: newLoginDoor(), proxy: new(proxyDouble)}
	t.Cleanup(func() {
		if err := s.Check(); err != nil && !h.closed {
			t.Errorf("the store is not sound: %v", err)
		}
		s.Close()
	})
	policy, err := rbac.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Store: s, Rules: Rules{Policy: policy, AdminGroups: []string{"sudo"}}, Authenticator: h.door, Changer: passwdDoor{h.door},
		Sessions: h.proxy, BaseURL: "/", Now: now}
	for _, f := range change {
		f(&o)
	}
	if h.Porter, err = New(o); err != nil {
		t.Fatal(err)
	}
	h.rooms = h.Browser(h.mux())
	return h
}

// mux has a row of each style. It answers with who asked.
func (h *house) mux() http.Handler {
	whoami := func(w http.ResponseWriter, r *http.Request) error {
		a := FromContext(r.Context())
		_, err := w.Write([]byte(a.Owner.Name))
		return err
	}
	user := func(r *http.Request) rbac.Resource { return rbac.UserResource(r.PathValue("user")) }
	rows := []Route{
		{Pattern: "/hub/api/user", Scopes: []string{Authenticated}, Handle: whoami},
		{Pattern: "/hub/api/users/{user}", Scopes: []string{"read:users"}, Resource: user, Handle: whoami},
		{Pattern: "/hub/api/users", Method: "POST", Scopes: []string{"admin:users"}, Handle: whoami},
		{Pattern: "/hub/api/oauth2/token", Method: "POST", Public: true, Handle: whoami},
		{Pattern: "/hub/home", Scopes: []string{Authenticated}, Style: Page, Handle: whoami},
		{Pattern: "/hub/metrics", Scopes: []string{"read:metrics"}, Style: Mixed, Handle: whoami},
		{Pattern: "/hub/user/{user}", Scopes: []string{Authenticated}, Style: Mixed, Handle: whoami},
		{Method: "GET", Pattern: "/hub/login", Public: true, Style: Page, Handle: h.showLogin},
		{Method: "POST", Pattern: "/hub/login", Public: true, Style: Page, NoXSRF: true, Handle: h.login},
		{Method: "GET", Pattern: "/hub/logout", Public: true, Style: Page, Changes: true, Handle: h.Logout},
		{Method: "GET", Pattern: "/user/{rest...}", Public: true, Style: Page, Everywhere: true, Handle: whoami},
	}
	mux := http.NewServeMux()
	for _, row := range rows {
		guarded := h.Guard(row)
		mux.HandleFunc(strings.TrimSpace(row.Method+" "+row.Pattern), func(w http.ResponseWriter, r *http.Request) {
			if err := guarded(w, r); err != nil {
				w.Header().Set("X-Kind", hub.KindOf(err).String())
				http.Error(w, err.Error(), http.StatusForbidden)
			}
		})
	}
	return mux
}

// showLogin and login stand in for the web room's form.
func (h *house) showLogin(w http.ResponseWriter, r *http.Request) error {
	_, err := w.Write([]byte(h.XSRF(w, r, true)))
	return err
}

func (h *house) login(w http.ResponseWriter, r *http.Request) error {
	a := Attempt{Username: r.PostFormValue("username"), Conversation: r.PostFormValue("conversation"), Answers: r.PostForm["answer"]}
	if r.PostForm.Has("password") {
		a.Typed = []string{r.PostFormValue("password")}
	}
	step, err := h.Login(w, r, a)
	if err != nil {
		return err
	}
	if step.User != nil {
		http.Redirect(w, r, h.Next(r, "/hub/home"), http.StatusFound)
		return nil
	}
	w.Header().Set("X-Conversation", step.Conversation)
	w.Header().Set("X-Messages", strings.Join(step.Messages, " "))
	for _, p := range step.Prompts {
		if _, err := w.Write([]byte(p.Text)); err != nil {
			return err
		}
	}
	return nil
}

// update changes the store.
func (h *house) update(fn func(tx *store.Tx) error) {
	h.t.Helper()
	if err := h.store.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

// user makes a hub user.
func (h *house) user(u hub.User) {
	h.t.Helper()
	h.update(func(tx *store.Tx) error { _, err := tx.PutUser(u); return err })
}

// token makes a plain token of a user.
func (h *house) token(user string, scopes ...string) (value string) {
	h.t.Helper()
	h.update(func(tx *store.Tx) (err error) {
		value, _, err = tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Scopes: scopes})
		return err
	})
	return value
}

// look reads a user as they are now.
func (h *house) look(name string) (u hub.User) {
	h.t.Helper()
	err := h.store.View(func(tx *store.Tx) (err error) { u, err = tx.User(name); return err })
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// browser is a person's browser: it keeps cookies by path, and says what browsers say.
type browser struct {
	h       *house
	address string
	cookies map[string]*http.Cookie // by path and name
	origin  string                  // where addresses are that begin with a slash; "": anywhere
}

func (h *house) browser(address string) *browser {
	return &browser{h, address, make(map[string]*http.Cookie), h.o.Hosts.Hub()}
}

// send makes a request; header holds pairs.
func (b *browser) send(method, target string, form url.Values, header ...string) *http.Response {
	b.h.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.origin + target
	}
	r := httptest.NewRequestWithContext(b.h.t.Context(), method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("X-Forwarded-For", b.address)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("User-Agent", "Mosaic")
	for _, c := range b.cookies {
		if strings.HasPrefix(r.URL.Path, c.Path) {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.h.rooms.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Path+" "+c.Name)
		} else {
			b.cookies[c.Path+" "+c.Name] = c
		}
	}
	return w.Result()
}

func (b *browser) get(target string, header ...string) *http.Response {
	return b.send("GET", target, nil, header...)
}

// login fills the form in.
func (b *browser) login(name, password string) *http.Response {
	b.h.t.Helper()
	xsrf := body(b.get("/hub/login"))
	return b.send("POST", "/hub/login", url.Values{"username": {name}, "password": {password}, "_xsrf": {xsrf}})
}

// answer goes on with a conversation.
func (b *browser) answer(res *http.Response, answers ...string) *http.Response {
	b.h.t.Helper()
	xsrf := body(b.get("/hub/login"))
	return b.send("POST", "/hub/login", url.Values{"conversation": {res.Header.Get("X-Conversation")}, "answer": answers, "_xsrf": {xsrf}})
}

// xsrf returns the value of the hub's own cookie.
func (b *browser) xsrf() string {
	if c := b.cookies["/hub/ _xsrf"]; c != nil {
		return c.Value
	}
	return ""
}

func body(res *http.Response) string {
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return strings.TrimSpace(b.String())
		}
	}
}

// wantLogin fails unless a login went well.
func wantLogin(t *testing.T, res *http.Response) {
	t.Helper()
	if res.StatusCode != http.StatusFound {
		t.Fatalf("login: %d %s: %s", res.StatusCode, res.Header.Get("X-Kind"), body(res))
	}
}

// wantKind fails unless a request was refused with a kind.
func wantKind(t *testing.T, res *http.Response, kind hub.Kind) {
	t.Helper()
	if got := res.Header.Get("X-Kind"); got != kind.String() {
		t.Fatalf("got %d %q %s, want %v", res.StatusCode, got, body(res), kind)
	}
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func noon() *clock { return &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// proxyDouble notes which sessions and tokens were ended.
type proxyDouble struct {
	mu     sync.Mutex // guards what follows
	ended  []string
	tokens []string
	err    error
}

func (p *proxyDouble) EndTokens(_ context.Context, names []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.tokens = append(p.tokens, names...)
	}
	return p.err
}

func (p *proxyDouble) AskAboutToken(ctx context.Context, name string, stay []string) error {
	return p.EndTokens(ctx, []string{name + " but at " + strings.Join(stay, " ")})
}

func (p *proxyDouble) EndSession(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, id)
	return p.err
}

func (p *proxyDouble) EndVisit(ctx context.Context, id, spec string, _ time.Time) error {
	return p.EndSession(ctx, id+" at "+spec)
}

func (p *proxyDouble) Evict(ctx context.Context, user string) error {
	return p.EndSession(ctx, "servers of "+user)
}

// seen returns what was ended so far, while the porter's loop may be ending more.
func (p *proxyDouble) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.ended...)
}
