package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/web"
)

func TestSpawnStartsAndLeadsOn(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	b.get("/hub/spawn?next=%2Fuser%2Falice%2Flab").wantLocation(http.StatusFound, "/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Flab")
	b.get("/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Flab").wantLocation(http.StatusFound, "/user/alice/lab")
	b.get("/hub/spawn-pending/alice").wantLocation(http.StatusFound, "/user/alice/")
	b.get("/hub/spawn-pending/alice?next=//evil.example").wantLocation(http.StatusFound, "/user/alice/")
	b.get("/hub/spawn").wantLocation(http.StatusFound, "/user/alice/")
	b.get("/hub/spawn/alice/gpu?display_name=My+GPU").wantLocation(http.StatusFound, "/hub/spawn-pending/alice/gpu")
	if got := strings.Join(w.workshop.started, "\n"); got != "alice/\ncreate alice/gpu My GPU\nalice/gpu" {
		t.Errorf("started %q", got)
	}
}

func TestOptionsInTheAddress(t *testing.T) {
	for query, want := range map[string]string{
		"opt-repo=a&opt-repo=b&other=c":  `alice/  {"repo":["a","b"]}`,
		"opt-profile=gpu&next=%2Fhub%2F": `alice/ gpu`,
		"repo=a":                         `alice/  {"repo":["a"]}`,
		"opt-next=x":                     `alice/  {"next":["x"]}`,
	} {
		w := newWorld(t, func(o *web.Options) { o.Profiles = []web.Profile{{Name: "gpu"}} })
		w.alice().get("/hub/spawn?" + query)
		if got := strings.Join(w.workshop.started, "\n"); got != want {
			t.Errorf("%s: started %q, want %q", query, got, want)
		}
	}
	w := newWorld(t, nil)
	if p := w.alice().get("/hub/spawn?opt-=x"); p.status != http.StatusBadRequest || len(w.workshop.started) > 0 {
		t.Errorf("an option without a name: %d", p.status)
	}
}

func TestProfilesAreChosenOnAForm(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.Profiles = []web.Profile{{Name: "gpu", DisplayName: "With a GPU"}} })
	b := w.alice()
	form := b.get("/hub/spawn?next=%2Fhub%2Ftoken").want(http.StatusOK, "With a GPU")
	w.workshop.refuse = hub.Errorf(hub.Forbidden, "The profile gpu is not for you.")
	b.submit(form, "start", url.Values{"profile": {"gpu"}}).want(http.StatusForbidden, "The profile gpu is not for you.")
	w.workshop.refuse = nil
	b.submit(form, "start", url.Values{"profile": {"gpu"}, "size": {"big"}}).wantLocation(http.StatusFound, "/hub/spawn-pending/alice?next=%2Fhub%2Ftoken")
	if got := w.workshop.started[0]; got != `alice/ gpu {"size":["big"]}` {
		t.Errorf("started %q", got)
	}
	b.submit(form, "start", nil).want(http.StatusBadRequest)
}

func TestPendingPageFollowsTheStart(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	w.workshop.put("alice", "", hub.Starting)
	p := b.get("/hub/spawn-pending/alice").want(http.StatusOK)
	progress := attr(p.byID("progress"), "data-progress-url")
	if !strings.HasPrefix(progress, "/hub/api/users/alice/server/progress?_xsrf=") {
		t.Errorf("progress comes from %q", progress)
	}
	if p.byID("progress-message") == nil || attr(p.byID("progress-message"), "aria-live") != "polite" || !strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Error("nobody without eyes or scripts hears of progress")
	}
	b.submit(p, "stop-server-btn", nil).wantLocation(http.StatusSeeOther, "/hub/home")
	if live, _ := w.workshop.Server(hub.ServerRef{User: "alice"}); live.State != hub.Stopped {
		t.Errorf("cancelled, the server is %s", live.State)
	}
}

func TestAFailureIsToldWithItsCause(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.failure = &hub.Cause{Message: "The program jupyterhub-singleuser is missing.", Unit: "jupyter-alice.service", Journal: []string{"exec: no such file"}}
	w.workshop.becomes = hub.Failed
	b := w.alice()
	b.get("/hub/spawn").wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
	p := b.get("/hub/spawn-pending/alice").want(http.StatusInternalServerError, "jupyterhub-singleuser is missing", "jupyter-alice.service", "exec: no such file")
	if attr(p.byID("start"), "href") != "/hub/spawn/alice" {
		t.Error("no way to try again")
	}
	if strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Error("a page that says all there is loads itself again")
	}
}

// The journal is still being read: the page says why at once, and loads itself again for the lines.
func TestAPageWithHalfACauseLoadsItselfAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.failure = &hub.Cause{Message: "Your server was ended by the signal SIGKILL.", Partial: true}
	w.workshop.put("alice", "", hub.Failed)
	p := w.alice().get("/hub/spawn-pending/alice").want(http.StatusInternalServerError, "the signal SIGKILL", "log are being read")
	if !strings.Contains(p.body, `http-equiv="refresh" content="1"`) {
		t.Error("the page stays as it is")
	}
}

