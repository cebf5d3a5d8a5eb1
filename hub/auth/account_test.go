package auth

import (
	"context"
	"slices"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// Groups of the operating system decide who is an admin, at each login, when the configuration names any; a configured name
// only ever grants (specification 6.5).
func TestAdmins(t *testing.T) {
	tests := []struct {
		name   string
		rules  Rules
		groups []string
		was    bool
		want   bool
	}{
		{"in the group", Rules{AdminGroups: []string{"sudo"}}, []string{"alice", "sudo"}, false, true},
		{"left the group", Rules{AdminGroups: []string{"sudo"}}, []string{"alice"}, true, false},
		{"by name", Rules{AdminGroups: []string{"sudo"}, AdminUsers: []string{"alice"}}, []string{"alice"}, false, true},
		{"no groups configured, made one by an admin", Rules{}, []string{"alice"}, true, true},
		{"no groups configured", Rules{}, []string{"alice"}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, noon())
			tt.rules.Policy = h.Policy()
			h.SetRules(tt.rules)
			h.user(hub.User{Name: "alice", UID: 1002, Admin: tt.was})
			h.door.accounts["alice"].Groups = tt.groups
			wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
			if got := h.look("alice").Admin; got != tt.want {
				t.Errorf("admin: %v", got)
			}
		})
	}
}

// Play: alice left, her account was removed, and a new alice got an account with another uid. Vulnerability: the new one would
// find the old one's sessions, tokens, rights and running server. Verified: all of it ends before she is let in.
func TestAccountOfAnotherPersonOfThatName(t *testing.T) {
	h := newHouse(t, noon(), func(o *Options) { o.Rules.AdminGroups = nil })
	h.Porter.o.Evictor = h.proxy
	old := h.browser("192.0.2.7")
	wantLogin(t, old.login("alice", "wonderland"))
	u := h.look("alice")
	u.Admin, u.Roles, u.Groups = true, []string{"teacher"}, []string{"teachers"}
	h.update(func(tx *store.Tx) error {
		_, err := tx.PutGroup(hub.Group{Name: "teachers", Roles: []string{"teacher"}})
		return err
	})
	h.user(u)
	token := h.token("alice", "inherit")
	session := old.cookies["/ "+cookieSession].Value

	h.door.accounts["alice"].UID = 2002
	wantLogin(t, h.browser("192.0.2.8").login("alice", "wonderland"))

	wantKind(t, old.get("/hub/home"), hub.Unauthenticated)
	wantKind(t, h.browser("192.0.2.7").get("/hub/api/user", "Authorization", "token "+token), hub.Unauthenticated)
	if now := h.look("alice"); now.UID != 2002 || now.Admin || len(now.Roles)+len(now.Groups) > 0 {
		t.Errorf("the new alice is %+v", now)
	}
	if !slices.Equal(h.proxy.ended, []string{session, "servers of alice"}) {
		t.Errorf("ended: %v", h.proxy.ended)
	}
}

// Play: alice's account is gone and bob's new account got her uid. Verified: he is a user of his own, and what is hers cannot
// be reached by that uid any more.
func TestUIDOfSomebodyElse(t *testing.T) {
	h := newHouse(t, noon())
	h.Porter.o.Evictor = h.proxy
	wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
	token := h.token("alice", "inherit")

	h.door.accounts["bob"].UID = 1002
	b := h.browser("192.0.2.8")
	wantLogin(t, b.login("bob", "builder"))
	if got := body(b.get("/hub/home")); got != "bob" {
		t.Errorf("at home is %q", got)
	}
	h.forgotten("alice")
	if got := body(b.get("/hub/api/user", "Authorization", "token "+token)); got != "bob" { // falls through to his cookie
		t.Errorf("alice's token is good for %q", got)
	}
}

// forgotten fails if the hub knows a user.
func (h *house) forgotten(name string) {
	h.t.Helper()
	err := h.store.View(func(tx *store.Tx) error { _, err := tx.User(name); return err })
	if hub.KindOf(err) != hub.NotFound {
		h.t.Errorf("%s is known still: %v", name, err)
	}
}

// evictor stops servers by a function.
type evictor func(ctx context.Context, user string) error

func (f evictor) Evict(ctx context.Context, user string) error { return f(ctx, user) }

// Vulnerability: between the end of the former holder's servers and that of their sessions they could start another one, which
// runs as the new holder of the name. Attack: the old alice's browser and her script ask again and again, and so they do while
// her servers are being stopped. Verified: by then neither is let in.
func TestTheFormerHolderIsLockedOutFirst(t *testing.T) {
	h := newHouse(t, noon())
	old := h.browser("192.0.2.7")
	wantLogin(t, old.login("alice", "wonderland"))
	token, evicted := h.token("alice", "inherit"), false
	h.Porter.o.Evictor = evictor(func(context.Context, string) error {
		evicted = true
		wantKind(t, old.get("/hub/home"), hub.Unauthenticated)
		wantKind(t, old.get("/hub/api/user", "Authorization", "token "+token), hub.Unauthenticated)
		return nil
	})
	h.door.accounts["alice"].UID = 2002
	wantLogin(t, h.browser("192.0.2.8").login("alice", "wonderland"))
	if !evicted {
		t.Error("nobody stopped the former holder's servers")
	}
}

