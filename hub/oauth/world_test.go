package oauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// world is a hub in which alice's server, bob's server and the service wiki are OAuth clients.
type world struct {
	t       testing.TB
	store   *store.Store
	porter  *auth.Porter
	door    http.Handler
	tokens  http.Handler
	now     time.Time
	asked   []string // scopes of the last confirm page
	lines   []rbac.Description
	browser map[string]string // user -> cookies
}

const (
	secret   = "0123456789abcdef0123456789abcdef"
	verifier = "a-verifier-of-at-least-forty-three-characters-0123456789"
)

func newWorld(t testing.TB, change ...func(*oauth.Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), browser: map[string]string{}}
	clock := func() time.Time { return w.now }
	var err error
	if w.store, err = store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Check(); err != nil {
			t.Error(err)
		}
		w.store.Close()
	})
	policy, err := rbac.New([]rbac.Role{{Name: "reader", Scopes: []string{"list:users", "read:services"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w.porter, err = auth.New(auth.Options{Store: w.store, Rules: auth.Rules{Policy: policy}, BaseURL: "/", Now: clock}); err != nil {
		t.Fatal(err)
	}
	o := oauth.Options{Store: w.store, Policy: w.porter.Policy, Pages: w, Now: clock}
	for _, f := range change {
		f(&o)
	}
	room := oauth.New(o)
	user := []auth.Route{{Method: "GET", Pattern: "/hub/api/user", Scopes: []string{auth.Authenticated}, Handle: func(rw http.ResponseWriter, r *http.Request) error {
		return json.NewEncoder(rw).Encode(auth.FromContext(r.Context()).Scopes.List())
	}}}
	hall, err := httpd.New(httpd.Options{BaseURL: "/", Porter: w.porter, Pages: w, API: append(room.API(), user...), Browser: room.Pages(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	w.door, w.tokens = hall.Browser(), hall.API()
	w.furnish()
	return w
}

// furnish makes users, servers, the service and their clients.
func (w *world) furnish() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"admin", "alice", "bob", "mallory"} {
			u := hub.User{Name: name, UID: hub.NoUID, Admin: name == "admin"}
			if name == "bob" {
				u.Roles = []string{"wiki-users"}
			}
			if _, err := tx.PutUser(u); err != nil {
				return err
			}
		}
		for _, name := range []string{"alice", "bob"} {
			ref := hub.ServerRef{User: name}
			if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
				return err
			}
			c := hub.Client{ID: "jupyterhub-user-" + name, Server: ref, RedirectURI: "/user/" + name + "/oauth_callback", Description: "Server at /user/" + name + "/"}
			if err := tx.PutClient(c, secret); err != nil {
				return err
			}
		}
		if err := tx.PutService(hub.Service{Name: "wiki", URL: "http://127.0.0.1:9000"}); err != nil {
			return err
		}
		return tx.PutClient(hub.Client{
			ID: "service-wiki", Service: "wiki", RedirectURI: "https://wiki.example/cb?tenant=1", Description: "The wiki",
			AllowedScopes: []string{"list:users", "read:users!user", "servers!user"},
		}, secret)
	})
	for _, name := range []string{"admin", "alice", "bob", "mallory"} {
		w.login(name)
	}
}

func (w *world) update(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(f); err != nil {
		w.t.Fatal(err)
	}
}

// login opens a browser for a user.
func (w *world) login(user string) (session string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		cookie, s, err := tx.NewSession(hub.Session{User: user, Expires: w.now.Add(time.Hour)})
		session = s.ID
		w.browser[user] = "jupyterhub-hub-login=" + cookie + "; jupyterhub-session-id=" + s.ID
		return err
	})
	return session
}

func (w *world) RenderConfirm(rw http.ResponseWriter, _ *http.Request, c hub.Client, lines []rbac.Description, scopes []string) error {
	w.asked, w.lines = scopes, lines
	_, err := io.WriteString(rw, "may "+c.Description+"?")
	return err
}

func (w *world) RenderError(rw http.ResponseWriter, _ *http.Request, status int, err error) {
	rw.WriteHeader(status)
	io.WriteString(rw, "page: "+hub.TextOf(err))
}

// authorize is what a browser does that a client sent here.
func (w *world) authorize(user string, params url.Values) *httptest.ResponseRecorder {
	return w.visit(user, httptest.NewRequest("GET", "/hub/api/oauth2/authorize?"+params.Encode(), nil))
}

func (w *world) visit(user string, r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Cookie", w.browser[user])
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	return rec
}

// confirm presses the button of the page, with the XSRF token that the page has.
func (w *world) confirm(user string, params url.Values, scopes []string) *httptest.ResponseRecorder {
	var token string
	r := httptest.NewRequest("GET", "/hub/home", nil)
	r.Header.Set("Cookie", w.browser[user])
	w.porter.Browser(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { token = w.porter.XSRF(rw, r, true) })).ServeHTTP(httptest.NewRecorder(), r)
	form := url.Values{"scopes": scopes, "_xsrf": {token}}
	post := httptest.NewRequest("POST", "/hub/api/oauth2/authorize?"+params.Encode(), strings.NewReader(form.Encode()))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.browser[user], _, _ = strings.Cut(w.browser[user], "; _xsrf=")
	w.browser[user] += "; _xsrf=" + token
	return w.visit(user, post)
}

func server(user string, more ...string) url.Values {
	return with(url.Values{"client_id": {"jupyterhub-user-" + user}, "redirect_uri": {"/user/" + user + "/oauth_callback"}, "response_type": {"code"}, "state": {"opaque /+ü"}}, more...)
}

func wiki(more ...string) url.Values {
	return with(url.Values{"client_id": {"service-wiki"}, "response_type": {"code"}, "state": {"s"}}, more...)
}

// with sets parameters; one that is set to "-" is taken out.
func with(v url.Values, more ...string) url.Values {
	for i := 0; i < len(more); i += 2 {
		if v.Set(more[i], more[i+1]); more[i+1] == "-" {
			v.Del(more[i])
		}
	}
	return v
}

// location returns where a browser is sent, and the parameters there.
func location(t testing.TB, rec *httptest.ResponseRecorder) (string, url.Values) {
	t.Helper()
	if rec.Code != http.StatusFound {
		t.Fatalf("status %d: %s, want a redirect", rec.Code, rec.Body)
	}
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	where, _, _ := strings.Cut(rec.Header().Get("Location"), "?")
	return where, u.Query()
}

// code authorizes and returns the code.
func (w *world) code(user string, params url.Values) string {
	w.t.Helper()
	_, got := location(w.t, w.authorize(user, params))
	if got.Get("code") == "" {
		w.t.Fatalf("no code in %v", got)
	}
	return got.Get("code")
}

// exchange is what a client's server sends.
func (w *world) exchange(code string, more ...string) (int, map[string]any) {
	w.t.Helper()
	form := with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"jupyterhub-user-alice"}, "client_secret": {secret},
		"redirect_uri": {"/user/alice/oauth_callback"},
	}, more...)
	r := httptest.NewRequest("POST", "/hub/api/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "token "+secret) // single-user servers send it along
	rec := httptest.NewRecorder()
	w.tokens.ServeHTTP(rec, r)
	if rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("Pragma") != "no-cache" || rec.Header().Get("Content-Type") != "application/json" {
		w.t.Errorf("headers %v", rec.Header())
	}
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		w.t.Fatalf("%s: %v", rec.Body, err)
	}
	return rec.Code, body
}
