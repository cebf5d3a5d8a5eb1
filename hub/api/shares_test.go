package api_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/store"
)

// withServers gives alice two servers, which bob may get something of, and a group with bob in it.
func withServers(t *testing.T) *world {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"", "gpu"} {
			if err := tx.PutServer(hub.Server{ServerRef: hub.ServerRef{User: "alice", Server: name}}); err != nil {
				return err
			}
		}
		_, err := tx.PutGroup(hub.Group{Name: "class", Users: []string{"bob"}})
		return err
	})
	return w
}

func TestShares(t *testing.T) {
	w := withServers(t)
	admin := w.token("admin")
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{"GET", "/shares/alice", ``, 200, `{"items":[],"_pagination":{"offset":0,"limit":200,"total":0,"next":null}}`},
		{"POST", "/shares/alice/", `{"user":"bob"}`, 200, `"scopes":["access:servers!server=alice/"],"user":{"name":"bob"},"group":null,"kind":"user"`},
		{"POST", "/shares/alice/", `{"user":"bob","scopes":["read:servers","access:servers!server=alice/"]}`, 200, `["access:servers!server=alice/","read:servers!server=alice/"]`},
		{"POST", "/shares/alice/gpu", `{"group":"class"}`, 200, `"group":{"name":"class"},"kind":"group"`},
		{"GET", "/shares/alice", ``, 200, `"total":2`},
		{"GET", "/shares/alice/gpu", ``, 200, `"server":{"user":{"name":"alice"},"name":"gpu","url":"/user/alice/gpu/","full_url":null,"ready":false}`},
		{"GET", "/users/bob/shared", ``, 200, `"total":2`},
		{"GET", "/groups/class/shared", ``, 200, `"total":1`},
		{"GET", "/users/bob/shared/alice/", ``, 200, `"kind":"user"`},
		{"GET", "/users/bob/shared/alice/gpu", ``, 404, ``}, // not bob's, his group's
		{"GET", "/groups/class/shared/alice/gpu", ``, 200, `"kind":"group"`},
		{"PATCH", "/shares/alice/", `{"user":"bob","scopes":["read:servers!server=alice/"]}`, 200, `"scopes":["access:servers!server=alice/"]`},
		{"PATCH", "/shares/alice/", `{"user":"bob","scopes":["access:servers"]}`, 200, `{}`},
		{"PATCH", "/shares/alice/", `{"user":"nobody"}`, 200, `{}`},
		{"PATCH", "/shares/alice/none", `{"user":"bob"}`, 404, ``},
		{"DELETE", "/shares/alice/gpu", ``, 204, ``},
		{"GET", "/groups/class/shared", ``, 200, `"total":0`},
		{"DELETE", "/shares/alice/none", ``, 404, ``},
		{"DELETE", "/users/bob/shared/alice/", ``, 404, ``},
		{"GET", "/shares/nobody", ``, 404, ``},
		{"GET", "/users/nobody/shared", ``, 404, ``},
		{"GET", "/groups/nobody/shared", ``, 404, ``},
		{"POST", "/shares/alice", `{"user":"bob"}`, 405, ``},
	} {
		w.ask(admin, c.method, "/hub/api"+c.path, c.body).is(c.want, c.text)
	}
}

func TestSharesThatMakeNoSense(t *testing.T) {
	w := withServers(t)
	admin := w.token("admin")
	for body, want := range map[string]int{
		``: 400, `[]`: 400, `{}`: 400, `{"user":"bob","group":"class"}`: 400, `{"user":""}`: 400, `{"user":5}`: 400, `{"user":"bob","expires_in":60}`: 400,
		`{"user":"bob","scopes":"access:servers"}`: 400, `{"user":"bob","scopes":["no:such"]}`: 400, `{"user":"bob","scopes":["access:servers!user=alice"]}`: 400,
		`{"user":"bob","scopes":["access:servers!server=alice/gpu"]}`: 400, `{"user":"bob","scopes":["self"]}`: 400, `{"user":"bob","scopes":["inherit"]}`: 400,
		`{"user":"nobody"}`: 400, `{"group":"nobody"}`: 400,
	} {
		w.ask(admin, "POST", "/hub/api/shares/alice/", body).is(want)
		if !strings.Contains(body, "nobody") {
			w.ask(admin, "PATCH", "/hub/api/shares/alice/", body).is(want)
		}
	}
	for body, want := range map[string]int{`[]`: 400, `{"expires_in":59}`: 400, `{"expires_in":31536001}`: 400, `{"expires_in":null}`: 400, `{"expires_in":"60"}`: 400,
		`{"user":"bob"}`: 400, `{"scopes":["self"]}`: 400, `{"expires_in":60}`: 200, ``: 200} {
		w.ask(admin, "POST", "/hub/api/share-codes/alice/", body).is(want)
	}
	w.ask(admin, "POST", "/hub/api/share-codes/alice/none").is(404)
}

