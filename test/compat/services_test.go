package compat

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jupyterhubd/hub"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/spawner/spawnertest"
	"jupyterhubd/hub/store"
	"jupyterhubd/proxy"
	proxyclient "jupyterhubd/proxy/client"
)

// square is a town of services: one asks people whether it may know them, the other does not.
func square(t *testing.T) *town {
	t.Helper()
	apiDoor, front := listen(t), listen(t)
	return squareAt(t, "http://"+front.Addr().String(), hosts.Hosts{}, apiDoor, front)
}

// squareAt is a square whose hub is at an address, where all have hosts of their own below it or none has.
func squareAt(t *testing.T, address string, all hosts.Hosts, apiDoor, front net.Listener) *town {
	t.Helper()
	p, err := proxy.New(proxy.Options{APIToken: "between-hub-and-proxy", HostRouting: all.Apart(), HubOrigin: all.Hub()})
	if err != nil {
		t.Fatal(err)
	}
	w := &town{front: address, hosts: all}
	if all.Apart() {
		w.door = front.Addr().String()
	}
	table := proxyclient.New("http://"+apiDoor.Addr().String(), "between-hub-and-proxy")
	table.OfHub(all.Hub())
	w.house = openHouse(t, plan{
		machine: spawnertest.NewFake(), table: table, now: time.Now, probe: answersAtOnce, hosts: all,
		users: []string{"admin", "alice", "bob", "mallory"},
		site: site{
			Services: []siteService{
				{Name: "tornado", Token: "token-of-the-tornado-service", RedirectURI: all.Service("tornado") + "/services/tornado/oauth_callback"},
				{Name: "flask", Token: "token-of-the-flask-service", RedirectURI: all.Service("flask") + "/services/flask/oauth_callback", NoConfirm: true},
			},
			Roles: []siteRole{{Role: rbac.Role{Name: rbac.RoleUser, Scopes: []string{"self", "access:services"}}}},
		},
	})
	w.live(func(ctx context.Context) error { return p.ServeAPI(ctx, apiDoor) })
	w.live(func(ctx context.Context) error { return p.Serve(ctx, front) })
	w.awaitRoute()
	return w
}

// open starts a service, as whoever runs it would, and lets the proxy lead to it.
func (w *town) open(name, script string) {
	w.t.Helper()
	program := needs(w.t, "services-6.1.1", "python")
	said := new(spoken)
	cmd := exec.Command(program, filepath.Join("testdata", script))
	cmd.Stderr = said
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "JUPYTERHUB_API_TOKEN=token-of-the-" + name + "-service", "JUPYTERHUB_API_URL=" + w.url + "/hub/api",
		"JUPYTERHUB_BASE_URL=/", "JUPYTERHUB_HOST=" + w.hosts.Hub(), "JUPYTERHUB_SERVICE_NAME=" + name, "JUPYTERHUB_SERVICE_PREFIX=/services/" + name + "/",
		"JUPYTERHUB_CLIENT_ID=service-" + name, "JUPYTERHUB_OAUTH_CALLBACK_URL=" + w.hosts.Service(name) + "/services/" + name + "/oauth_callback",
		`JUPYTERHUB_OAUTH_ACCESS_SCOPES=["access:services", "access:services!service=` + name + `"]`,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s says:\n%s", script, said)
		}
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "port ")
	if !ok {
		w.t.Fatalf("%s says %q\n%s", script, line, said)
	}
	w.update(func(tx *store.Tx) error {
		s, err := tx.Service(name)
		s.URL = "http://127.0.0.1:" + port
		if err == nil {
			err = tx.PutService(s)
		}
		return err
	})
	if err := w.manager.CheckRoutes(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// visit follows a browser to where it ends: status, path and page.
func (w *town) visit(c *http.Client, method, at string, form url.Values) (int, *url.URL, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, at, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	got, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	page, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.StatusCode, got.Request.URL, string(page)
}

// consent is what the form of the page sends that asks whether a service may know somebody.
func consent(page string) url.Values {
	form := url.Values{}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return form
	}
	for n := range root.Descendants() {
		if name := attribute(n, "name"); n.Data == "input" && name != "" {
			form.Add(name, attribute(n, "value"))
		}
	}
	return form
}

