package api_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// session logs a user in and returns the cookies.
func (w *world) session(user string) (cookie, id string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		value, s, err := tx.NewSession(hub.Session{User: user, Expires: time.Now().Add(time.Hour)})
		cookie, id = value, s.ID
		return err
	})
	return cookie, id
}

// xsrf is what a page that the browser loads has in its forms.
func (w *world) xsrf(cookie, session string) (token string) {
	w.t.Helper()
	page := w.porter.Browser(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { token = w.porter.XSRF(rw, r, true) }))
	r := httptest.NewRequest("GET", "/hub/home", nil)
	r.Header.Set("Cookie", "jupyterhub-hub-login="+cookie+"; jupyterhub-session-id="+session)
	page.ServeHTTP(httptest.NewRecorder(), r)
	return token
}

func TestVersionIsForEverybody(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/hub/api", "/hub/api/"} {
		got := w.ask("", "GET", path).is(200, `"version":"6.1.1"`)
		if got.head.Get("Access-Control-Allow-Origin") != "*" || got.head.Get("X-JupyterHub-Version") != "6.1.1" || got.head.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", path, got.head)
		}
	}
	if got := w.ask(w.token("admin"), "GET", "/hub/api/info").is(200, `"spawner":`); got.head.Get("Access-Control-Allow-Origin") != "" {
		t.Error("only the version is for other origins")
	}
}

func TestShutdown(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	for _, body := range []string{``, `{"servers":true}`, `{"servers":false,"proxy":true}`} {
		w.ask(admin, "POST", "/hub/api/shutdown", body).is(202, `"message"`)
	}
	for _, body := range []string{`{"servers":1}`, `{"proxy":[]}`, `[]`} {
		w.ask(admin, "POST", "/hub/api/shutdown", body).is(400)
	}
	if want := []string{"shutdown", "shutdown with servers", "shutdown without servers"}; !slices.Equal(w.daemon.asked, want) {
		t.Errorf("asked for %q, want %q", w.daemon.asked, want)
	}
}

func TestProxyTable(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	w.ask(admin, "GET", "/hub/api/proxy").is(200, `"/":{"routespec":"/"`, `"hub":true`, `"user":"alice"`, `"server_name":""`)
	r := httptest.NewRequest("GET", "/hub/api/proxy?limit=1", nil)
	r.Header.Set("Authorization", "token "+admin)
	r.Header.Set("Accept", client.PaginationType)
	var got page[map[string]client.ProxyRoute]
	w.send(w.door, r).is(200).into(&got)
	if len(got.Items) != 1 || got.Pagination.Total != 2 || got.Pagination.Next == nil {
		t.Errorf("page %+v", got)
	}
	w.ask(admin, "POST", "/hub/api/proxy").is(200)
	if !slices.Equal(w.daemon.asked, []string{"resync"}) {
		t.Errorf("asked for %q", w.daemon.asked)
	}
}

func TestReload(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	w.ask(admin, "POST", "/hub/api/reload", `{"check":true}`).is(400, `mem_limt: unknown key\njupyterhub.toml:9`)
	w.ask(admin, "POST", "/hub/api/reload").is(200, `{"changes":["spawner.mem_limit is 2G now"]}`)
	w.ask(admin, "POST", "/hub/api/reload", `{"check":"yes"}`).is(400)
	w.ask(w.token("alice"), "POST", "/hub/api/reload").is(403)
}

