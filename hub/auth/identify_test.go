package auth

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/varlink"
)

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"token abc": "abc", "Token abc": "abc", "TOKEN abc": "abc", "Bearer abc": "abc", "bearer  abc ": "abc",
		"": "", "token": "", "token ": "", "Basic abc": "", "token a b": "", "tokenabc": "", "abc": "", " token abc": "", "token\tabc": "",
	} {
		if got, ok := bearer(header); got != want && ok || ok != (want != "") {
			t.Errorf("%q: %q, %v", header, got, ok)
		}
	}
}

func FuzzBearer(f *testing.F) {
	for _, s := range []string{"token abc", "Bearer abc", "token  ", "Basic YTpi", "bearer \xff", "token a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if value, ok := bearer(header); ok && value == "" {
			t.Errorf("%q is a token without a value", header)
		}
	})
}

// A token that is not good falls through to the cookie, and then to nobody.
func TestTokensAndCookies(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	h.user(hub.User{Name: "bob", UID: 1003})
	token := h.token("bob", "inherit")
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	stranger := h.browser("192.0.2.7")

	tests := []struct {
		who     *browser
		path    string
		header  []string
		want    string // who answers; else the kind
		because string
	}{
		{b, "/hub/api/user", nil, "alice", "her cookie"},
		{b, "/hub/api/user", []string{"Authorization", "token " + token}, "bob", "the token wins"},
		{b, "/hub/api/user", []string{"Authorization", "token wrong"}, "alice", "a wrong token falls through"},
		{b, "/hub/home", []string{"Authorization", "token " + token}, "alice", "pages know cookies alone"},
		{b, "/hub/user/alice", []string{"Authorization", "token " + token}, "bob", "but not pages of servers"},
		{stranger, "/hub/home", []string{"Authorization", "token " + token}, "unauthenticated", "pages know cookies alone"},
		{stranger, "/hub/api/user", []string{"Authorization", "token wrong"}, "unauthenticated", "nobody"},
		{stranger, "/hub/api/user?token=" + token, nil, "unauthenticated", "a token in the address never counts"},
		{stranger, "/hub/metrics", []string{"Authorization", "token " + token}, "forbidden", "bob may not read metrics"},
		{stranger, "/hub/api/users/bob", []string{"Authorization", "token " + token}, "bob", "his own"},
		{stranger, "/hub/api/users/alice", []string{"Authorization", "token " + token}, "not-found", "refused looks like absent"},
		{stranger, "/hub/api/users/nobody", []string{"Authorization", "token " + token}, "not-found", "and absent is the same"},
	}
	for _, tt := range tests {
		res := tt.who.get(tt.path, tt.header...)
		got := res.Header.Get("X-Kind")
		if got == "" {
			got = body(res)
		}
		if got != tt.want {
			t.Errorf("%s %v: %s, want %s: %s", tt.path, tt.header, got, tt.want, tt.because)
		}
	}
}

