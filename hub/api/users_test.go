package api_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

func names(users []client.User) (out []string) {
	for _, u := range users {
		out = append(out, u.Name)
	}
	return out
}

func TestListOfUsers(t *testing.T) {
	w := newWorld(t)
	w.shop.Start(t.Context(), hub.ServerRef{User: "alice"}, "", nil)
	w.shop.Start(t.Context(), hub.ServerRef{User: "bob"}, "", nil)
	w.shop.become(hub.ServerRef{User: "bob"}, hub.Starting)
	w.store.TouchUser("mallory", time.Now().Add(time.Hour)) // later than what the asking itself counts for
	admin := w.token("admin", "list:users", "read:users", "read:servers")
	for query, want := range map[string][]string{
		"":                         {"admin", "alice", "bob", "mallory"},
		"?sort=-name":              {"mallory", "bob", "alice", "admin"},
		"?state=ready":             {"alice"},
		"?state=active":            {"alice", "bob"},
		"?state=inactive":          {"admin", "mallory"},
		"?name_filter=AL":          {"alice", "mallory"},
		"?name_filter=al&limit=1":  {"alice"},
		"?offset=2":                {"bob", "mallory"},
		"?offset=9":                nil,
		"?sort=-id&limit=2":        {"mallory", "bob"},
		"?state=active&sort=-name": {"bob", "alice"},
	} {
		var got []client.User
		w.ask(admin, "GET", "/hub/api/users"+query).is(200).into(&got)
		if !slices.Equal(names(got), want) {
			t.Errorf("%s: %v, want %v", query, names(got), want)
		}
	}
	for _, query := range []string{"?state=asleep", "?sort=size", "?limit=x"} {
		w.ask(admin, "GET", "/hub/api/users"+query).is(400)
	}
	var got []client.User
	w.ask(admin, "GET", "/hub/api/users?sort=-last_activity&limit=1").into(&got)
	if names(got)[0] != "mallory" {
		t.Errorf("the last one active is %v", names(got))
	}
}

func TestPagesOfUsersAreFollowedToTheEnd(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	var body []string
	for i := range 130 {
		body = append(body, fmt.Sprintf("%q", fmt.Sprintf("student%03d", i)))
	}
	w.ask(admin, "POST", "/hub/api/users", `{"usernames":[`+strings.Join(body, ",")+`]}`).is(201)
	seen, next := 0, "http://hub.example:8000/hub/api/users?name_filter=student"
	for next != "" {
		r := httptest.NewRequest("GET", next, nil)
		r.Header.Set("Authorization", "Bearer "+admin)
		r.Header.Set("Accept", client.PaginationType)
		var got page[[]client.User]
		reply := w.send(w.door, r).is(200)
		reply.into(&got)
		if got.Pagination.Total != 130 || reply.head.Get("Content-Type") != "application/json" {
			t.Fatalf("total %d, type %s", got.Pagination.Total, reply.head.Get("Content-Type"))
		}
		seen += len(got.Items)
		next = ""
		if got.Pagination.Next != nil {
			next = got.Pagination.Next.URL
		}
	}
	if seen != 130 {
		t.Errorf("followed the pages and saw %d users", seen)
	}
}

// Whoever may list some users sees these and counts these.
func TestListIsCutToWhatTheReaderMaySee(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		if _, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"bob"}}); err != nil {
			return err
		}
		u, err := tx.User("alice")
		if err == nil {
			u.Roles = []string{"teacher"}
			_, err = tx.PutUser(u)
		}
		return err
	})
	var got page[[]client.User]
	r := httptest.NewRequest("GET", "/hub/api/users", nil)
	r.Header.Set("Authorization", "token "+w.token("alice"))
	r.Header.Set("Accept", client.PaginationType)
	w.send(w.door, r).is(200).into(&got)
	if !slices.Equal(names(got.Items), []string{"bob"}) || got.Pagination.Total != 1 {
		t.Errorf("the teacher sees %v of %d", names(got.Items), got.Pagination.Total)
	}
}