func TestGroups(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{"POST", "/hub/api/groups", `{"groups":["class","staff"],"users":["alice"]}`, 201, `"users":["alice"]`},
		{"POST", "/hub/api/groups", `{"groups":["new","staff"]}`, 409, ""},
		{"GET", "/hub/api/groups/new", ``, 404, ""}, // all or none
		{"POST", "/hub/api/groups", ``, 400, ""},
		{"POST", "/hub/api/groups", `{"groups":["x"],"users":["nobody"]}`, 400, "nobody"},
		{"POST", "/hub/api/groups/empty", ``, 201, `"users":[]`},
		{"POST", "/hub/api/groups/x", `{"properties":{}}`, 400, "properties"},
		{"GET", "/hub/api/groups", ``, 200, `"name":"class"`},
		{"POST", "/hub/api/groups/class/users", `{"users":["bob","alice"]}`, 200, `"users":["alice","bob"]`},
		{"DELETE", "/hub/api/groups/class/users", `{"users":["alice","mallory"]}`, 200, `"users":["bob"]`},
		{"POST", "/hub/api/groups/class/users", `{"users":["nobody"]}`, 400, ""},
		{"POST", "/hub/api/groups/class/users", ``, 400, ""},
		{"POST", "/hub/api/groups/none/users", `{"users":[]}`, 404, ""},
		{"PUT", "/hub/api/groups/class/properties", `{"quota":3,"x":null}`, 200, `"properties":{"quota":3,"x":null}`},
		{"PUT", "/hub/api/groups/class/properties", `[]`, 400, ""},
		{"PUT", "/hub/api/groups/class/properties", ``, 400, ""},
		{"DELETE", "/hub/api/groups/class", ``, 204, ""},
		{"DELETE", "/hub/api/groups/class", ``, 404, ""},
		{"GET", "/hub/api/groups/class", ``, 404, ""},
	} {
		t.Run(c.method+c.path+c.body, func(t *testing.T) {
			w.t = t
			w.ask(admin, c.method, c.path, c.body).is(c.want, c.text)
		})
	}
	w.t = t
	w.ask(w.service("reader", "list:groups!group=staff"), "GET", "/hub/api/groups").is(200, `[{"kind":"group","name":"staff"}]`)
}

func TestServices(t *testing.T) {
	w := newWorld(t)
	culler := w.service("idle-culler", "list:services", "read:services!service=idle-culler")
	w.ask(culler, "GET", "/hub/api/services").is(200, `"idle-culler":{"kind":"service","name":"idle-culler","admin":false,"url":"","prefix":"","command":[],"pid":0,"info":{},"display":false}`)
	w.ask(culler, "GET", "/hub/api/services/idle-culler").is(200)
	w.ask(culler, "GET", "/hub/api/services/other").is(404)
	w.ask(w.token("alice"), "GET", "/hub/api/services").is(403)
}

// Vulnerability: a backup holds the key of XSRF tokens and everybody's names.
// Attack: mallory got hold of an admin's token.
// Verified: the file leaves by the admin socket alone.
func TestBackupLeavesByTheAdminSocketAlone(t *testing.T) {
	w := newWorld(t)
	for _, door := range []http.Handler{w.door, w.tokens, w.admin} {
		w.at(door, w.token("admin"), "GET", "/hub/api/backup").is(403)
	}
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.admin, ConnContext: auth.ConnContext}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	if os.Getuid() != 0 {
		w.update(func(tx *store.Tx) error {
			u, err := tx.User("admin")
			u.UID = int64(os.Getuid())
			if err == nil {
				_, err = tx.PutUser(u)
			}
			return err
		})
	}
	browser := &http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", listener.Addr().String()) }}}
	got, err := browser.Get("http://admin/hub/api/backup")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	file, err := os.Create(filepath.Join(dir, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.ReadFrom(got.Body); err != nil || got.StatusCode != 200 {
		t.Fatalf("status %d, %v", got.StatusCode, err)
	}
	copied, err := store.Open(file.Name(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if err := copied.View(func(tx *store.Tx) error { _, err := tx.User("alice"); return err }); err != nil {
		t.Error(err)
	}
}

func TestWrongMethodsAndOptions(t *testing.T) {
	w := newWorld(t)
	w.ask("", "DELETE", "/hub/api/users").is(405, `"status":405`)
	w.ask("", "OPTIONS", "/hub/api/users/alice").is(200)
	if got := w.ask("", "PUT", "/hub/api/user").is(405); !strings.Contains(got.head.Get("Content-Type"), "json") {
		t.Errorf("type %s", got.head.Get("Content-Type"))
	}
}
