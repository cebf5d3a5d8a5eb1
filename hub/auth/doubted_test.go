package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// program gives somebody a token that opens what they may enter, and returns its id, its value and the name that the proxy knows it by.
func (g *guests) program(user string) (id uint64, value, name string) {
	g.t.Helper()
	g.update(func(tx *store.Tx) (err error) {
		var t hub.Token
		value, t, err = tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Scopes: []string{rbac.Inherit}})
		if err != nil {
			return err
		}
		id = t.ID
		name, err = tx.TokenName(id)
		return err
	})
	return id, value, name
}

// show is a server's question who shows it a token.
func (g *guests) show(value string) {
	g.t.Helper()
	r := httptest.NewRequest("GET", "/hub/api/user", nil)
	r.Header.Set("Authorization", "token "+value)
	rec := httptest.NewRecorder()
	g.Tokens(g.mux()).ServeHTTP(rec, r)
	if rec.Code != http.StatusOK || rec.Body.Len() == 0 {
		g.t.Errorf("the token is nobody's: %d", rec.Code)
	}
}

// heard returns what the proxy was told of tokens since the last time.
func (p *proxyDouble) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.tokens
	p.tokens = nil
	return said
}

// Vulnerability: a server believes a token that it is shown in a header for minutes after it was revoked. Attack: bob's program goes on
// with one that was deleted, went with its owner or its server, or has expired. Verified: the proxy hears of each, at once and by its hash.
func TestTheProxyHearsOfEndedTokens(t *testing.T) {
	for name, end := range map[string]func(g *guests, id uint64) error{
		"deleted": func(g *guests, id uint64) error {
			return g.store.Update(func(tx *store.Tx) error { return tx.DeleteToken(id) })
		},
		"with its user": func(g *guests, _ uint64) error {
			return g.store.Update(func(tx *store.Tx) error { return tx.DeleteUser("bob") })
		},
		"locked out": func(g *guests, _ uint64) error { return g.LockOut(g.t.Context(), "bob") },
	} {
		t.Run(name, func(t *testing.T) {
			playGuests(t, func(t *testing.T, g *guests) {
				id, _, token := g.program("bob")
				_, _, other := g.program("carol")
				synctest.Wait()
				if told := g.proxy.heard(); len(told) > 0 {
					t.Fatalf("before it has ended the proxy hears %q", told)
				}
				if err := end(g, id); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if told := g.proxy.heard(); !slices.Contains(told, token) || slices.Contains(told, other) {
					t.Errorf("the proxy hears %q, and %s has ended", told, token)
				}
			})
		})
	}
}

// What could not be said is said as soon as it can be. A proxy that does not know the call is told once.
func TestEndedTokensAreNotForgotten(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		id, _, token := g.program("bob")
		g.proxy.fail(errors.New("away"))
		g.update(func(tx *store.Tx) error { return tx.DeleteToken(id) })
		synctest.Wait()
		g.proxy.fail(nil)
		time.Sleep(2 * turnPause)
		synctest.Wait()
		if told := g.proxy.heard(); !slices.Contains(told, token) {
			t.Errorf("the proxy hears %q", told)
		}
		id, _, _ = g.program("bob")
		g.proxy.fail(hub.Errorf(hub.NotFound, "no such call"))
		g.update(func(tx *store.Tx) error { return tx.DeleteToken(id) })
		synctest.Wait()
		g.proxy.fail(nil)
		time.Sleep(2 * turnPause)
		synctest.Wait()
		if told := g.proxy.heard(); len(told) > 0 {
			t.Errorf("a proxy that does not know the call hears %q again", told)
		}
	})
}