// greets checks that a service knows who came.
func greets(t *testing.T, status int, page, name, scope string) {
	t.Helper()
	var who struct {
		Kind, Name string
		Scopes     []string
	}
	if err := json.Unmarshal([]byte(page), &who); err != nil || status != http.StatusOK {
		t.Fatalf("%d %.300s", status, page)
	}
	if who.Kind != "user" || who.Name != name || !strings.Contains(strings.Join(who.Scopes, " "), scope) {
		t.Errorf("the service sees %+v", who)
	}
}

// A service of Tornado's: people come in by OAuth, with PKCE, after they were asked; programs come in with a token that may
// enter it; a logout at the hub ends the visit.
func TestTornadoService(t *testing.T) {
	w := square(t)
	w.open("tornado", "who_tornado.py")
	alice := w.login("alice")
	status, at, page := w.visit(alice, http.MethodGet, w.front+"/services/tornado/", nil)
	if status != http.StatusOK || at.Path != "/hub/api/oauth2/authorize" || at.Query().Get("code_challenge") == "" {
		t.Fatalf("alice is led to %s: %d %.300s", at, status, page)
	}
	status, at, page = w.visit(alice, http.MethodPost, at.String(), consent(page))
	if at.Path != "/services/tornado/" {
		t.Errorf("her consent leads to %s", at)
	}
	greets(t, status, page, "alice", "access:services!service=tornado")
	if _, at, _ = w.visit(alice, http.MethodGet, w.front+"/services/tornado/", nil); at.Path != "/services/tornado/" {
		t.Errorf("she is asked again: %s", at)
	}
	for name, want := range map[string]struct {
		token string
		in    bool
	}{
		"alice's":    {w.token("alice", "inherit"), true},
		"too little": {w.token("alice", "read:users:name!user=alice"), false},
		"none":       {"no-such-token", false},
	} {
		status, page := w.get(&http.Client{}, "/services/tornado/token", want.token)
		if in := status == http.StatusOK && strings.Contains(page, `"name": "alice"`); in != want.in {
			t.Errorf("token %s: %d %.300s", name, status, page)
		}
	}
	w.visit(alice, http.MethodGet, w.front+"/hub/logout", nil)
	if status, at, page = w.visit(alice, http.MethodGet, w.front+"/services/tornado/", nil); at.Path != "/hub/login" {
		t.Errorf("after a logout alice is at %s: %d %.300s", at, status, page)
	}
	w.nobodyIsLeft("service-tornado")
}