// Vulnerability: whoever may share would give more than they hold, or learn who exists.
// Attack: bob, who got alice's server with the scope to share it on, gives away what he does not hold, to whom he may not see.
// Verified: 403 for each, the same whether the other one exists; what he holds, he may give.
func TestNobodySharesWhatTheyDoNotHold(t *testing.T) {
	w := withServers(t)
	alice := w.token("alice")
	w.ask(alice, "POST", "/hub/api/shares/alice/", `{"user":"bob"}`).is(403) // the role user may not share (specification 1.5)
	w.ask(alice, "GET", "/hub/api/shares/alice").is(200)
	w.ask(alice, "GET", "/hub/api/shares/bob").is(404)

	w.ask(w.token("admin"), "POST", "/hub/api/shares/alice/", `{"user":"bob","scopes":["shares"]}`).is(200)
	bob := w.token("bob")
	w.ask(bob, "POST", "/hub/api/shares/alice/", `{"user":"bob","scopes":["start:servers"]}`).is(403, "start:servers")
	for _, name := range []string{"mallory", "nobody"} {
		w.ask(bob, "POST", "/hub/api/shares/alice/", fmt.Sprintf(`{"user":%q}`, name)).is(403, "read:users:name")
	}
	for _, name := range []string{"class", "nobody"} {
		w.ask(bob, "POST", "/hub/api/shares/alice/", fmt.Sprintf(`{"group":%q}`, name)).is(403, "read:groups:name")
	}
	w.ask(bob, "POST", "/hub/api/share-codes/alice/", `{"scopes":["delete:servers"]}`).is(403)
	w.ask(bob, "POST", "/hub/api/share-codes/alice/").is(200)
	w.ask(bob, "POST", "/hub/api/share-codes/alice/gpu").is(404) // of the other server he has nothing
	w.ask(bob, "GET", "/hub/api/shares/alice").is(404)           // that would be all of hers
}

// Vulnerability (GHSA-c4gm and its kin): what was shared opens more than it names. Attack: bob, in a group with which one server of alice's is
// shared, tries her others, her tokens and the lists. Verified: the scopes hold for this server and no other, and go with the share.
func TestSharedScopesOpenOneServer(t *testing.T) {
	w := withServers(t)
	admin, bob := w.token("admin"), w.token("bob")
	w.ask(bob, "GET", "/hub/api/users/alice/servers/gpu").is(404)
	w.ask(admin, "POST", "/hub/api/shares/alice/gpu", `{"group":"class","scopes":["servers","access:servers"]}`).is(200)
	w.ask(bob, "GET", "/hub/api/users/alice/servers/gpu").is(200)
	w.ask(bob, "POST", "/hub/api/users/alice/servers/gpu").is(201)
	w.ask(bob, "GET", "/hub/api/users/alice/server").is(404)
	w.ask(bob, "GET", "/hub/api/users/alice").is(404)
	w.ask(bob, "GET", "/hub/api/users/alice/tokens").is(404)
	w.ask(bob, "GET", "/hub/api/users").is(403)
	w.ask(bob, "GET", "/hub/api/user").is(200, `"access:servers!server=alice/gpu"`)
	w.ask(bob, "DELETE", "/hub/api/groups/class/shared/alice/gpu").is(403) // for his group he may not say so
	w.ask(admin, "DELETE", "/hub/api/groups/class/users", `{"users":["bob"]}`).is(200)
	w.ask(bob, "GET", "/hub/api/users/alice/servers/gpu").is(404)

	w.ask(admin, "POST", "/hub/api/shares/alice/gpu", `{"user":"bob","scopes":["read:servers"]}`).is(200)
	w.shop.become(hub.ServerRef{User: "alice", Server: "gpu"}, hub.Stopped)
	w.ask(admin, "PATCH", "/hub/api/users/alice/servers/gpu", `{"name":"tpu"}`).is(200) // the share goes along with another name
	w.ask(bob, "GET", "/hub/api/users/alice/servers/tpu").is(200)
	w.ask(bob, "DELETE", "/hub/api/users/bob/shared/alice/tpu").is(204)
	w.ask(bob, "GET", "/hub/api/users/alice/servers/tpu").is(404)
}

