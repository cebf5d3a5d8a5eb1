package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

// registry is the door that accounts are looked at through. It notes who was looked at.
type registry struct {
	mu       sync.Mutex // guards the rest
	accounts map[string]hub.Account
	refusal  map[string]error
	looked   []string
}

func newRegistry() *registry {
	return &registry{accounts: map[string]hub.Account{"alice": {Name: "alice", UID: 1002}, "bob": {Name: "bob", UID: 1003}}, refusal: map[string]error{}}
}

func (r *registry) Check(_ context.Context, name string) (hub.Account, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = append(r.looked, name)
	a, known := r.accounts[name]
	switch {
	case r.refusal[name] != nil:
		return hub.Account{}, r.refusal[name]
	case !known:
		return hub.Account{}, hub.Errorf(hub.NotFound, "there is no such account")
	}
	return a, nil
}

func (r *registry) set(change func(*registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

func (r *registry) refuse(name string, err error) { r.set(func(r *registry) { r.refusal[name] = err }) }
func (r *registry) remove(name string)            { r.set(func(r *registry) { delete(r.accounts, name) }) }

func (r *registry) looks() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.looked)
}

// inside is a hub in which alice is logged in, has a token, and bob too.
type inside struct {
	*house
	registry     *registry
	alice        *browser
	token, other string
}

// playInside runs a play with the porter's loop at work, on a clock of its own.
func playInside(t *testing.T, rules Rules, play func(*testing.T, *inside)) {
	synctest.Test(t, func(t *testing.T) {
		in := &inside{registry: newRegistry()}
		in.house = newHouse(t, nil, func(o *Options) {
			o.Accounts = in.registry
			rules.Policy, rules.AdminGroups = o.Rules.Policy, o.Rules.AdminGroups
			o.Rules = rules
		})
		in.Porter.o.Evictor = in.proxy
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- in.Run(ctx) }()
		defer func() {
			cancel()
			<-done
		}()
		in.alice = in.browser("192.0.2.7")
		wantLogin(t, in.alice.login("alice", "wonderland"))
		wantLogin(t, in.browser("192.0.2.8").login("bob", "builder"))
		in.token, in.other = in.house.token("alice", "inherit"), in.house.token("bob", "inherit")
		play(t, in)
	})
}

// who asks the API with a token.
func (in *inside) who(token string) string {
	res := in.browser("192.0.2.9").get("/hub/api/user", "Authorization", "token "+token)
	if kind := res.Header.Get("X-Kind"); kind != "" {
		return kind
	}
	return body(res)
}

// wantOut fails unless alice lost everything, and bob nothing.
func (in *inside) wantOut() {
	in.t.Helper()
	synctest.Wait()
	wantKind(in.t, in.alice.get("/hub/home"), hub.Unauthenticated)
	if got := in.who(in.token); got != "unauthenticated" {
		in.t.Errorf("alice's token is good for %s", got)
	}
	if got := in.who(in.other); got != "bob" {
		in.t.Errorf("bob's token is good for %s", got)
	}
	err := in.store.View(func(tx *store.Tx) error {
		if n := len(tx.Tokens(hub.Owner{Kind: hub.OwnerUser, Name: "alice"})) + len(tx.Sessions("alice")); n > 0 {
			in.t.Errorf("alice has %d tokens and sessions", n)
		}
		return nil
	})
	if err != nil {
		in.t.Error(err)
	}
	if !slices.Contains(in.proxy.seen(), "servers of alice") {
		in.t.Errorf("ended: %v", in.proxy.seen())
	}
}

// Vulnerability: a session of two weeks and a token for ever outlive the account. Attack: alice is dismissed, her account locked, has
// expired or is not admitted any more, and her browser and her scripts go on. Verified: within a minute none of them gets in,
// and what she had ends. Her rights are hers again when the account is in order again.
func TestALockedAccountDoesNotStayIn(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		u := in.look("alice")
		u.Roles = []string{"teacher"}
		in.user(u)
		in.registry.refuse("alice", hub.Errorf(hub.Forbidden, "locked"))
		if got := in.who(in.token); got != "alice" {
			t.Fatalf("what was seen at the login is forgotten already: %s", got)
		}
		time.Sleep(time.Minute)
		wantKind(t, in.alice.get("/hub/home"), hub.Unauthenticated) // at once, before anything was ended
		in.wantOut()
		in.registry.refuse("alice", nil)
		wantLogin(t, in.alice.login("alice", "wonderland"))
		if got := in.look("alice"); !slices.Equal(got.Roles, []string{"teacher"}) || got.UID != 1002 {
			t.Errorf("unlocked, alice is %+v", got)
		}
		if got := body(in.alice.get("/hub/home")); got != "alice" {
			t.Errorf("unlocked and logged in, at home is %q", got)
		}
	})
}

// The name service says "no such account" too while a directory server is away. Verified: the second time counts, a minute later;
// until then nobody comes in and nothing ends. Nobody has to ask for it.
func TestARemovedAccountDoesNotStayIn(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.registry.remove("alice")
		time.Sleep(time.Minute)
		wantKind(t, in.alice.get("/hub/home"), hub.Unauthenticated)
		synctest.Wait()
		if len(in.proxy.seen()) > 0 {
			t.Fatalf("ended after one look: %v", in.proxy.seen())
		}
		time.Sleep(time.Minute)
		in.wantOut()
		if in.look("alice").UID != 1002 {
			t.Error("the account's uid is forgotten: the next one of that name would be taken for her")
		}
	})
}