// nobodyIsLeft checks that a service's visitors have no token any more.
func (w *town) nobodyIsLeft(client string) {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) error {
		for _, t := range tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: "alice"}) {
			if t.Client == client {
				w.t.Errorf("alice has a token of %s still", client)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

// A service of Flask's that the admin trusts: nobody is asked, and HubOAuth is used by hand.
func TestFlaskService(t *testing.T) {
	w := square(t)
	w.open("flask", "who_flask.py")
	bob := w.login("bob")
	status, at, page := w.visit(bob, http.MethodGet, w.front+"/services/flask/", nil)
	if at.Path != "/services/flask/" {
		t.Errorf("bob is led to %s", at)
	}
	greets(t, status, page, "bob", "access:services!service=flask")
	status, page = w.get(&http.Client{}, "/services/flask/", w.token("alice", "inherit"))
	greets(t, status, page, "alice", "access:services")
	if status, at, _ = w.visit(&http.Client{}, http.MethodGet, w.front+"/services/flask/", nil); at.Path != "/hub/login" {
		t.Errorf("nobody is led to %s: %d", at, status)
	}
}

// Services at hosts of their own: one of Tornado's that asks, one of Flask's that is trusted.
//
// Vulnerability: hosts below the hub's are of its site, and what logs somebody in at one could be sent to another.
// Attack: alice visits both services; each is asked what cookies came with her.
// Verified: she is let in at the service's own host, and at no other; neither service is sent the hub's login, or what logs her in at the
// other; after the hub's logout she is out of both, whatever cookies of theirs she kept.
func TestServicesAtTheirHosts(t *testing.T) {
	apiDoor, front := listen(t), listen(t)
	_, port, err := net.SplitHostPort(front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	all, err := hosts.New("http://hub.test:"+port, hosts.IDNA)
	if err != nil {
		t.Fatal(err)
	}
	w := squareAt(t, all.Hub(), all, apiDoor, front)
	w.open("tornado", "who_tornado.py")
	w.open("flask", "who_flask.py")
	alice := w.login("alice")
	seen := w.watch(alice)

	tornado, flask := all.Service("tornado")+"/services/tornado/", all.Service("flask")+"/services/flask/"
	_, at, page := w.visit(alice, http.MethodGet, tornado, nil)
	if at.Host != strings.TrimPrefix(all.Hub(), "http://") || at.Path != "/hub/api/oauth2/authorize" {
		t.Fatalf("alice is led to %s", at)
	}
	status, at, page := w.visit(alice, http.MethodPost, at.String(), consent(page))
	if at.String() != tornado {
		t.Errorf("her consent leads to %s", at)
	}
	greets(t, status, page, "alice", "access:services!service=tornado")
	status, at, page = w.visit(alice, http.MethodGet, flask, nil)
	if at.String() != flask {
		t.Errorf("the trusted one is at %s", at)
	}
	greets(t, status, page, "alice", "access:services!service=flask")
	if _, at, _ := w.visit(alice, http.MethodGet, all.Hub()+"/services/flask/", nil); strings.HasPrefix(at.String(), all.Hub()+"/services/") {
		t.Errorf("the service answers at the hub's host: %s", at)
	}
	// "session" is Flask's; the hub's jupyterhub-session-id is for all of its hosts.
	home := map[string]string{"jupyterhub-hub-login": all.Hub(), "service-tornado": all.Service("tornado"), "service-flask": all.Service("flask"), "session": all.Service("flask")}
	for host, cookies := range seen.all() {
		for name := range cookies {
			for which, only := range home {
				if strings.HasPrefix(strings.TrimPrefix(name, "__Host-"), which) && "http://"+host != only {
					t.Errorf("%s is sent %s", host, name)
				}
			}
		}
	}

	w.visit(alice, http.MethodGet, all.Hub()+"/hub/logout", nil)
	for _, service := range []string{tornado, flask} {
		if status, at, page := w.visit(alice, http.MethodGet, service, nil); at.Path != "/hub/login" {
			t.Errorf("after a logout alice is at %s: %d %.300s", at, status, page)
		}
	}
	w.nobodyIsLeft("service-tornado")
	w.nobodyIsLeft("service-flask")
}

// sent is what cookies a browser sent to which hosts.
type sent struct {
	http.RoundTripper
	mu    sync.Mutex
	hosts map[string]map[string]bool // names of cookies by host
}

// watch notes what a browser sends from now on.
func (w *town) watch(c *http.Client) *sent {
	s := &sent{RoundTripper: c.Transport, hosts: map[string]map[string]bool{}}
	c.Transport = s
	return s
}

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	for _, c := range r.Cookies() {
		if s.hosts[r.URL.Host] == nil {
			s.hosts[r.URL.Host] = map[string]bool{}
		}
		s.hosts[r.URL.Host][c.Name] = true
	}
	s.mu.Unlock()
	return s.RoundTripper.RoundTrip(r)
}

func (s *sent) all() map[string]map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.hosts)
}