func TestHomeStartsStopsAndDeletes(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	home := b.get("/hub/home").want(http.StatusOK, "Start My Server")
	if attr(home.byID("start"), "href") != "/hub/spawn/alice" {
		t.Error("the start button starts nothing")
	}
	b.submit(home, "new-server-name", url.Values{"name": {" My  GPU-server №1 "}, "action": {"add"}}).wantLocation(http.StatusSeeOther, "/hub/spawn/alice/my-gpu-server-1")
	if got := w.workshop.started; len(got) != 1 || got[0] != "create alice/my-gpu-server-1 My GPU-server №1" {
		t.Errorf("asked for %q", got)
	}
	b.post("/hub/home", with(formValues(find(home.root, "form", "class", "inline"), ""), "action", "add")).want(http.StatusBadRequest, "The name is missing")
	w.must(w.workshop.Remove(t.Context(), hub.ServerRef{User: "alice", Server: "my-gpu-server-1"}))
	b.post("/hub/home", url.Values{"_xsrf": {attr(home.all("body")[0], "data-xsrf-token")}, "server": {"gpu"}, "action": {"start"}}).wantLocation(http.StatusSeeOther, "/hub/spawn-pending/alice/gpu")
	w.workshop.put("alice", "", hub.Running)
	home = b.get("/hub/home").want(http.StatusOK, "gpu")
	b.submit(home, "stop", nil).wantLocation(http.StatusSeeOther, "/hub/home")
	row := find(b.get("/hub/home").root, "tr", "data-server-name", "gpu")
	b.post("/hub/home", with(formValues(row, ""), "action", "stop")).wantLocation(http.StatusSeeOther, "/hub/home")
	b.post("/hub/home", with(formValues(row, ""), "action", "delete")).wantLocation(http.StatusSeeOther, "/hub/home")
	if len(w.workshop.Servers("alice")) != 1 {
		t.Errorf("left %v", w.workshop.Servers("alice"))
	}
	b.post("/hub/home", with(formValues(row, ""), "action", "explode")).want(http.StatusBadRequest)
	b.post("/hub/home", url.Values{"action": {"stop"}}).want(http.StatusForbidden) // without the XSRF token
}

// Attack: alice opens pages of bob's server, and stops it by her own form. Verified: they are as if bob were not there.
func TestOthersServersDoNotExist(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("bob")
	w.workshop.put("bob", "", hub.Running)
	b := w.alice()
	for _, path := range []string{"/hub/spawn/bob", "/hub/spawn-pending/bob", "/hub/user/bob/lab", "/hub/spawn/nobody", "/hub/user/nobody/lab"} {
		b.get(path).want(http.StatusNotFound)
	}
	home := b.get("/hub/home")
	b.submit(home, "new-server-name", url.Values{"user": {"bob"}, "server": {""}, "action": {"stop"}})
	if live, _ := w.workshop.Server(hub.ServerRef{User: "bob"}); live.State != hub.Running {
		t.Error("alice stopped the server of bob")
	}
}

func TestAServerThatDoesNotRun(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	p := b.get("/hub/user/alice/lab/tree?x=1").want(http.StatusFailedDependency, "not running")
	if got := attr(p.byID("start"), "href"); got != "/hub/spawn/alice?next="+url.QueryEscape("/user/alice/lab/tree?x=1") {
		t.Errorf("the button leads to %q", got)
	}
	for path, accept := range map[string]string{"/hub/user/alice/api/contents": "text/html", "/hub/user/alice/lab": "application/json"} {
		b.header.Set("Accept", accept)
		p := b.get(path)
		if p.status != http.StatusFailedDependency || p.header.Get("Content-Type") != "application/json" || !strings.Contains(p.body, "/hub/spawn/alice") {
			t.Errorf("%s as %s: %d %s", path, accept, p.status, p.body)
		}
	}
	b.header.Set("Accept", "text/html")
	w.workshop.put("alice", "", hub.Starting)
	b.get("/hub/user/alice/lab").wantLocation(http.StatusSeeOther, "/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Flab")
	w.workshop.put("alice", "gpu", hub.Stopped)
	b.get("/hub/user/alice/gpu/lab").want(http.StatusFailedDependency, "gpu")
	home := b.get("/hub/home")
	r := b.post("/hub/user/alice/api/sessions", url.Values{"_xsrf": {attr(elements(home.root, "body")[0], "data-xsrf-token")}})
	if r.status != http.StatusFailedDependency || !strings.Contains(r.body, `"message"`) || strings.Contains(r.body, `"status"`) {
		t.Errorf("a POST: %d %s", r.status, r.body)
	}
}