// Vulnerability: what a token opens is believed by a server for minutes, too. Attack: bob's program goes on in alice's server after the
// share is taken back, or a reload has taken a role. Verified: the proxy hears that servers have to ask about the token anew, and which of
// its WebSockets may stay; when nobody has less than before it hears nothing, and nothing of tokens that no server was shown.
func TestServersAskAnewAboutTokens(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		g.share(hub.Share{User: "bob"})
		_, _, bobs := g.program("bob")
		_, carols, hers := g.program("carol")
		g.update(func(tx *store.Tx) error { // has nothing to do with who may enter
			_, err := tx.PutUser(hub.User{Name: "dave", UID: hub.NoUID})
			return err
		})
		synctest.Wait()
		if told := g.proxy.heard(); len(told) > 0 {
			t.Fatalf("the proxy hears %q", told)
		}
		g.unshare()
		synctest.Wait()
		if told := g.proxy.heard(); !slices.Equal(told, []string{bobs + " but at /user/bob/"}) {
			t.Errorf("the proxy hears %q", told)
		}
		g.show(carols)
		g.rules("")
		synctest.Wait()
		if told := g.proxy.heard(); !slices.Equal(told, []string{hers + " but at /user/carol/"}) {
			t.Errorf("after a reload the proxy hears %q", told)
		}
	})
}

// Vulnerability: a WebSocket that was opened by a token is asked about once. Attack: bob opens one in alice's server by a token, and is still
// there, long after, when what let him in goes: by a reload, or with alice's leaving the group through which his role opened her server. Verified, for each: the proxy hears of his token and what it still opens; and it hears nothing of carol's, which
// nobody ever came with.
func TestWebSocketsOfLongAgoAreNotForgotten(t *testing.T) {
	teacher := func(scope string) func(*guests) {
		return func(g *guests) {
			g.group("alice")
			g.rules(scope)
			g.become(func(u *hub.User) { u.Roles = []string{"teacher"} })
		}
	}
	for name, way := range map[string]struct{ in, out func(*guests) }{
		"a scope of his role":                     {teacher("access:servers!user=alice"), func(g *guests) { g.rules("") }},
		"her group, whose servers his role opens": {teacher("access:servers!group=class"), func(g *guests) { g.group() }},
	} {
		t.Run(name, func(t *testing.T) {
			playGuests(t, func(t *testing.T, g *guests) {
				way.in(g)
				_, value, bobs := g.program("bob")
				g.program("carol")
				g.show(value)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				g.proxy.heard()
				way.out(g)
				synctest.Wait()
				if told := g.proxy.heard(); !slices.Equal(told, []string{bobs + " but at /user/bob/"}) {
					t.Errorf("the proxy hears %q, not what %s may open", told, bobs)
				}
			})
		})
	}
}

// Whoever has another name has other servers. Verified: the proxy hears of the tokens of a user who is renamed.
func TestTokensOfTheRenamedAreDoubted(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		_, _, bobs := g.program("bob")
		g.update(func(tx *store.Tx) error { return tx.RenameUser("bob", "robert") })
		synctest.Wait()
		told := g.proxy.heard()
		if !slices.ContainsFunc(told, func(said string) bool { return strings.HasPrefix(said, bobs+" but at ") }) {
			t.Errorf("the proxy hears %q, not of %s", told, bobs)
		}
	})
}

// However many tokens may open less, what has ended meanwhile is told soon, and all of them are told of in the end.
func TestManyDoubtedTokensAreAllTold(t *testing.T) {
	playGuests(t, func(t *testing.T, g *guests) {
		const many = 2*toldAtOnce + 1
		for range many {
			_, value, _ := g.program("bob")
			g.show(value)
		}
		g.proxy.heard()
		g.rules("")
		synctest.Wait()
		if told := g.proxy.heard(); len(told) != many {
			t.Errorf("the proxy hears of %d tokens of %d", len(told), many)
		}
	})
}

// However many tokens servers are shown, what is kept of them is bounded, and the last is among it.
func TestQuestionsAreBounded(t *testing.T) {
	var k asked
	now := time.Now()
	for id := range uint64(mostAsked + 10) {
		k.note(id, now)
	}
	if kept := k.lately(now); len(kept) != mostAsked || !slices.Contains(kept, mostAsked+9) {
		t.Errorf("%d are kept", len(kept))
	}
	if kept := k.lately(now.Add(believedFor + 1)); len(kept) != 0 {
		t.Errorf("%d are kept for ever", len(kept))
	}
}
