package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// A page's own announcement stands in place of the general one. It is text, whatever it looks like, and addresses in it lead on.
func TestAnnouncements(t *testing.T) {
	w := newWorld(t, func(o *web.Options) {
		o.Announcements = map[string]string{
			"announcement":       "Down on Friday. <script>alert(1)</script> See https://status.example.org/a?b=1.",
			"announcement_login": "Exam week",
		}
	})
	login := w.browser().get("/hub/login").want(http.StatusOK, "Exam week")
	if strings.Contains(login.text(), "Friday") {
		t.Error("the login page says the general one besides")
	}
	home := w.alice().get("/hub/home").want(http.StatusOK, "Down on Friday.")
	if strings.Contains(home.body, "<script>alert") {
		t.Error("an announcement is HTML")
	}
	link := find(home.root, "a", "href", "https://status.example.org/a?b=1")
	if link == nil || textOf(link) != "https://status.example.org/a?b=1" {
		t.Error("the address leads nowhere")
	}
}

// The owner's page of a stopped server goes on to start it; nobody else's does, and none after a failure.
func TestImplicitSpawn(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.ImplicitSpawn = 3 * time.Second })
	refresh := func(b *browser, path string) string {
		for _, m := range b.get(path).all("meta") {
			if attr(m, "http-equiv") == "refresh" {
				return attr(m, "content")
			}
		}
		return ""
	}
	if got := refresh(w.alice(), "/hub/user/alice/lab"); got != "3; url=/hub/spawn/alice?next=%2Fuser%2Falice%2Flab" {
		t.Errorf("alice's page goes on to %q", got)
	}
	if got := refresh(w.admin(), "/hub/user/alice/lab"); got != "" {
		t.Errorf("the admin's page goes on to %q", got)
	}
	w = newWorld(t, nil)
	if got := refresh(w.alice(), "/hub/user/alice/lab"); got != "" {
		t.Errorf("without being told to it goes on to %q", got)
	}
}

func TestUserRedirectLeadsToTheDefaultNamedServer(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.DefaultServerName = "gpu" })
	w.alice().get("/hub/user-redirect/lab/tree/x?y=1").
		wantLocation(http.StatusFound, "/hub/spawn/alice/gpu?next=%2Fuser%2Falice%2Fgpu%2Flab%2Ftree%2Fx%3Fy%3D1")
}

func TestTheAdminsLogo(t *testing.T) {
	dir := t.TempDir()
	png, text := filepath.Join(dir, "Logo.PNG"), filepath.Join(dir, "logo.html")
	for _, path := range []string{png, text} {
		if err := os.WriteFile(path, []byte("a picture"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, func(o *web.Options) { o.LogoFile = png })
	p := w.browser().get("/hub/logo")
	if p.status != http.StatusOK || p.body != "a picture" || p.header.Get("Content-Type") != "image/png" {
		t.Errorf("the logo is %d %q %q", p.status, p.header.Get("Content-Type"), p.body)
	}
	for _, path := range []string{text, filepath.Join(dir, "gone.svg")} {
		if _, err := web.New(web.Options{Store: w.store, Porter: w.porter, Workshop: w.workshop, LogoFile: path}); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s as logo: %v", path, err)
		}
	}
}

// The menu has the services that show themselves and that somebody may use.
func TestMenuOfServices(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.store.Update(func(tx *store.Tx) error {
		for _, s := range []hub.Service{{Name: "wiki", URL: "http://127.0.0.1:9000", Display: true}, {Name: "hidden", URL: "http://127.0.0.1:9001"}, {Name: "silent", Display: true}} {
			if err := tx.PutService(s); err != nil {
				return err
			}
		}
		return nil
	}))
	if p := w.admin().get("/hub/home"); find(p.root, "a", "href", "/services/wiki/") == nil || strings.Contains(p.text(), "hidden") || strings.Contains(p.text(), "silent") {
		t.Errorf("the admin's menu: %s", p.text())
	}
	if p := w.alice().get("/hub/home"); find(p.root, "a", "href", "/services/wiki/") != nil {
		t.Error("alice's menu has a service that she may not use")
	}
}

// The home page tells of visits until they are put away.
func TestVisitsAreToldUntilTheyArePutAway(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	w.visits()
	home := b.get("/hub/home").want(http.StatusOK, "admin entered your server gpu, 2026-11-24 09:30 UTC", "<b>admin</b> entered your default server")
	b.submit(home, "visits-seen", nil).wantLocation(http.StatusSeeOther, "/hub/home")
	if p := b.get("/hub/home"); p.byID("visits") != nil {
		t.Error("it is told again")
	}
}

// visits lets alice's servers have been entered by others.
func (w *world) visits() {
	w.t.Helper()
	w.must(w.store.Update(func(tx *store.Tx) error {
		u, err := tx.User("alice")
		if err == nil {
			u.Visits = []hub.Visit{{By: "admin", Server: "gpu", At: today}, {By: "<b>admin</b>", At: today}}
			_, err = tx.PutUser(u)
		}
		return err
	}))
}
