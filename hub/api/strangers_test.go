package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/httpd/httpdtest"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// private is what the little world of strangers' requests has in it that not everybody may see: a text that stands nowhere else,
// of what it is, and the scopes any of which shows it.
type private struct {
	text   string
	about  rbac.Resource
	scopes []string
}

var gpu = hub.ServerRef{User: "alice", Server: "gpu"}

var secrets = []private{
	{"note-of-zelda", rbac.UserResource("zelda"), []string{"read:tokens"}},
	{"zelda", rbac.UserResource("zelda"), append([]string{"read:tokens", "users:activity", "delete:users"}, seeAnyUser...)},
	{"options-of-gpu", rbac.ServerResource(gpu), []string{"read:servers", "start:servers"}},
	{"printed-by-gpu", rbac.ServerResource(gpu), []string{"access:servers", "admin:server_state"}},
	{"jupyter-alice-gpu.service", rbac.ServerResource(gpu), []string{"admin:server_state"}},
	{"property-of-class", rbac.GroupResource("class"), []string{"read:groups"}},
	{"info-of-wiki", rbac.ServiceResource("wiki"), []string{"read:services"}},
	{"hidden-role", rbac.GroupResource("class"), []string{"read:roles:groups"}},
}

var seeAnyUser = []string{"read:users", "read:users:name", "read:servers", "read:users:groups", "read:users:activity", "read:roles:users", "list:users"}

// someScopes are what actors are made of.
var someScopes = []string{"read:users", "list:users", "read:users:name", "users:activity", "read:servers", "servers", "admin:servers", "access:servers",
	"tokens", "read:tokens", "groups", "list:groups", "read:groups:name", "admin:groups", "admin:services", "list:services", "read:services:name", "shares",
	"read:shares", "users:shares", "read:hub", "proxy", "admin:users", "delete:users", "read:roles:users", "read:metrics"}

var someFilters = []string{"", "", "!user=alice", "!user=bob", "!server=alice/gpu", "!server=alice/", "!group=class", "!service=wiki", "!user"}

// strangers is a world with private things in it.
func strangers(t testing.TB) *world {
	w := newWorld(t)
	w.refurnish()
	return w
}

// refurnish puts back what is gone: who may remove things does.
func (w *world) refurnish() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"admin", "alice", "bob", "mallory", "zelda"} {
			if _, err := tx.PutUser(hub.User{Name: name, UID: hub.NoUID, Admin: name == "admin"}); err != nil && hub.KindOf(err) != hub.Conflict {
				return err
			}
		}
		class := hub.Group{Name: "class", Users: []string{"alice"}, Roles: []string{"hidden-role"}, Properties: map[string]any{"k": "property-of-class"}}
		if have, err := tx.Group("class"); err == nil {
			class.ID = have.ID
		}
		if _, err := tx.PutGroup(class); err != nil {
			return err
		}
		zelda := hub.Owner{Kind: hub.OwnerUser, Name: "zelda"}
		if len(tx.Tokens(zelda)) == 0 {
			if _, _, err := tx.NewToken(hub.Token{Owner: zelda, Scopes: []string{rbac.Inherit}, Note: "note-of-zelda"}); err != nil {
				return err
			}
		}
		return furnishServers(tx)
	})
}

func furnishServers(tx *store.Tx) error {
	s := hub.Server{ServerRef: gpu, Options: []byte(`{"k":"options-of-gpu"}`), Failure: &hub.Cause{Message: "it ended", Journal: []string{"printed-by-gpu"}}}
	for _, s := range []hub.Server{s, {ServerRef: hub.ServerRef{User: "alice"}}} {
		if err := tx.PutServer(s); err != nil {
			return err
		}
	}
	if err := tx.PutService(hub.Service{Name: "wiki", Info: map[string]any{"k": "info-of-wiki"}}); err != nil {
		return err
	}
	_, err := tx.PutShare(hub.Share{Server: gpu, User: "bob", Scopes: []string{"access:servers"}})
	return err
}

// request is one that a stranger makes up.
type request struct {
	row    int
	values [6]string // of the path's wildcards; "" for one that is there
	query  string
	body   string
	header []httpdtest.Field
}

// there is what exists, by wildcard.
var there = map[string]string{"{user}": "alice", "{server}": "gpu", "{group}": "class", "{service}": "wiki", "{owner}": "alice", "{id}": "a1", "{name}": "x",
	"{value}": "x", "{token}": "x"}

var wildcard = regexp.MustCompile(`\{\w+\}`)