func TestARunningServerThatTheProxyDoesNotKnowYet(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("alice", "", hub.Running)
	b := w.alice()
	b.get("/hub/user/alice/lab?a=1").wantLocation(http.StatusFound, "/user/alice/lab?a=1&redirects=1")
	b.get("/hub/user/alice/lab?redirects=x").wantLocation(http.StatusFound, "/user/alice/lab?redirects=1")
	b.get("/hub/user/alice/lab?redirects=4").want(http.StatusServiceUnavailable, "proxy")
}

func TestAdminPage(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("ann", "bert", "carl", "dora", "emil")
	w.workshop.put("ann", "", hub.Running)
	b := w.admin()
	p := b.get("/hub/admin").want(http.StatusOK, "Users 1 to 3 of 6", "ann", "300.0 MiB", "12.3 s")
	next := find(p.root, "a", "rel", "next")
	if next == nil || strings.Contains(p.text(), "dora") {
		t.Fatalf("no second page: %s", p.text())
	}
	b.get(attr(next, "href")).want(http.StatusOK, "Users 4 to 6 of 6", "emil")
	b.get("/hub/admin?search=ER").want(http.StatusOK, "Users 1 to 1 of 1", "bert")
	b.get("/hub/admin?sort=-name").want(http.StatusOK, "emil", "dora", "carl")
	for _, odd := range []string{"offset=-5", "offset=x", "sort=password", "offset=99999"} {
		b.get("/hub/admin?" + odd).want(http.StatusOK)
	}
	w.alice().get("/hub/admin").want(http.StatusForbidden)
}

// While a server stops there is nothing to press, and a cell with nothing in it is left out of its card.
func TestNoButtonsForAServerThatStops(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("ann")
	w.workshop.put("ann", "", hub.Stopping)
	w.workshop.put("alice", "gpu", hub.Stopping)
	for path, b := range map[string]*browser{"/hub/admin?search=ann": w.admin(), "/hub/home": w.alice()} {
		cell := find(b.get(path).root, "td", "data-label", "Actions")
		if cell == nil || cell.FirstChild != nil {
			t.Errorf("%s: the cell of actions is not empty: %v", path, cell)
		}
	}
}

func TestAdminActions(t *testing.T) {
	w := newWorld(t, nil)
	w.addUser("ann")
	w.workshop.put("ann", "", hub.Running)
	b := w.admin()
	p := b.get("/hub/admin?search=ann")
	b.submit(p, "add-users-submit", url.Values{"usernames": {"bert\n  we ird \n\n"}, "admin": {"yes"}}).wantLocation(http.StatusSeeOther, "/hub/admin?search=ann&sort=name")
	row := find(p.root, "tbody", "data-user", "ann")
	forms := elements(row, "form")
	b.post("/hub/admin", with(formValues(forms[0], ""), "action", "remove")).wantLocation(http.StatusSeeOther, "/hub/admin?search=ann&sort=name")
	if got := strings.Join(w.directory.said, "\n"); got != "add bert|we ird as admins\nremove ann" {
		t.Errorf("asked for %q", got)
	}
	b.post("/hub/admin", with(formValues(forms[1], ""), "action", "stop"))
	if live, _ := w.workshop.Server(hub.ServerRef{User: "ann"}); live.State != hub.Stopped {
		t.Errorf("stopped, the server is %s", live.State)
	}
	b.post("/hub/admin", with(formValues(forms[1], ""), "action", "start"))
	b.submit(p, "stop-all-servers", nil)
	if live, _ := w.workshop.Server(hub.ServerRef{User: "ann"}); live.State != hub.Stopped {
		t.Errorf("all stopped, the server is %s", live.State)
	}
	w.directory.refuse = hub.Errorf(hub.Conflict, "All users already exist")
	b.submit(p, "add-users-submit", url.Values{"usernames": {"bert"}}).want(http.StatusConflict, "All users already exist")
}

// confirm renders the page that the OAuth room asks for, as alice.
func (w *world) confirm(b *browser) *page {
	w.t.Helper()
	room, err := web.New(web.Options{Store: w.store, Porter: w.porter, Workshop: w.workshop})
	w.must(err)
	srv := httptest.NewServer(w.porter.Browser(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Security-Policy", "frame-ancestors 'none'; report-uri x; default-src 'self'")
		w.must(room.RenderConfirm(rw, r, hub.Client{ID: "service-wiki", Description: "The wiki " + hostile, RedirectURI: "https://wiki.example.org/cb"},
			[]rbac.Description{{Scope: "servers", Text: "start and stop servers", Whose: "your own"}}, []string{"servers!user=alice", "read:users:name!user=alice"}))
	})))
	w.t.Cleanup(srv.Close)
	here, err := url.Parse(w.url)
	w.must(err)
	there, err := url.Parse(srv.URL)
	w.must(err)
	here.Path, there.Path = "/hub/", "/hub/"
	b.Jar.SetCookies(there, b.Jar.Cookies(here))
	return b.do(http.NewRequestWithContext(w.t.Context(), "GET", srv.URL+"/hub/api/oauth2/authorize", nil))
}