// If the former holder's servers cannot be stopped, nobody comes in, and the next login tries again.
func TestEvictionFails(t *testing.T) {
	h := newHouse(t, noon())
	h.Porter.o.Evictor = h.proxy
	wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
	h.door.accounts["alice"].UID = 2002
	h.proxy.err = hub.Errorf(hub.Unavailable, "spawnd is away")
	wantKind(t, h.browser("192.0.2.8").login("alice", "wonderland"), hub.Unavailable)
	if u := h.look("alice"); u.UID != 1002 {
		t.Errorf("alice has uid %d already", u.UID)
	}
	h.proxy.err = nil
	wantLogin(t, h.browser("192.0.2.8").login("alice", "wonderland"))
}

// Logging out ends the session with all that was issued through it, and the proxy is told.
func TestLogout(t *testing.T) {
	h := newHouse(t, noon())
	b, other := h.browser("192.0.2.7"), h.browser("192.0.2.8")
	wantLogin(t, b.login("alice", "wonderland"))
	wantLogin(t, other.login("alice", "wonderland"))
	session := b.cookies["/ "+cookieSession].Value
	var oauth string
	h.update(func(tx *store.Tx) (err error) {
		oauth, _, err = tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, Session: session})
		return err
	})
	kept := *b.cookies["/hub/ "+cookieLogin]

	b.get("/hub/logout")
	if len(b.cookies) != 0 {
		t.Errorf("cookies left: %v", b.cookies)
	}
	if !slices.Equal(h.proxy.ended, []string{session}) {
		t.Errorf("ended: %v", h.proxy.ended)
	}
	b.cookies["/hub/ "+cookieLogin] = &kept // a thief kept the cookie
	wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
	wantKind(t, h.browser("192.0.2.9").get("/hub/api/user", "Authorization", "token "+oauth), hub.Unauthenticated)
	if got := body(other.get("/hub/home")); got != "alice" {
		t.Errorf("her other browser: %q", got)
	}
}

// Any page can make any browser visit /hub/logout. Without the login cookie that must hurt nobody, not even whose session id
// it brings.
func TestLogoutWithoutLoginCookie(t *testing.T) {
	h := newHouse(t, noon())
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.8")
	wantLogin(t, alice.login("alice", "wonderland"))
	mallory.cookies["/ "+cookieSession] = alice.cookies["/ "+cookieSession]
	if res := mallory.get("/hub/logout"); len(res.Cookies()) != 0 || len(h.proxy.ended) != 0 {
		t.Errorf("cookies %v, ended %v", res.Cookies(), h.proxy.ended)
	}
	if got := body(alice.get("/hub/home")); got != "alice" {
		t.Errorf("alice is %q", got)
	}
}

// The proxy is away: the browser is logged out all the same, and is told what may be left.
func TestLogoutWhileTheProxyIsAway(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	h.proxy.err = hub.Errorf(hub.Unavailable, "away")
	wantKind(t, b.get("/hub/logout"), hub.Unavailable)
	wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
}

// Activity: a person's requests count, at most every half minute; their server's own do not, or no idle server would ever be
// found (specification 1.1).
func TestActivity(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	var server string
	ref := hub.ServerRef{User: "alice"}
	h.update(func(tx *store.Tx) (err error) {
		if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
			return err
		}
		server, _, err = tx.NewServerToken(ref, hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, Scopes: []string{"inherit"}})
		return err
	})
	plain := h.token("alice", "inherit")
	start := c.now()
	steps := []struct {
		what   string
		do     func()
		counts bool
	}{
		{"a page too soon", func() { b.get("/hub/home") }, false},
		{"a page", func() { c.advance(30 * time.Second); b.get("/hub/home") }, true},
		{"the server's token", func() { c.advance(time.Minute); b.get("/hub/api/user", "Authorization", "token "+server) }, false},
		{"a page of the server", func() { c.advance(time.Minute); b.get("/hub/user/alice") }, false},
		{"a plain token", func() { c.advance(time.Minute); b.get("/hub/api/user", "Authorization", "bearer "+plain) }, true},
	}
	last := start
	for _, s := range steps {
		s.do()
		if s.counts {
			last = c.now()
		}
		if got := h.look("alice").LastActivity; !got.Equal(last) {
			t.Errorf("%s: last active %v, want %v", s.what, got, last)
		}
	}
}