func (q request) send(w *world, as stranger) reply {
	rows := w.room.Routes()
	row, n := rows[q.row%len(rows)], 0
	path := wildcard.ReplaceAllStringFunc(row.Pattern, func(name string) string {
		n++
		value := q.values[(n-1)%len(q.values)]
		// Nothing but the user has the user's name: whoever gives it to a server of theirs may see it there.
		if value == "" || value == "zelda" && name != "{user}" && name != "{owner}" {
			value = there[name]
		}
		return url.PathEscape(value)
	})
	r, err := http.NewRequest(row.Method, path, strings.NewReader(q.body))
	if err != nil {
		return reply{t: w.t, status: 400}
	}
	r.URL.RawQuery = q.query
	r.RemoteAddr, r.Host, r.RequestURI = "192.0.2.1:1234", "hub", path
	r.Header = http.Header{}
	httpdtest.Put(r, q.header)
	as.show(r)
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	return reply{w.t, rec.Code, rec.Header(), rec.Body.String()}
}

// judge fails if an answer is a fault of ours, or shows what its reader may not see. What a reader wrote themselves proves nothing.
func (w *world) judge(t interface{ Fatalf(string, ...any) }, q request, a auth.Actor, got reply) {
	row := w.room.Routes()[q.row%len(w.room.Routes())]
	if got.status >= 500 {
		t.Fatalf("%s %s %+v: %d %s", row.Method, row.Pattern, q, got.status, got.body)
	}
	for _, s := range secrets {
		if !strings.Contains(got.body, s.text) || strings.Contains(fmt.Sprint(q), s.text) {
			continue
		}
		may := false
		for _, scope := range s.scopes {
			may = may || a.May(scope, s.about)
		}
		if !may {
			t.Fatalf("%s %s shows %q to %v: %s", row.Method, row.Pattern, s.text, a.Scopes.List(), got.body)
		}
	}
}

// actorOf is who a stranger's request comes from.
func (w *world) actorOf(as stranger) (a auth.Actor) {
	r := httptest.NewRequest("GET", "/hub/api/user", nil)
	as.show(r)
	w.porter.Browser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a = auth.FromContext(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
	return a
}

var (
	someNames  = []string{"alice", "bob", "zelda", "admin", "gpu", "", "class", "wiki", "nobody", "a1", "a5", "sc_1", "a/b", "..", "ü", "\x00", strings.Repeat("x", 300), "a18446744073709551616"}
	someQuery  = []string{"", "offset=-1", "limit=1", "limit=x", "state=ready", "state=inactive", "sort=-last_activity", "sort=x", "name_filter=a", "include_stopped_servers", "code=x&id=sc_1", "a=%zz", "offset=9999999999999", "first=2026-01-01", "key=k"}
	someBodies = []string{"", "{}", "[]", "null", "0", `"x"`, "{", "\x00", `{"a":1,"a":2}`, `{"usernames":["carol"],"admin":true}`, `{"usernames":"x"}`, `{"name":"dave"}`, `{"name":5}`,
		`{"admin":false}`, `{"groups":["new"],"users":["alice"]}`, `{"users":["alice","bob"]}`, `{"users":5}`, `{"roles":["admin"]}`, `{"scopes":["read:users"]}`, `{"scopes":[]}`, `{"scopes":[5]}`,
		`{"expires_in":60}`, `{"expires_in":-1}`, `{"expires_in":1e300}`, `{"note":"n","roles":["token"]}`, `{"user":"bob"}`, `{"group":"class","scopes":["servers"]}`, `{"last_activity":"2026-01-01T00:00:00Z"}`,
		`{"servers":{"gpu":{"last_activity":"2026-01-01T00:00:00Z"}}}`, `{"servers":{"gpu":null}}`, `{"display_name":"x","user_options":{}}`, `{"user_options":[]}`, `{"remove":true}`, `{"remove":[]}`,
		`{"url":"http://127.0.0.1:1","api_token":"0123456789"}`, `{"url":"x"}`, `{"info":{"a":[[[[[[]]]]]]}}`, `{"auth":{"username":"alice","password":"x"}}`, `{"check":true}`, strings.Repeat("[", 10000)}
)

// Vulnerability: a row that tells what the asker's scopes do not show, or falls over. Attack: whatever path, query, headers and body, by whom
// with whatever scopes. Verified: whoever asks for whatever: nothing is a fault of ours, and nothing is shown that the
// scopes do not show.
func TestStrangersSeeNothingPrivate(t *testing.T) {
	w := strangers(t)
	rows := len(w.room.Routes())
	w.finds(stranger{token: w.token("admin")})
	if t.Failed() {
		return
	}
	rapid.Check(t, func(rt *rapid.T) {
		w.refurnish()
		as := drawActor(rt, w)
		for range rapid.IntRange(20, 40).Draw(rt, "requests") {
			q := request{
				row: rapid.IntRange(0, rows-1).Draw(rt, "row"), query: rapid.SampledFrom(someQuery).Draw(rt, "query"), body: rapid.SampledFrom(someBodies).Draw(rt, "body"),
				header: httpdtest.Draw(rt),
			}
			for i := range q.values {
				if rapid.IntRange(0, 3).Draw(rt, "strange") == 0 {
					q.values[i] = rapid.SampledFrom(someNames).Draw(rt, "name")
				}
			}
			a := w.actorOf(as) // before: what they do may give them more, and take it away
			got := q.send(w, as)
			w.judge(rt, q, union(a, w.actorOf(as)), got)
		}
	})
}

func union(a, b auth.Actor) auth.Actor {
	a.Scopes = a.Scopes.Union(b.Scopes)
	if a.Groups == nil {
		a.Groups = b.Groups
	}
	return a
}

// drawActor makes somebody: nobody, a user, a user's narrowed token, or a service with some scopes; by a header, by an address, or by cookies.
func drawActor(t *rapid.T, w *world) stranger {
	scopes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom(someScopes).Draw(t, "scope") + rapid.SampledFrom(someFilters).Draw(t, "filter")
	}), 0, 4).Draw(t, "scopes")
	user := rapid.SampledFrom([]string{"alice", "bob", "mallory"})
	switch rapid.IntRange(0, 6).Draw(t, "who") {
	case 0:
		return stranger{}
	case 1:
		return stranger{token: w.token(user.Draw(t, "user"))}
	case 2:
		return stranger{token: w.mint(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "admin"}, Scopes: scopes})}
	case 3:
		return stranger{token: w.token("admin"), inAddress: true}
	case 4:
		return w.atBrowser(user.Draw(t, "user"), rapid.Bool().Draw(t, "xsrf"))
	}
	return stranger{token: w.service("somebody", scopes...)}
}

