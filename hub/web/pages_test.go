package web_test

import (
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// hostile is a name that an admin's directory might hold after all. It must come out of every page as text.
const hostile = `"><script>alert(1)</script>&'`

// everyPage leads through all pages that there are, so that what holds for every page is checked on every page.
func everyPage(t *testing.T, each func(t *testing.T, name string, p *page)) {
	cause := &hub.Cause{Kind: hub.CauseExited, Message: "The program ended with status 3.", Detail: "Result=exit-code", Unit: "jupyter-alice.service",
		Journal: []string{"Traceback:", "  " + hostile}}
	w := newWorld(t, func(o *web.Options) {
		o.Shutdown = func(bool) {}
		o.Profiles = []web.Profile{{Name: "gpu", DisplayName: "With a GPU", Description: "Slow to start " + hostile}, {Name: "big"}}
	})
	w.workshop.failure = cause
	stranger := w.browser()
	show := func(name string, p *page) { t.Run(name, func(t *testing.T) { each(t, name, p) }) }

	show("login", stranger.get("/hub/login?next="+url.QueryEscape("/hub/"+hostile)))
	show("login-refused", stranger.login(hostile, "wrong"))
	show("login-question", stranger.login("bob", "battery staple"))
	show("login-change", stranger.login("carol", "old"))
	far := w.browser()
	far.header.Set("X-Forwarded-For", "192.0.2.7")
	show("login-insecure", far.get("/hub/login"))
	show("error-404", stranger.get("/hub/nothing"+url.PathEscape(hostile)))

	alice := w.alice()
	show("error-403", alice.get("/hub/admin"))
	show("home-stopped", alice.get("/hub/home"))
	show("spawn", alice.get("/hub/spawn"))
	show("not-running", alice.get("/hub/user/alice/lab"))
	for _, state := range []hub.State{hub.Queued, hub.Starting, hub.Stopping, hub.Failed} {
		w.workshop.put("alice", "", state)
		show("pending-"+string(state), alice.get("/hub/spawn-pending/alice"))
	}
	show("home-failed", alice.get("/hub/home"))
	w.workshop.put("alice", "", hub.Running)
	w.workshop.put("alice", "gpu", hub.Running)
	w.workshop.put("alice", "old", hub.Failed)
	show("home-running", alice.get("/hub/home"))
	w.addTokens("alice")
	show("token", alice.get("/hub/token"))
	show("token-made", alice.submit(alice.get("/hub/token"), "request-token-form", url.Values{"note": {hostile}}))
	admin := w.admin()
	w.addUser(strings.ReplaceAll(hostile, "/", "")) // a slash is not even stored
	show("admin", admin.get("/hub/admin?search="+url.QueryEscape("a")))
	show("admin-hostile", admin.get("/hub/admin?search="+url.QueryEscape("script")))
	show("admin-nobody", admin.get("/hub/admin?search="+url.QueryEscape(hostile+hostile)))
	w.workshop.put("dora", "gpu", hub.Stopped)
	w.addGroups(hub.Group{Name: strings.ReplaceAll(hostile, "/", ""), Users: []string{"alice", "dora"}, Properties: map[string]any{hostile: hostile}}, hub.Group{Name: "staff"})
	show("admin-user", admin.get("/hub/admin/users/dora"))
	show("admin-user-hostile", admin.get("/hub/admin/users/"+url.PathEscape(strings.ReplaceAll(hostile, "/", ""))))
	show("admin-groups", admin.get("/hub/admin/groups"))
	show("admin-groups-none", admin.get("/hub/admin/groups?search="+url.QueryEscape(hostile)))
	show("admin-group", admin.get("/hub/admin/groups/"+url.PathEscape(strings.ReplaceAll(hostile, "/", ""))))
	show("admin-group-empty", admin.get("/hub/admin/groups/staff"))
	w.directory.refuse = hub.Errorf(hub.Invalid, "No such user: %s", hostile)
	show("admin-group-refused", admin.submit(admin.get("/hub/admin/groups/staff"), "add-members", url.Values{"usernames": {hostile}}))
	show("admin-groups-refused", admin.submit(admin.get("/hub/admin/groups"), "add-groups-submit", url.Values{"groups": {hostile}, "usernames": {hostile}}))
	show("admin-refused", admin.submit(admin.get("/hub/admin?search=dora"), "add-users-submit", url.Values{"usernames": {hostile}}))
	show("admin-user-refused", admin.submit(admin.get("/hub/admin/users/dora"), "rename-user", url.Values{"name": {hostile}}))
	w.directory.refuse = nil
	asking := newWorld(t, func(o *web.Options) { o.OptionsForm = ownForm })
	show("spawn-form", asking.alice().get("/hub/spawn"))
	show("spawn-of-another", admin.get("/hub/spawn/bob"))
	show("confirm", w.confirm(alice))
	w.workshop.put("bob", "gpu", hub.Stopped)
	show("share", alice.get("/hub/accept-share?code=good"))
	show("shares-off", alice.get("/hub/shares"))
	w.shares()
	show("shares", alice.get("/hub/shares"))
	show("shares-made", alice.submit(alice.get("/hub/shares"), "make-link", nil))
	w.directory.refuse = hub.Errorf(hub.Invalid, "No such user: %s", hostile)
	show("shares-refused", alice.submit(alice.get("/hub/shares"), "share-submit", url.Values{"name": {hostile}, "right": {"start:servers"}, "kind": {"group"}}))
	w.visits()
	show("home-visited", alice.get("/hub/home"))
	w.used("alice")
	show("home-used", alice.get("/hub/home"))
}

// used lets a user's servers have used something of the machine, long ago and lately.
func (w *world) used(user string) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		for _, ago := range []int{0, 3, 12, 15, 100} {
			day := today.UTC().AddDate(0, 0, -ago).Format(hub.DayFormat)
			if err := tx.AddUsage(hub.Consumption{User: user, Day: day, CPUSeconds: 5400, MemoryHours: float64(ago), ServerHours: 8}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// addTokens gives a user two plain tokens and two of an application.
func (w *world) addTokens(user string) {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		c := hub.Client{ID: "service-wiki", Service: "wiki", RedirectURI: "https://wiki.example.org/cb", Description: "The wiki " + hostile}
		if err := tx.PutService(hub.Service{Name: "wiki"}); err != nil {
			return err
		}
		if err := tx.PutClient(c, "wiki's own secret"); err != nil {
			return err
		}
		for _, t := range []hub.Token{{Note: hostile, Scopes: []string{"inherit"}}, {Note: "for nbgrader", Scopes: []string{"read:users!user=alice"}, Expires: today.AddDate(0, 1, 0)},
			{Client: c.ID, Scopes: []string{"access:services!service=wiki"}}, {Client: c.ID}} {
			t.Owner, t.Created = hub.Owner{Kind: hub.OwnerUser, Name: user}, today
			if _, _, err := tx.NewToken(t); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Vulnerability: what somebody typed, named or logged becomes part of a page's code. Attack: mallory calls herself, her note,
// her profile and her server's last words a script. Verified: pages hold no code but the files of ours, and the text is
// there as text.
func TestPagesHoldNoCodeOfTheirOwn(t *testing.T) {
	everyPage(t, func(t *testing.T, name string, p *page) {
		for _, n := range p.all("*") {
			switch {
			case n.Data == "style", n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil), n.Data == "iframe", n.Data == "object", n.Data == "base":
				t.Errorf("<%s %v>", n.Data, n.Attr)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if link := a.Key == "href" || a.Key == "src" || a.Key == "action"; link && !ours(a.Val) && name != "login-insecure" {
					t.Errorf("<%s %s=%q> leads elsewhere", n.Data, a.Key, a.Val)
				}
			}
		}
		if strings.Contains(p.body, "alert(1)") && !strings.Contains(p.text()+attributes(p), "alert(1)") {
			t.Errorf("the hostile text is not text: %s", p.body)
		}
	})
}

// Whoever has a page of the administration open has the way back to it in the menu.
func TestTheAdministrationIsInItsMenu(t *testing.T) {
	everyPage(t, func(t *testing.T, name string, p *page) {
		if way := find(p.root, "a", "href", "/hub/admin"); strings.HasPrefix(name, "admin") && (way == nil || attr(way, "aria-current") != "page") {
			t.Errorf("the menu has no way to the administration: %s", p.body)
		}
	})
}

func ours(address string) bool {
	return address == "" || strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") || strings.HasPrefix(address, "#")
}

func attributes(p *page) string {
	var b strings.Builder
	for _, n := range p.all("*") {
		for _, a := range n.Attr {
			b.WriteString(a.Val + "\n")
		}
	}
	return b.String()
}

func TestEveryFormThatPostsRepeatsTheToken(t *testing.T) {
	everyPage(t, func(t *testing.T, _ string, p *page) {
		for _, f := range p.all("form") {
			if attr(f, "method") == "post" && formValues(f, "").Get("_xsrf") == "" {
				t.Errorf("a form to %q has no token", attr(f, "action"))
			}
		}
	})
}

// What a parser can see of whether a page can be used without eyes, without a mouse, or on a telephone.
func TestPagesAreAccessible(t *testing.T) {
	everyPage(t, func(t *testing.T, _ string, p *page) {
		checkNames(t, p)
		checkHeadings(t, p)
		checkReferences(t, p)
		if first := p.all("a")[0]; attr(first, "href") != "#main" {
			t.Error("the first link does not skip to the content")
		}
		if len(p.all("main")) != 1 || attr(p.all("html")[0], "lang") == "" || find(p.root, "meta", "name", "viewport") == nil {
			t.Error("no main part, no language, or no viewport")
		}
	})
}

// checkNames looks whether everything that one can use has a name.
func checkNames(t *testing.T, p *page) {
	t.Helper()
	labelled := map[string]bool{}
	for _, l := range p.all("label") {
		labelled[attr(l, "for")] = true
	}
	for _, n := range p.all("*") {
		named := attr(n, "aria-label") != ""
		switch n.Data {
		case "input", "select", "textarea", "progress":
			named = named || attr(n, "type") == "hidden" || labelled[attr(n, "id")]
		case "button", "a", "summary":
			named = named || textOf(n) != "" || len(elements(n, "img")) > 0
		case "img":
			named = hasAttr(n, "alt")
		case "th":
			named = attr(n, "scope") != ""
		case "title":
			named = len(textOf(n)) > len(" – JupyterHub")
		default:
			named = true
		}
		if !named {
			t.Errorf("<%s %v> has no name", n.Data, n.Attr)
		}
		if v := attr(n, "tabindex"); v != "" && v != "0" && v != "-1" {
			t.Errorf("tabindex %s turns the order round", v)
		}
	}
}

func checkHeadings(t *testing.T, p *page) {
	t.Helper()
	last := 0
	for _, n := range p.all("*") {
		if len(n.Data) != 2 || n.Data[0] != 'h' || n.Data[1] < '1' || n.Data[1] > '6' {
			continue
		}
		level := int(n.Data[1] - '0')
		if level > last+1 || level == 1 && last > 0 || textOf(n) == "" {
			t.Errorf("heading %s %q comes after one of level %d", n.Data, textOf(n), last)
		}
		last = level
	}
}

// checkReferences looks whether ids are unique and what points to one points somewhere.
func checkReferences(t *testing.T, p *page) {
	t.Helper()
	ids := map[string]int{}
	for _, id := range p.ids() {
		if ids[id]++; ids[id] > 1 {
			t.Errorf("id %q stands twice", id)
		}
	}
	for _, n := range p.all("*") {
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
			for _, to := range strings.Fields(attr(n, name)) {
				if ids[to] == 0 {
					t.Errorf("%s=%q points nowhere", name, to)
				}
			}
		}
	}
}

var changing = []*regexp.Regexp{
	regexp.MustCompile(`((?:name="_xsrf" value=|data-xsrf-token=|name="conversation" value=)"|_xsrf=)[A-Za-z0-9_-]+`),
	regexp.MustCompile(`(/static/)[0-9a-f]{16}`),
	regexp.MustCompile(`()127\.0\.0\.1:[0-9]{2,5}`),
}

// The golden pages are for reading: a change of a template shows in them as a person would see it.
func TestGoldenPages(t *testing.T) {
	everyPage(t, func(t *testing.T, name string, p *page) {
		got := p.body
		for _, r := range changing {
			got = r.ReplaceAllString(got, "${1}…")
		}
		path := filepath.Join("testdata", "golden", name+".html")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != got {
			t.Errorf("%s is not as it was (%v); look at it and say: go test ./hub/web -update\n%s", path, err, got)
		}
	})
}

func TestElementIDsOfJupyterHub(t *testing.T) {
	want := map[string][]string{
		"login":            {"username_input", "password_input", "login_submit", "toggle_password_visibility"},
		"home-stopped":     {"start", "logout"},
		"home-running":     {"start", "stop", "logout"},
		"spawn":            {"spawn_form"},
		"pending-starting": {"progress-bar", "progress-message", "progress-log", "stop-server-btn"},
		"token":            {"request-token-form", "token-note", "token-expiration-seconds", "token-scopes"},
		"token-made":       {"token-result"},
		"login-refused":    {"login-error"},
	}
	everyPage(t, func(t *testing.T, name string, p *page) {
		for _, id := range want[name] {
			if p.byID(id) == nil {
				t.Errorf("no #%s; there are %q", id, p.ids())
			}
		}
		delete(want, name)
		for class, on := range map[string]string{"login_error": "login-refused", "new-server-name": "home-running", "new-server-btn": "home-running", "revoke-token-btn": "token"} {
			if on == name && !hasClass(p, class) {
				t.Errorf("no .%s", class)
			}
		}
	})
	for name := range want {
		t.Errorf("there is no page %s", name)
	}
}

func hasClass(p *page, class string) bool {
	for _, n := range p.all("*") {
		for _, c := range strings.Fields(attr(n, "class")) {
			if c == class {
				return true
			}
		}
	}
	return false
}

func TestHeadersOfPages(t *testing.T) {
	everyPage(t, func(t *testing.T, _ string, p *page) {
		csp := p.header.Get("Content-Security-Policy")
		for _, part := range []string{"frame-ancestors 'none'", "report-uri", "default-src 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("the policy %q has no %s", csp, part)
			}
		}
		if p.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("%v", p.header)
		}
	})
}

func TestAssets(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	login := b.get("/hub/login")
	for _, n := range append(login.all("link"), login.all("script")...) {
		address := attr(n, "href") + attr(n, "src")
		p := b.get(address)
		if p.status != http.StatusOK || !strings.Contains(p.header.Get("Cache-Control"), "immutable") || p.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", address, p.status, p.header)
		}
		if p.header.Get("X-JupyterHub-Version") != "" {
			t.Errorf("%s has the headers of a page", address)
		}
	}
	b.get("/hub/static/style.css").want(http.StatusOK)
	b.get("/hub/logo").want(http.StatusOK)
	if icon := b.get("/favicon.ico").want(http.StatusOK).header.Get("Content-Type"); icon != "image/svg+xml" {
		t.Errorf("the icon is %s", icon)
	}
	for _, wrong := range []string{"/hub/static/0123456789abcdef/style.css", "/hub/static/", "/hub/static/none", "/hub/static/..%2froom.go", "/hub/static/../room.go"} {
		if p := b.get(wrong); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", wrong, p.status)
		}
	}
}

func find(root *html.Node, kind, attribute, value string) *html.Node {
	for _, n := range elements(root, kind) {
		if attr(n, attribute) == value {
			return n
		}
	}
	return nil
}