// Keys of a user are there as far as the reader's scopes for this user go, and no further (specification 1.3).
func TestUserShowsWhatTheReaderMaySee(t *testing.T) {
	w := newWorld(t)
	w.shop.Start(t.Context(), hub.ServerRef{User: "alice"}, "", nil)
	for scope, want := range map[string]string{
		"read:users:name":     "admin kind name user_info",
		"read:users:groups":   "groups kind name",
		"read:users:activity": "kind last_activity name",
		"read:roles:users":    "admin kind name roles",
		"read:servers":        "admin kind name servers user_info",
		"read:users":          "admin created groups kind last_activity name pending roles server user_info",
		"admin:users":         "admin auth_state created groups kind last_activity name pending roles server user_info",
	} {
		got := w.ask(w.service("s", scope), "GET", "/hub/api/users/alice").is(200).object()
		var keys []string
		for k := range got {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if strings.Join(keys, " ") != want {
			t.Errorf("%s shows %s, want %s", scope, strings.Join(keys, " "), want)
		}
	}
}

func TestServersAreShownAsTheReaderMaySee(t *testing.T) {
	w := newWorld(t)
	ref := hub.ServerRef{User: "alice"}
	w.shop.fails = &hub.Cause{Kind: hub.CauseExited, Message: "it ended", Journal: []string{"a secret line"}}
	w.shop.Start(t.Context(), ref, "", nil)
	path := "/hub/api/users/alice?include_stopped_servers"
	w.ask(w.token("alice"), "GET", path).is(200, `"stopped":true`, `"failure":{"kind":"exited"`, "a secret line")
	got := w.ask(w.service("culler", "read:servers"), "GET", path).is(200, `"failure":{"kind":"exited"`)
	if strings.Contains(got.body, "secret line") || strings.Contains(got.body, `"state"`) {
		t.Errorf("a reader of servers sees what they print, or the unit: %s", got.body)
	}
	w.ask(w.token("admin"), "GET", path).is(200, `"state":{"unit":"jupyter-alice.service","state":"failed","uid":1000}`)
	w.ask(w.token("alice"), "GET", "/hub/api/users/alice").is(200, `"servers":{}`, `"server":null`, `"pending":null`)
	w.ask(w.token("alice"), "GET", "/hub/api/users/alice?include_stopped_servers=0").is(200, `"servers":{}`)
}

func TestCreateUsers(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{"POST", "/hub/api/users", `{"usernames":["Carol","dave","alice"]}`, 201, `"name":"carol"`},
		{"POST", "/hub/api/users", `{"usernames":["carol"]}`, 409, ""},
		{"POST", "/hub/api/users", `{"usernames":[]}`, 400, ""},
		{"POST", "/hub/api/users", ``, 400, ""},
		{"POST", "/hub/api/users", `{"usernames":"x"}`, 400, ""},
		{"POST", "/hub/api/users", `{"usernames":[1]}`, 400, ""},
		{"POST", "/hub/api/users", `{"usernames":["ok","a/b"]}`, 400, "a/b"},
		{"POST", "/hub/api/users", `{"usernames":["\ud800"]}`, 400, ""},
		{"POST", "/hub/api/users", `{"usernames":["ok"],"shoe_size":7}`, 400, "shoe_size"},
		{"POST", "/hub/api/users", `{"usernames":["ok"],"admin":"yes"}`, 400, "admin"},
		{"POST", "/hub/api/users/U10", ``, 201, `"name":"U10"`},
		{"POST", "/hub/api/users/U10", ``, 409, ""},
		{"POST", "/hub/api/users/a%2Fb", ``, 400, ""},
		{"POST", "/hub/api/users/boss", `{"admin":true}`, 201, `"admin":true`},
		{"PATCH", "/hub/api/users/dave", `{"admin":true}`, 200, `"roles":["admin","user"]`},
		{"PATCH", "/hub/api/users/dave", `{"admin":false}`, 200, `"roles":["user"]`},
		{"PATCH", "/hub/api/users/dave", `{"name":"Erin"}`, 200, `"name":"erin"`},
		{"PATCH", "/hub/api/users/erin", `{"name":"alice"}`, 400, "already exists"},
		{"PATCH", "/hub/api/users/erin", `{"name":"a/b"}`, 400, ""},
		{"PATCH", "/hub/api/users/erin", ``, 400, ""},
		{"PATCH", "/hub/api/users/erin", `null`, 400, ""},
		{"PATCH", "/hub/api/users/erin", `{"groups":["x"]}`, 400, ""},
		{"PATCH", "/hub/api/users/erin", `{"auth_state":{"n":1}}`, 200, `"auth_state":{"n":1}`},
		{"PATCH", "/hub/api/users/erin", `{"auth_state":null}`, 400, "an object"},
		{"PATCH", "/hub/api/users/erin", `{"auth_state":[1]}`, 400, "an object"},
		{"PATCH", "/hub/api/users/nobody", `{"admin":false}`, 404, ""},
		{"DELETE", "/hub/api/users/erin", ``, 204, ""},
		{"DELETE", "/hub/api/users/erin", ``, 404, ""},
		{"DELETE", "/hub/api/users/admin", ``, 400, "yourself"},
	} {
		w.ask(admin, c.method, c.path, c.body).is(c.want, c.text)
	}
}

// Vulnerability (CVE-2024-41942): whoever may administer users could make themselves an admin.
// Attack: mallory's script has admin:users, once as a service, once as an admin's token for just that.
// Verified: neither makes an admin nor touches one.
func TestAdminUsersDoesNotMakeAdmins(t *testing.T) {
	w := newWorld(t)
	for name, token := range map[string]string{"service": w.service("script", "admin:users"), "narrow token of an admin": w.token("admin", "admin:users")} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.ask(token, "POST", "/hub/api/users/eve", `{"admin":true}`).is(403)
			w.ask(token, "POST", "/hub/api/users", `{"usernames":["eve"],"admin":true}`).is(403)
			w.ask(token, "PATCH", "/hub/api/users/mallory", `{"admin":true}`).is(403)
			w.ask(token, "PATCH", "/hub/api/users/admin", `{"admin":false}`).is(403)
			w.ask(token, "PATCH", "/hub/api/users/admin", `{"name":"mallory2"}`).is(403)
			w.ask(token, "PATCH", "/hub/api/users/mallory", `{"admin":false}`).is(200)
		})
	}
}