func TestADirectoryServerThatIsAwayForAWhile(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.registry.remove("alice")
		time.Sleep(time.Minute)
		wantKind(t, in.alice.get("/hub/home"), hub.Unauthenticated)
		in.registry.set(func(r *registry) { r.accounts["alice"] = hub.Account{Name: "alice", UID: 1002} })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := body(in.alice.get("/hub/home")); got != "alice" || in.who(in.token) != "alice" || len(in.proxy.seen()) > 0 {
			t.Errorf("back again, at home is %q; ended: %v", got, in.proxy.seen())
		}
	})
}

// delete_invalid_users forgets a user whose account is gone.
func TestARemovedAccountsUserIsForgottenOnRequest(t *testing.T) {
	playInside(t, Rules{DeleteInvalidUsers: true}, func(t *testing.T, in *inside) {
		in.registry.remove("alice")
		time.Sleep(time.Minute)
		in.who(in.token)
		time.Sleep(time.Minute)
		in.wantOut()
		in.forgotten("alice")
	})
}

// A name whose account has another uid is another person's: the user is forgotten whole, and the next login makes a new one.
func TestAnAccountOfAnotherUidDoesNotStayIn(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		before := in.look("alice")
		in.registry.set(func(r *registry) { r.accounts["alice"] = hub.Account{Name: "alice", UID: 2002} })
		in.door.accounts["alice"].UID = 2002
		time.Sleep(time.Minute)
		in.who(in.token)
		in.wantOut()
		in.forgotten("alice")
		wantLogin(t, in.alice.login("alice", "wonderland"))
		if now := in.look("alice"); now.ID == before.ID || now.UID != 2002 {
			t.Errorf("the new alice is %+v, the old one was %+v", now, before)
		}
	})
}

// A door that does not answer says nothing of anybody.
func TestAnAccountThatNobodyCanLookAt(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		for _, err := range []error{hub.Errorf(hub.Unavailable, "away"), errors.New("broken"), context.DeadlineExceeded} {
			in.registry.refuse("alice", err)
			time.Sleep(time.Minute)
			if got := in.who(in.token); got != "alice" || in.Admit(t.Context(), "alice") != nil {
				t.Errorf("%v: %s", err, got)
			}
		}
		if len(in.proxy.seen()) > 0 {
			t.Errorf("ended: %v", in.proxy.seen())
		}
	})
}

// Accounts are looked at once a minute and user, whoever asks and however often.
func TestLooksAreRemembered(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		time.Sleep(time.Minute)
		before := in.registry.looks()
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() { in.who(in.token) })
		}
		askers.Wait()
		if got := in.registry.looks() - before; got != 1 {
			t.Errorf("%d looks for 50 requests", got)
		}
		for _, c := range []struct {
			pause time.Duration
			looks int
		}{{59 * time.Second, 1}, {time.Second - 1, 1}, {1, 2}, {59 * time.Second, 2}, {time.Second, 3}} {
			time.Sleep(c.pause)
			in.who(in.token)
			if got := in.registry.looks() - before; got != c.looks {
				t.Errorf("%v later, %d looks, want %d", c.pause, got, c.looks)
			}
		}
	})
	playInside(t, Rules{AccountAge: -1}, func(t *testing.T, in *inside) {
		in.registry.refuse("alice", hub.Errorf(hub.Forbidden, "locked"))
		time.Sleep(24 * time.Hour)
		if got := in.who(in.token); got != "alice" || in.registry.looks() > 0 {
			t.Errorf("switched off: %s, %d looks", got, in.registry.looks())
		}
		if err := in.Admit(t.Context(), "alice"); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("a server's start: %v", err)
		}
	})
}

// A start looks anew, whatever is remembered, and says why in a cause.
func TestAStartLooksAnew(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		if err := in.Admit(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		in.registry.refuse("alice", hub.Errorf(hub.Forbidden, "locked"))
		err := in.Admit(t.Context(), "alice")
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.Forbidden || e.Cause == nil || e.Cause.Kind != hub.CauseAccount {
			t.Errorf("%v", err)
		}
		in.wantOut()
	})
}

// A user by whose name nobody ever logged in is a robot, which the hub alone knows.
func TestRobotsHaveNoAccount(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.user(hub.User{Name: "robot", UID: hub.NoUID})
		token := in.house.token("robot", "inherit")
		time.Sleep(time.Hour)
		if got := in.who(token); got != "robot" {
			t.Errorf("the robot is %s", got)
		}
	})
}

// The culler's pass looks at whom it is given.
func TestAPassOverAccounts(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.registry.refuse("alice", hub.Errorf(hub.Forbidden, "locked"))
		time.Sleep(time.Minute)
		ended, err := in.CheckAccounts(t.Context(), strings.Fields("alice bob nobody"))
		if ended != 1 || err != nil {
			t.Errorf("%d, %v", ended, err)
		}
		in.wantOut()
	})
}

// What fails is tried again, and until then its user is not let in.
func TestShowingOutIsTriedAgain(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.proxy.mu.Lock()
		in.proxy.err = errors.New("the proxy is away")
		in.proxy.mu.Unlock()
		in.registry.refuse("alice", hub.Errorf(hub.Forbidden, "locked"))
		time.Sleep(time.Minute)
		in.who(in.token)
		time.Sleep(3 * outPause)
		if got := in.who(in.token); got != "unauthenticated" {
			t.Errorf("meanwhile alice's token is good for %s", got)
		}
		in.proxy.mu.Lock()
		in.proxy.err = nil
		in.proxy.mu.Unlock()
		time.Sleep(2 * outPause)
		in.wantOut()
	})
}
