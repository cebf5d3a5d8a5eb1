package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// guests is a hub in which bob and carol are at their own servers and at alice's, and have a token for each; each is logged in in one
// browser. Whose rights are what is the play's.
type guests struct {
	*house
	session map[string]string // by user
}

const hers = "jupyterhub-user-alice"

func playGuests(t *testing.T, play func(*testing.T, *guests)) {
	synctest.Test(t, func(t *testing.T) {
		g := &guests{session: map[string]string{}}
		g.house = newHouse(t, nil, func(o *Options) {
			o.Routespec = func(c hub.Client) string { return "/user/" + c.Server.User + "/" }
		})
		g.rules("")
		g.furnish()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.TurnAway(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		play(t, g)
	})
}

// rules gives whoever has role "teacher" the scopes.
func (g *guests) rules(scope string) {
	g.t.Helper()
	role := rbac.Role{Name: "teacher", Scopes: []string{"list:users"}}
	if scope != "" {
		role.Scopes = append(role.Scopes, scope)
	}
	policy, err := rbac.New([]rbac.Role{role}, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.SetRules(Rules{Policy: policy})
}

func (g *guests) furnish() {
	g.t.Helper()
	for _, name := range []string{"alice", "bob", "carol"} {
		g.user(hub.User{Name: name, UID: hub.NoUID})
		g.update(func(tx *store.Tx) error {
			ref := hub.ServerRef{User: name}
			if err := tx.PutServer(hub.Server{ServerRef: ref}); err != nil {
				return err
			}
			if err := tx.PutClient(hub.Client{ID: "jupyterhub-user-" + name, Server: ref, RedirectURI: "/x"}, strings.Repeat("s", 32)); err != nil {
				return err
			}
			_, s, err := tx.NewSession(hub.Session{User: name, Expires: time.Now().AddDate(0, 0, 1)})
			g.session[name] = s.ID
			return err
		})
		g.enter(name, "jupyterhub-user-"+name)
	}
}

// enter is what is left of a login at a server.
func (g *guests) enter(user, client string) {
	g.t.Helper()
	g.update(func(tx *store.Tx) error {
		_, _, err := tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Client: client, Session: g.session[user], Scopes: []string{"identify"}})
		return err
	})
}