// FuzzRoutes is the same for texts that nobody thought of. Who is no more, because somebody removed them, is made again.
func FuzzRoutes(f *testing.F) {
	w := strangers(f)
	service := func(name string, scopes ...string) func() stranger {
		return func() stranger { return stranger{token: w.service(name, scopes...)} }
	}
	user := func(name string) func() stranger { return func() stranger { return stranger{token: w.token(name)} } }
	cast := []func() stranger{func() stranger { return stranger{} }, user("alice"), user("bob"), user("admin"), service("none"),
		service("some", "list:users!user=alice", "shares!server=alice/gpu", "admin:groups!group=class"),
		service("servants", "admin:servers!user=bob", "read:tokens!user=alice", "admin:services!service=wiki"),
		func() stranger { return w.atBrowser("alice", true) }, func() stranger { return w.atBrowser("bob", false) },
		func() stranger { return stranger{token: w.token("admin"), inAddress: true} }}
	now := make([]stranger, len(cast))
	for i := range w.room.Routes() {
		h := httpdtest.Strange[i%len(httpdtest.Strange)]
		f.Add(i, i, "alice", "gpu", someQuery[i%len(someQuery)], someBodies[i%len(someBodies)], h[0]+": "+h[1+i%(len(h)-1)])
	}
	f.Fuzz(func(t *testing.T, row, who int, first, second, query, body, header string) {
		w.t = t
		q := request{row: max(row, -(row + 1)), values: [6]string{first, second, second, first, second, second}, query: query, body: body}
		for line := range strings.SplitSeq(header, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && name != "Authorization" {
				q.header = append(q.header, httpdtest.Field{Name: name, Value: strings.TrimSpace(value)})
			}
		}
		i := max(who, -(who+1)) % len(cast)
		if w.actorOf(now[i]).Anonymous() {
			w.refurnish()
			now[i] = cast[i]()
		}
		a := w.actorOf(now[i])
		if a.Anonymous() != (i == 0 || now[i].inAddress) {
			t.Fatalf("actor %d is lost", i)
		}
		got := q.send(w, now[i])
		w.judge(t, q, union(a, w.actorOf(now[i])), got)
	})
}

// Each scope alone, with each filter, at each row that only shows: what is shown is what the scope shows.
func TestEachScopeShowsItsOwn(t *testing.T) {
	w := strangers(t)
	for _, scope := range w.room.Policy().Scopes() {
		for _, filter := range []string{"", "!user=bob", "!server=alice/gpu"} {
			token := stranger{token: w.service("somebody", scope.Name+filter)}
			a := w.actorOf(token)
			for i, row := range w.room.Routes() {
				if row.Method == "GET" && !row.Public {
					q := request{row: i, query: "include_stopped_servers"}
					w.judge(t, q, a, q.send(w, token))
				}
			}
		}
	}
}
