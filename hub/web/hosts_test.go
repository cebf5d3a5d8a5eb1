package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/hosts"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// hosted is a world in which users and services have hosts below the hub's.
func hosted(t *testing.T) *world {
	t.Helper()
	all, err := hosts.New("http://hub.example", hosts.IDNA)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *web.Options) { o.Hosts = all }, func(o *auth.Options) { o.Hosts, o.PublicURL = all, all.Hub()+"/" })
	w.workshop.hosts = all
	return w
}

// comes logs somebody in at the hub's host.
func (w *world) comes(name, password string) *browser {
	w.t.Helper()
	b := w.browser()
	b.header.Set("X-Forwarded-Host", "hub.example")
	if p := b.login(name, password); p.status != http.StatusFound {
		w.t.Fatalf("%s cannot log in: %d %s", name, p.status, p.body)
	}
	return b
}

// at asks for a page at a host.
func (b *browser) at(host, path string) *page {
	b.t.Helper()
	b.header.Set("X-Forwarded-Host", host)
	return b.get(path)
}

// What is asked for at the wrong host is led to the right one: the hub's pages to the hub, a server that runs to its user's host.
func TestEveryAddressLeadsToItsHost(t *testing.T) {
	w := hosted(t)
	b := w.comes("alice", "correct horse")
	w.workshop.put("alice", "", hub.Running)
	for _, c := range []struct{ host, path, want string }{
		{"hub.example", "/user/alice/lab?x=1", "http://hub.example/hub/user/alice/lab?x=1"},
		{"hub.example", "/hub/user/alice/lab?x=1", "http://alice.hub.example/user/alice/lab?x=1&redirects=1"},
		{"hub.example", "/hub/spawn", "http://alice.hub.example/user/alice/"},
		{"hub.example", "/hub/login?next=http%3A%2F%2Falice.hub.example%2Fuser%2Falice%2Ftree", "/user/alice/tree"},
		{"hub.example", "/", "http://hub.example/hub/"},
		{"alice.hub.example", "/", "http://hub.example/hub/"},
		{"alice.hub.example", "/user/bob/lab", "http://hub.example/hub/user/bob/lab"},
		{"alice.hub.example", "/hub/home", "http://hub.example/hub/home"},
		{"alice.hub.example:80", "/hub/user/alice/lab", "http://hub.example/hub/user/alice/lab"},
		{"127.0.0.1", "/hub/login", "http://hub.example/hub/login"},
	} {
		if got := b.at(c.host, c.path); got.location != c.want {
			t.Errorf("%s at %s leads to %d %q, want %q", c.path, c.host, got.status, got.location, c.want)
		}
	}
	for _, path := range []string{"/hub/health", "/hub/logo", "/favicon.ico"} {
		if got := b.at("alice.hub.example", path); got.status != http.StatusOK {
			t.Errorf("%s at her host: %d", path, got.status)
		}
	}
	if got := b.at("alice.hub.example", "/hub/error/503"); got.status != http.StatusOK || strings.Contains(got.body, "alice</span>") {
		t.Errorf("an error's page at her host: %d, %s", got.status, got.body)
	}
	missing := b.at("hub.example", "/hub/user/alice/api?x")
	if missing.status != http.StatusFound {
		t.Errorf("a running server's API at the hub: %d", missing.status)
	}
}

// Links lead to where servers and services are.
func TestLinksToOtherHosts(t *testing.T) {
	w := hosted(t)
	b := w.comes("admin", "hunter2 and more")
	w.must(w.store.Update(func(tx *store.Tx) error {
		return tx.PutService(hub.Service{Name: "wiki", URL: "http://127.0.0.1:9000", Display: true})
	}))
	w.workshop.put("admin", "", hub.Running)
	home := b.get("/hub/home").want(http.StatusOK)
	for _, link := range []string{`href="http://wiki--service.hub.example/services/wiki/"`, `href="http://admin.hub.example/user/admin/"`, `href="/hub/logout"`} {
		if !strings.Contains(home.body, link) {
			t.Errorf("the home page lacks %s", link)
		}
	}
	next := url.QueryEscape("//evil.example/")
	b.get("/hub/spawn?next="+next).wantLocation(http.StatusFound, "http://admin.hub.example/user/admin/")
}