// at lists the clients that a user has tokens for.
func (g *guests) at(user string) (clients []string) {
	g.t.Helper()
	err := g.store.View(func(tx *store.Tx) error {
		for _, t := range tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: user}) {
			clients = append(clients, strings.TrimPrefix(t.Client, "jupyterhub-user-"))
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return clients
}

// share shares alice's server with a user, or with the group class, for everybody who has a say in a play to enter it.
func (g *guests) share(s hub.Share) {
	g.t.Helper()
	s.Server, s.Scopes = hub.ServerRef{User: "alice"}, []string{"access:servers", "read:servers"}
	g.update(func(tx *store.Tx) error {
		_, err := tx.PutShare(s)
		return err
	})
}

func (g *guests) group(users ...string) {
	g.t.Helper()
	g.update(func(tx *store.Tx) error {
		old, err := tx.Group("class")
		if err != nil {
			old = hub.Group{Name: "class"}
		}
		old.Users = users
		_, err = tx.PutGroup(old)
		return err
	})
}

// unshare takes scopes of what is shared with bob.
func (g *guests) unshare(scopes ...string) {
	g.t.Helper()
	g.update(func(tx *store.Tx) error {
		s, err := tx.Share(hub.ServerRef{User: "alice"}, "bob", "")
		if err != nil {
			return err
		}
		_, _, err = tx.NarrowShare(s, scopes)
		return err
	})
}

// Vulnerability: a server lets its visitors in for minutes after the hub would not, and their WebSockets for ever. Attack: bob stays in
// alice's server after what let him in is gone. Verified, for each thing that lets somebody in: he loses his token for her server, and
// the proxy turns his browser away there, before and after; he keeps his own server, and carol and alice keep what they have.
func TestWhoMayNotStayIsTurnedAway(t *testing.T) {
	for name, way := range map[string]struct{ in, out func(*guests) }{
		"a share":              {func(g *guests) { g.share(hub.Share{User: "bob"}) }, func(g *guests) { g.unshare() }},
		"the scope of a share": {func(g *guests) { g.share(hub.Share{User: "bob"}) }, func(g *guests) { g.unshare("access:servers") }},
		"a group with a share": {func(g *guests) { g.group("bob"); g.share(hub.Share{Group: "class"}) }, func(g *guests) { g.group("alice") }},
		"a group's share": {func(g *guests) { g.group("bob"); g.share(hub.Share{Group: "class"}) }, func(g *guests) {
			g.update(func(tx *store.Tx) error {
				s, err := tx.Share(hub.ServerRef{User: "alice"}, "", "class")
				if err != nil {
					return err
				}
				return tx.DeleteShare(s.ID)
			})
		}},
		"a group that goes": {func(g *guests) { g.group("bob"); g.share(hub.Share{Group: "class"}) }, func(g *guests) {
			g.update(func(tx *store.Tx) error { return tx.DeleteGroup("class") })
		}},
		"a role of his": {func(g *guests) {
			g.rules("access:servers!user=alice")
			g.become(func(u *hub.User) { u.Roles = []string{"teacher"} })
		},
			func(g *guests) { g.become(func(u *hub.User) { u.Roles = nil }) }},
		"a role of his group": {func(g *guests) { g.rules("access:servers!user=alice"); g.group("bob"); g.teachers("teacher") }, func(g *guests) { g.teachers() }},
		"a scope of his role": {func(g *guests) {
			g.rules("access:servers!user=alice")
			g.become(func(u *hub.User) { u.Roles = []string{"teacher"} })
		},
			func(g *guests) { g.rules("") }},
		"her group, whose servers his role opens": {func(g *guests) {
			g.group("alice")
			g.rules("access:servers!group=class")
			g.become(func(u *hub.User) { u.Roles = []string{"teacher"} })
		}, func(g *guests) { g.group("carol") }},
		"being an admin": {func(g *guests) { g.become(func(u *hub.User) { u.Admin = true }) }, func(g *guests) { g.become(func(u *hub.User) { u.Admin = false }) }},
	} {
		t.Run(name, func(t *testing.T) {
			playGuests(t, func(t *testing.T, g *guests) {
				way.in(g)
				g.share(hub.Share{User: "carol"})
				g.enter("bob", hers)
				g.enter("carol", hers)
				g.enter("bob", "jupyterhub-user-bob")
				synctest.Wait()
				if told := g.proxy.seen(); len(told) > 0 {
					t.Fatalf("before anything is taken away, the proxy hears %q", told)
				}
				way.out(g)
				synctest.Wait()
				said := g.session["bob"] + " at /user/alice/"
				if told := g.proxy.seen(); !slices.Equal(told, []string{said, said}) {
					t.Errorf("the proxy hears %q", told)
				}
				if bob := g.at("bob"); !slices.Equal(bob, []string{"bob", "bob"}) {
					t.Errorf("bob has tokens for %q", bob)
				}
				if carol := g.at("carol"); !slices.Equal(carol, []string{"carol", "alice"}) {
					t.Errorf("carol has tokens for %q", carol)
				}
				if alice := g.at("alice"); !slices.Equal(alice, []string{"alice"}) {
					t.Errorf("alice has tokens for %q", alice)
				}
			})
		})
	}
}

func (g *guests) become(change func(*hub.User)) {
	g.t.Helper()
	bob := g.look("bob")
	change(&bob)
	g.user(bob)
}

// teachers gives the group class roles.
func (g *guests) teachers(roles ...string) {
	g.t.Helper()
	g.update(func(tx *store.Tx) error {
		class, err := tx.Group("class")
		class.Roles = roles
		if err == nil {
			_, err = tx.PutGroup(class)
		}
		return err
	})
}

// Who has another reason to be there stays, without noticing.
func TestWhoMayStillStayIsLeftAlone(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		g.group("bob")
		g.share(hub.Share{Group: "class"})
		g.share(hub.Share{User: "bob"})
		g.enter("bob", hers)
		g.unshare()
		synctest.Wait()
		if told, at := g.proxy.seen(), g.at("bob"); len(told) > 0 || !slices.Equal(at, []string{"bob", "alice"}) {
			t.Errorf("the proxy hears %q, and bob has tokens for %q", told, at)
		}
	})
}

// What was taken away while the hub was not there, or could not reach the proxy, is done as soon as it can be; until then the tokens
// stay, which are what tells of it. A proxy that knows no such call keeps nobody from losing them.
func TestTurningAwayIsMadeUpFor(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		g.proxy.fail(errors.New("away"))
		g.enter("bob", hers)
		g.rules("")
		synctest.Wait()
		if at := g.at("bob"); !slices.Equal(at, []string{"bob", "alice"}) {
			t.Errorf("nobody could be told, and bob has tokens for %q", at)
		}
		g.proxy.fail(hub.Errorf(hub.NotFound, "no such call"))
		time.Sleep(2 * turnPause)
		synctest.Wait()
		if at := g.at("bob"); !slices.Equal(at, []string{"bob"}) {
			t.Errorf("bob has tokens for %q", at)
		}
	})
}

func (p *proxyDouble) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}