func TestShareCodes(t *testing.T) {
	w := withServers(t)
	admin := w.token("admin")
	made := w.ask(admin, "POST", "/hub/api/share-codes/alice/gpu", `{"expires_in":3600}`).is(200, `"exchange_count":0`, `"full_accept_url":null`)
	var code client.ShareCode
	made.into(&code)
	if len(code.Code) != 43 || code.AcceptURL != "/hub/accept-share?code="+code.Code || code.ID != "sc_1" {
		t.Errorf("the code is %+v", code)
	}
	list := w.ask(admin, "GET", "/hub/api/share-codes/alice").is(200, `"total":1`, `"id":"sc_1"`)
	if strings.Contains(list.body, code.Code) || strings.Contains(list.body, `"code"`) {
		t.Errorf("the list has the code: %s", list.body)
	}
	for _, user := range []string{"bob", "bob"} {
		if _, err := w.room.Offer(user, code.Code); err != nil {
			t.Fatal(err)
		}
		if s, err := w.room.AcceptShare(user, code.Code); err != nil || s.User != "bob" {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	w.ask(admin, "GET", "/hub/api/share-codes/alice/gpu").is(200, `"exchange_count":2`)
	w.ask(admin, "GET", "/hub/api/shares/alice/gpu").is(200, `"total":1`, `"user":{"name":"bob"}`)
	if _, err := w.room.AcceptShare("alice", code.Code); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("alice shares with herself: %v", err)
	}
	if _, err := w.room.AcceptShare("mallory", code.Code+"x"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("a guessed code: %v", err)
	}
	for _, query := range []string{"?code=none", "?id=sc_9", "?id=sc_01", "?id=1", "?id=sc_x"} {
		w.ask(admin, "DELETE", "/hub/api/share-codes/alice/gpu"+query).is(404)
	}
	w.ask(admin, "DELETE", "/hub/api/share-codes/alice/?id=sc_1").is(404) // another server's
	w.ask(admin, "DELETE", "/hub/api/share-codes/alice/gpu?code="+code.Code).is(204)
	w.ask(admin, "DELETE", "/hub/api/share-codes/alice/gpu").is(204)
	if _, err := w.room.AcceptShare("mallory", code.Code); hub.KindOf(err) != hub.NotFound {
		t.Errorf("a revoked code: %v", err)
	}
	w.ask(w.token("bob"), "GET", "/hub/api/users/alice/servers/gpu").is(404) // access is no sight of the server's model
	w.ask(w.token("bob"), "GET", "/hub/api/users/bob/shared/alice/gpu").is(200)
}

// Lists of shares have pages whether they were asked for or not; the size is the opted-in one only for who opted in.
func TestListsOfSharesAreAlwaysPages(t *testing.T) {
	w := withServers(t)
	admin := w.token("admin")
	for _, name := range []string{"bob", "mallory", "admin"} {
		w.ask(admin, "POST", "/hub/api/shares/alice/", fmt.Sprintf(`{"user":%q}`, name)).is(200)
	}
	var got page[[]client.Share]
	w.ask(admin, "GET", "/hub/api/shares/alice/?limit=2").is(200).into(&got)
	if len(got.Items) != 2 || got.Pagination.Total != 3 || got.Pagination.Next == nil || got.Items[0].User.Name != "bob" {
		t.Fatalf("page %+v", got)
	}
	r := httptest.NewRequest("GET", got.Pagination.Next.URL, nil)
	r.Header.Set("Authorization", "token "+admin)
	r.Header.Set("Accept", client.PaginationType)
	w.send(w.door, r).is(200).into(&got)
	if len(got.Items) != 1 || got.Pagination.Next != nil || got.Items[0].User.Name != "admin" {
		t.Errorf("page %+v", got)
	}
}
