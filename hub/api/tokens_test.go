package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/api"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

func TestMakingATokenAndUsingIt(t *testing.T) {
	w := newWorld(t)
	var made client.Token
	w.ask(w.token("alice"), "POST", "/hub/api/users/alice/tokens", `{"note":"laptop","expires_in":3600,"scopes":["read:servers!user"]}`).is(201).into(&made)
	if len(made.Value) != 32 || made.Note != "laptop" || made.User != "alice" || made.OAuthClient != "JupyterHub" || made.ExpiresAt.Sub(made.Created.Time) != time.Hour {
		t.Errorf("made %+v", made)
	}
	if got := fmt.Sprint(made.Scopes); !strings.Contains(got, "read:servers!user=alice") || strings.Contains(got, "start:servers") {
		t.Errorf("scopes %s", got)
	}
	w.ask(made.Value, "GET", "/hub/api/users/alice/server").is(200)
	w.ask(made.Value, "POST", "/hub/api/users/alice/server").is(403, "requires any of [start:servers]")
	got := w.ask(w.token("alice"), "GET", "/hub/api/users/alice/tokens/"+made.ID).is(200, `"kind":"api_token"`, `"roles":[]`, `"session_id":null`)
	if strings.Contains(got.body, made.Value) || strings.Contains(got.body, `"token"`) {
		t.Errorf("the value is shown again: %s", got.body)
	}
	w.ask(w.token("alice"), "DELETE", "/hub/api/users/alice/tokens/"+made.ID).is(204)
	w.ask(made.Value, "GET", "/hub/api/user").is(403)
	w.ask(w.token("alice"), "DELETE", "/hub/api/users/alice/tokens/"+made.ID).is(404)
}

func TestWhatATokenMayBe(t *testing.T) {
	w := newWorld(t, func(o *api.Options) { o.TokenMax = 48 * time.Hour })
	alice := w.token("alice")
	for body, want := range map[string]string{
		``:                                             "201 inherit",
		`{}`:                                           "201 inherit",
		`{"scopes":[]}`:                                "201 ",
		`{"roles":[]}`:                                 "201 ",
		`{"roles":["token"]}`:                          "201 inherit",
		`{"roles":["server"]}`:                         "400", // !server of no client is nothing, but the rest is fine: see below
		`{"scopes":["servers!server=alice/"]}`:         "201 servers!server=alice/",
		`{"scopes":["custom:x"]}`:                      "400",
		`{"scopes":["self"]}`:                          "201 self",
		`{"scopes":["read:users"]}`:                    "400",
		`{"scopes":["admin:users!user=alice"]}`:        "400",
		`{"scopes":["servers!user=bob"]}`:              "400",
		`{"scopes":["servers!planet=mars"]}`:           "400",
		`{"roles":["king"]}`:                           "400",
		`{"scopes":[],"roles":[]}`:                     "400",
		`{"scopes":"self"}`:                            "400",
		`{"expires_in":0}`:                             "400",
		`{"expires_in":-1}`:                            "400",
		`{"expires_in":true}`:                          "400",
		`{"expires_in":1.5}`:                           "400",
		`{"expires_in":1e30}`:                          "400",
		`{"expires_in":172801}`:                        "400",
		`{"expires_in":null}`:                          "201 inherit",
		`{"note":7}`:                                   "400",
		`{"note":"` + strings.Repeat("x", 1001) + `"}`: "400",
	} {
		if strings.Contains(body, `"server"`) {
			want = "201 access:servers!server users:activity!user"
		}
		got := w.ask(alice, "POST", "/hub/api/users/alice/tokens", body)
		if got.status != 201 {
			if fmt.Sprint(got.status) != want {
				t.Errorf("%s: %d %s, want %s", body, got.status, got.body, want)
			}
			continue
		}
		var made client.Token
		got.into(&made)
		w.view(func(tx *store.Tx) error {
			stored, err := tx.Token(number(t, made.ID))
			if have := "201 " + strings.Join(stored.Scopes, " "); have != want || stored.Expires.IsZero() {
				t.Errorf("%s: %s until %s, want %s and an end", body, have, stored.Expires, want)
			}
			return err
		})
	}
}