// At the API a form's POST is nobody's, whatever cookies it brings: other sites can send forms (specification 1.1).
func TestFormsAtTheAPI(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("admin", "swordfish"))
	xsrf := b.xsrf()
	for kind, want := range map[string]string{"application/json": "", "Application/JSON; charset=utf-8": "", "text/plain": "unauthenticated",
		"application/x-www-form-urlencoded": "unauthenticated", "multipart/form-data; boundary=x": "unauthenticated"} {
		res := b.send("POST", "/hub/api/users", nil, "Content-Type", kind, "X-XSRFToken", xsrf)
		if got := res.Header.Get("X-Kind"); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// Port 8081 can be reached by every process of every user: cookies and forwarded headers are nothing there.
func TestTokenDoor(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	h.rooms = h.Tokens(h.mux())
	wantKind(t, b.get("/hub/api/user"), hub.Unauthenticated)
	wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
	if got := body(b.get("/hub/api/user", "Authorization", "token "+h.token("alice", "inherit"))); got != "alice" {
		t.Errorf("by token: %q", got)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("X-Forwarded-For", "192.0.2.66")
	r.Header.Set("X-Forwarded-Proto", "https")
	h.Tokens(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if v := VisitOf(r); v.Scheme != "http" || v.Address.String() == "192.0.2.66" {
			t.Errorf("the token door believes headers: %+v", v)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// What the store cannot say is not "nobody": a single-user server would take that for a revoked token.
func TestStoreIsAway(t *testing.T) {
	h := newHouse(t, noon())
	h.user(hub.User{Name: "alice"})
	token := h.token("alice", "inherit")
	h.closed = true
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.browser("192.0.2.7").get("/hub/api/user", "Authorization", "token "+token), hub.Unavailable)
}

// At the admin's socket one is who one is to the kernel.
func TestPeers(t *testing.T) {
	h := newHouse(t, noon())
	h.user(hub.User{Name: "alice", UID: 1002})
	ask := func(uid uint32, header string) (a Actor) {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, varlink.Cred{UID: uid}), "GET", "/", nil)
		r.Header.Set("Authorization", header)
		h.Peers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a = FromContext(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		return a
	}
	if root := ask(0, ""); root.Owner.Name != LocalAdmin || !root.Admin() || !root.Has("shutdown") || root.Via != Peer {
		t.Errorf("root is %+v", root)
	}
	if alice := ask(1002, ""); alice.User == nil || alice.User.Name != "alice" || alice.Admin() || alice.Has("admin:users") {
		t.Errorf("uid 1002 is %+v", alice)
	}
	for _, uid := range []uint32{1003, ^uint32(0)} {
		if a := ask(uid, ""); !a.Anonymous() {
			t.Errorf("uid %d is %+v", uid, a)
		}
	}
	if a := ask(0, "token "+h.token("alice", "inherit")); a.Owner.Name != "alice" || a.Via != Token {
		t.Errorf("root with alice's token is %+v", a)
	}
}

// A real connection says who is there.
func TestConnContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	peer, ok := ConnContext(t.Context(), server).Value(peerKey{}).(varlink.Cred)
	if !ok || int(peer.UID) != os.Getuid() {
		t.Errorf("peer %+v, want uid %d", peer, os.Getuid())
	}
}

func TestAuthorize(t *testing.T) {
	policy, err := rbac.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	expand := func(scopes ...string) Actor {
		return Actor{Via: Token, Scopes: policy.Expand(scopes, rbac.Context{})}
	}
	tests := []struct {
		actor    Actor
		scopes   []string
		resource rbac.Resource
		want     hub.Kind
	}{
		{Actor{}, []string{Authenticated}, rbac.Resource{}, hub.Unauthenticated},
		{expand(), []string{Authenticated}, rbac.Resource{}, 0},
		{expand("admin:users"), []string{"admin:users"}, rbac.Resource{}, 0},
		{expand("admin:users!user=alice"), []string{"admin:users"}, rbac.Resource{}, hub.Forbidden}, // GHSA-69wv
		{expand("proxy"), []string{"admin:users"}, rbac.Resource{}, hub.Forbidden},
		{expand("proxy"), []string{"read:users"}, rbac.UserResource("alice"), hub.Forbidden},
		{expand("read:users!user=bob"), []string{"read:users"}, rbac.UserResource("alice"), hub.NotFound},
		{expand("read:users!user=bob"), []string{"read:servers", "read:users"}, rbac.UserResource("bob"), 0},
		{expand("list:users!user=bob"), []string{"list:users"}, rbac.ListOf(rbac.User), 0},
		{expand("list:users!server=bob/"), []string{"list:users"}, rbac.ListOf(rbac.User), hub.Forbidden},
	}
	for _, tt := range tests {
		if err := tt.actor.Authorize(tt.scopes, tt.resource); hub.KindOf(err) != tt.want || err != nil && tt.want == 0 {
			t.Errorf("%v asking %v for %+v: %v, want %v", tt.actor.Scopes.List(), tt.scopes, tt.resource, err, tt.want)
		}
	}
}

// A group filter is answered by who is in the group now.
func TestGroupFiltersAreLive(t *testing.T) {
	h := newHouse(t, noon())
	h.user(hub.User{Name: "alice"})
	h.update(func(tx *store.Tx) error {
		_, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"alice"}})
		if err != nil {
			return err
		}
		return tx.PutService(hub.Service{Name: "grader", Scopes: []string{"read:users!group=class"}})
	})
	var token string
	h.update(func(tx *store.Tx) (err error) {
		token, _, err = tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerService, Name: "grader"}, Scopes: []string{"inherit"}, Expires: h.o.Now().Add(time.Hour)})
		return err
	})
	b := h.browser("192.0.2.7")
	if got := body(b.get("/hub/api/users/alice", "Authorization", "token "+token)); got != "grader" {
		t.Errorf("in the group: %q", got)
	}
	h.update(func(tx *store.Tx) error { return tx.DeleteGroup("class") })
	wantKind(t, b.get("/hub/api/users/alice", "Authorization", "token "+token), hub.NotFound)
}