func TestDeletingAUserStopsTheirServers(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	refs := []hub.ServerRef{{User: "alice"}, {User: "alice", Server: "gpu"}}
	w.shop.Create(refs[1], "")
	for _, ref := range refs {
		w.shop.Start(t.Context(), ref, "", nil)
	}
	w.shop.quick = false
	w.ask(admin, "DELETE", "/hub/api/users/alice").is(400, "taking long to stop")
	w.ask(admin, "GET", "/hub/api/users/alice").is(200)
	w.shop.quick = true
	w.ask(admin, "DELETE", "/hub/api/users/alice").is(204)
	for _, ref := range refs {
		if s := w.shop.state(ref); s != hub.Stopped {
			t.Errorf("%s is %s", ref, s)
		}
	}
	w.ask(admin, "GET", "/hub/api/users/alice").is(404)
}

func TestIdentityIsWhatSingleUserServersNeed(t *testing.T) {
	w := newWorld(t)
	none := w.token("alice", "read:users:name!user=bob") // which alice does not hold
	got := w.ask(none, "GET", "/hub/api/user").is(200).object()
	if got["name"] != "alice" || got["kind"] != "user" || got["session_id"] != nil || !strings.HasPrefix(got["token_id"].(string), "a") {
		t.Errorf("identity %v", got)
	}
	scopes := fmt.Sprint(got["scopes"])
	if scopes != "[read:users:groups!user=alice read:users:name!user=alice]" {
		t.Errorf("scopes %s: a token always says whose it is, and no more", scopes)
	}
	whole := w.ask(w.token("alice"), "GET", "/hub/api/user").is(200).object()["scopes"].([]any)
	sorted := slices.IsSortedFunc(whole, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	if !sorted || !slices.Contains(whole, any("access:servers!user=alice")) || strings.Contains(fmt.Sprint(whole), "inherit") {
		t.Errorf("scopes %v: sorted and concrete is what clients need", whole)
	}
	service := w.ask(w.service("culler", "list:users"), "GET", "/hub/api/user").is(200).object()
	if service["kind"] != "service" || service["name"] != "culler" {
		t.Errorf("service identity %v", service)
	}
	w.ask("", "GET", "/hub/api/user").is(403, "Missing or invalid credentials")
	w.ask("expired", "GET", "/hub/api/user").is(403)
}

// Vulnerability: a removed user's record went, and what her browsers had open went on: a WebSocket to a server of bob's, which
// he had let her into, for as long as she keeps the page. And until the record went she could start anew what was stopped.
// Attack: alice, about to be removed, is logged in, and her script asks for her server while the old one is being stopped.
// Verified: the proxy ends her session, and by the time that her servers are stopped neither cookie nor token opens anything.
func TestRemovedUsersAreLockedOutFirst(t *testing.T) {
	w := newWorld(t)
	token, alice := w.token("alice"), hub.ServerRef{User: "alice"}
	var session hub.Session
	w.update(func(tx *store.Tx) (err error) {
		_, session, err = tx.NewSession(hub.Session{User: "alice", Expires: time.Now().Add(time.Hour)})
		return err
	})
	w.ask(token, "POST", "/hub/api/users/alice/server").is(201)
	w.shop.quick = false
	admin := w.token("admin")
	w.ask(admin, "DELETE", "/hub/api/users/alice").is(400, "taking long to stop")
	w.ask(token, "POST", "/hub/api/users/alice/server").is(403)
	if !slices.Equal(w.ended, []string{session.ID}) {
		t.Errorf("the proxy ended %q, want alice's session %s", w.ended, session.ID)
	}
	w.shop.become(alice, hub.Stopped)
	w.ask(admin, "DELETE", "/hub/api/users/alice").is(204)
	w.ask(admin, "GET", "/hub/api/users/alice").is(404)
}

// The page's buttons go by the API's rules: only who is an admin without limits makes admins, or ends that.
func TestAdminsAreMadeByAdmins(t *testing.T) {
	w := newWorld(t)
	admin, limited := w.actorOf(stranger{token: w.token("admin")}), w.actorOf(stranger{token: w.token("admin", "admin:users")})
	if err := w.room.SetAdmin(limited, "bob", true); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("a limited token makes an admin: %v", err)
	}
	if err := w.room.SetAdmin(admin, "bob", true); err != nil {
		t.Fatal(err)
	}
	w.ask(w.token("admin"), "GET", "/hub/api/users/bob").is(200, `"admin":true`)
	if err := w.room.SetAdmin(limited, "bob", false); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("a limited token takes an admin's rights: %v", err)
	}
	if err := w.room.SetAdmin(admin, "bob", false); err != nil {
		t.Fatal(err)
	}
	if err := w.room.SetAdmin(admin, "nobody", true); hub.KindOf(err) != hub.NotFound {
		t.Errorf("nobody became an admin: %v", err)
	}
}