func number(t *testing.T, id string) (n uint64) {
	t.Helper()
	if _, err := fmt.Sscanf(id, "a%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Whose tokens these are decides who may see, make and revoke them; whether a user exists is not told.
func TestTokensOfOthers(t *testing.T) {
	w := newWorld(t)
	var made client.Token
	w.ask(w.token("bob"), "POST", "/hub/api/users/bob/tokens").is(201).into(&made)
	alice, admin := w.token("alice"), w.token("admin")
	w.ask(alice, "GET", "/hub/api/users/bob/tokens").is(404)
	w.ask(alice, "POST", "/hub/api/users/bob/tokens").is(403)
	w.ask(alice, "POST", "/hub/api/users/nobody/tokens").is(403)
	w.ask(alice, "DELETE", "/hub/api/users/bob/tokens/"+made.ID).is(404)
	w.ask(alice, "DELETE", "/hub/api/users/alice/tokens/"+made.ID).is(404)
	for _, id := range []string{"a0", "a999", "1", "a01", "a-1", "a+1", "a18446744073709551616", "x"} {
		w.ask(alice, "GET", "/hub/api/users/alice/tokens/"+id).is(404)
	}
	w.ask(admin, "POST", "/hub/api/users/bob/tokens", `{"scopes":["admin:users"]}`).is(400) // bob does not hold it, whoever asks
	w.ask(admin, "POST", "/hub/api/users/bob/tokens").is(201, "Requested via api by user admin")
	w.ask(admin, "POST", "/hub/api/users/nobody/tokens").is(403)
	w.ask(admin, "GET", "/hub/api/users/nobody/tokens").is(404)
	w.ask(admin, "GET", "/hub/api/users/bob/tokens").is(200, `"api_tokens":[{`, made.ID)
}

// Vulnerability: privilege kept after it was taken away.
// Attack: mallory was an admin, made tokens, and is none any more.
// Verified: her tokens are measured by what she holds now, at every request.
func TestTokensShrinkWithTheirOwner(t *testing.T) {
	w := newWorld(t)
	w.ask(w.token("admin"), "PATCH", "/hub/api/users/mallory", `{"admin":true}`).is(200)
	whole, users := w.token("mallory"), w.token("mallory", "admin:users", "list:users")
	for _, token := range []string{whole, users} {
		w.ask(token, "GET", "/hub/api/users").is(200)
	}
	w.ask(w.token("admin"), "PATCH", "/hub/api/users/mallory", `{"admin":false}`).is(200)
	for _, token := range []string{whole, users} {
		w.ask(token, "GET", "/hub/api/users").is(403)
		w.ask(token, "GET", "/hub/api/users/alice").is(404)
	}
	w.ask(whole, "GET", "/hub/api/users/mallory").is(200)
}

// Revoking one token of an OAuth client revokes all that it has of this user, and nobody else's.
func TestRevokingAnApplication(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		if err := tx.PutService(hub.Service{Name: "wiki"}); err != nil {
			return err
		}
		return tx.PutClient(hub.Client{ID: "service-wiki", Service: "wiki", RedirectURI: "/services/wiki/oauth_callback", Description: "Wiki"}, "a-long-secret")
	})
	app := func(user string) string {
		return w.mint(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: user}, Client: "service-wiki"})
	}
	first, second, bobs, plain := app("alice"), app("alice"), app("bob"), w.token("alice")
	id := w.ask(first, "GET", "/hub/api/user").is(200).object()["token_id"].(string)
	w.ask(plain, "GET", "/hub/api/users/alice/tokens/"+id).is(200, `"oauth_client":"Wiki"`)
	w.ask(plain, "DELETE", "/hub/api/users/alice/tokens/"+id).is(204)
	for token, want := range map[string]int{first: 403, second: 403, bobs: 200, plain: 200} {
		w.ask(token, "GET", "/hub/api/user").is(want)
	}
}

// Vulnerability: a token was measured by what its owner holds, not by what who asks for it holds (JupyterHub has it so; the
// like of CVE-2024-41942).
// Attack: mallory's service may make tokens, and makes one of admin's that inherits; mallory finds a token of admin's that was
// made to make tokens and for nothing else, and makes one that inherits.
// Verified: neither becomes an admin. What every user holds may be given on as before, and an admin gives what they hold.
func TestMakingTokensMakesNoAdmin(t *testing.T) {
	w := newWorld(t)
	service, narrow := w.service("launcher", "tokens"), w.token("admin", "tokens!user")
	for _, token := range []string{service, narrow} {
		w.ask(token, "POST", "/hub/api/users/admin/tokens").is(403)
		w.ask(token, "POST", "/hub/api/users/admin/tokens", `{"scopes":["admin:users"]}`).is(403)
		w.ask(token, "POST", "/hub/api/users/admin/tokens", `{"scopes":["access:servers"]}`).is(403)
		w.ask(token, "POST", "/hub/api/users/admin/tokens", `{"scopes":["access:servers!user"]}`).is(201)
		w.ask(token, "POST", "/hub/api/users/admin/tokens", `{"scopes":[]}`).is(201)
	}
	w.ask(service, "POST", "/hub/api/users/alice/tokens").is(201)
	w.ask(w.token("alice", "tokens!user"), "POST", "/hub/api/users/alice/tokens").is(201)
	w.ask(w.token("admin"), "POST", "/hub/api/users/admin/tokens").is(201)
	w.ask(w.token("admin"), "POST", "/hub/api/users/alice/tokens").is(201)
}

// Vulnerability: a group can hold the role admin, and its members are whoever holds groups puts into it (JupyterHub has it so).
// Attack: mallory's service, which keeps classes up to date, puts mallory among the staff.
// Verified: that takes an admin; other groups are the service's as before.
func TestFillingGroupsMakesNoAdmin(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		if _, err := tx.PutGroup(hub.Group{Name: "class"}); err != nil {
			return err
		}
		_, err := tx.PutGroup(hub.Group{Name: "staff", Roles: []string{"admin"}, Users: []string{"alice"}})
		return err
	})
	service, body := w.service("classes", "groups"), `{"users":["mallory"]}`
	w.ask(service, "POST", "/hub/api/groups/staff/users", body).is(403, "Only admins")
	w.ask(service, "DELETE", "/hub/api/groups/staff/users", `{"users":["alice"]}`).is(403)
	w.ask(w.token("mallory"), "GET", "/hub/api/users").is(403)
	w.ask(service, "POST", "/hub/api/groups/class/users", body).is(200, "mallory")
	w.ask(w.token("admin"), "POST", "/hub/api/groups/staff/users", body).is(200, "mallory")
}
