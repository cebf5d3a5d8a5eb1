package auth

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
)

// guest is what the door says of who has no account.
func guest(name string) hub.Account {
	return hub.Account{Name: name, UID: hub.NoUID, GID: hub.NoUID, Groups: []string{"sudo"}, Guest: true}
}

// playGuest lets a guest log in beside alice and bob.
func playGuest(t *testing.T, rules Rules, play func(*testing.T, *inside, *browser)) {
	playInside(t, rules, func(t *testing.T, in *inside) {
		in.door.add("guest-1", 0, "welcome").Account = guest("guest-1")
		in.registry.set(func(r *registry) { r.accounts["guest-1"] = guest("guest-1") })
		b := in.browser("192.0.2.11")
		wantLogin(t, b.login("guest-1", "welcome"))
		play(t, in, b)
	})
}

func TestAGuestIsAUser(t *testing.T) {
	playGuest(t, Rules{AdminUsers: []string{"guest-1"}}, func(t *testing.T, in *inside, b *browser) {
		rules := *in.Porter.rules.Load()
		rules.AdminGroups = []string{"sudo"}
		in.SetRules(rules)
		wantLogin(t, b.login("guest-1", "welcome"))
		if u := in.look("guest-1"); !u.Guest || u.UID != hub.NoUID || u.Admin {
			t.Errorf("the guest is %+v", u)
		}
		time.Sleep(2 * time.Minute)
		if got := body(b.get("/hub/home")); got != "guest-1" {
			t.Errorf("two minutes later, at home is %q", got)
		}
		if !slices.Contains(in.registry.looked, "guest-1") {
			t.Error("nobody looked whether the guest may stay")
		}
	})
}

// Vulnerability: a guest's session outlives the guest. Attack: root removes a guest, or bars one; the browser goes on.
// Verified: sessions, tokens and servers end, as an account's do.
func TestAGuestDoesNotStayIn(t *testing.T) {
	for name, gone := range map[string]func(*registry){
		"removed": func(r *registry) { delete(r.accounts, "guest-1") },
		"barred":  func(r *registry) { r.refusal["guest-1"] = hub.Errorf(hub.Forbidden, "denied") },
	} {
		t.Run(name, func(t *testing.T) {
			playGuest(t, Rules{}, func(t *testing.T, in *inside, b *browser) {
				token := in.house.token("guest-1", "inherit")
				in.registry.set(gone)
				time.Sleep(time.Minute)
				wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := in.who(token); got != "unauthenticated" || !slices.Contains(in.proxy.seen(), "servers of guest-1") {
					t.Errorf("the token is good for %s; ended: %v", got, in.proxy.seen())
				}
				if got := in.who(in.other); got != "bob" {
					t.Errorf("bob's token is good for %s", got)
				}
			})
		})
	}
}

// An account that comes to be takes its name back: what the guest had ends, and the account's holder gets nothing of it.
func TestAnAccountTakesAGuestsName(t *testing.T) {
	account := hub.Account{Name: "guest-1", UID: 1011}
	for name, play := range map[string]func(*testing.T, *inside, *browser){
		"seen at a look": func(_ *testing.T, in *inside, b *browser) {
			in.registry.set(func(r *registry) { r.accounts["guest-1"] = account })
			time.Sleep(time.Minute)
			_ = b.get("/hub/home").Body.Close() // what it shows is not asked here
		},
		"seen at a login": func(t *testing.T, in *inside, _ *browser) {
			in.door.accounts["guest-1"].Account = account
			wantLogin(t, in.browser("192.0.2.12").login("guest-1", "welcome"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			playGuest(t, Rules{}, func(t *testing.T, in *inside, b *browser) {
				u := in.look("guest-1")
				u.Roles = []string{"teacher"}
				in.user(u)
				play(t, in, b)
				synctest.Wait()
				wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
				if !slices.Contains(in.proxy.seen(), "servers of guest-1") {
					t.Errorf("ended: %v", in.proxy.seen())
				}
				in.door.accounts["guest-1"].Account = account
				in.registry.set(func(r *registry) { r.accounts["guest-1"] = account })
				wantLogin(t, in.browser("192.0.2.12").login("guest-1", "welcome"))
				if u := in.look("guest-1"); u.Guest || u.UID != 1011 || len(u.Roles) > 0 {
					t.Errorf("the account's user is %+v", u)
				}
			})
		})
	}
}

// Vulnerability: while a directory server is away its accounts look like names that a guest may have. Attack: a guest logs in by alice's
// name, and her account is looked at. Verified: he does not come in, and nothing of hers is lost but the time until she is back.
func TestAGuestTakesNoAccountsName(t *testing.T) {
	playInside(t, Rules{}, func(t *testing.T, in *inside) {
		in.door.accounts["alice"].Account = guest("alice")
		if res := in.browser("192.0.2.13").login("alice", "wonderland"); res.StatusCode == http.StatusFound || res.Header.Get("X-Kind") != hub.Forbidden.String() {
			t.Errorf("the guest gets %d, %s", res.StatusCode, res.Header.Get("X-Kind"))
		}
		in.registry.set(func(r *registry) { r.accounts["alice"] = guest("alice") })
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
