package rbac

import (
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func policy(t *testing.T, roles []Role, custom []Custom) *Policy {
	t.Helper()
	p, err := New(roles, custom)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func user(name string) Context {
	return Context{Owner: hub.Owner{Kind: hub.OwnerUser, Name: name}}
}

func service(name string) Context {
	return Context{Owner: hub.Owner{Kind: hub.OwnerService, Name: name}}
}

// members says who is in which group: alice and bob are in class, bob in staff.
func members(name string) []string {
	return map[string][]string{"alice": {"class"}, "bob": {"class", "staff"}}[name]
}

// What self stands for is the list that JupyterHub 6 documents, fifteen scopes and their identify pair among them.
func TestSelf(t *testing.T) {
	got := policy(t, nil, nil).User(hub.User{Name: "alice"}, nil, nil).List()
	want := []string{
		"access:servers!user=alice", "delete:servers!user=alice", "read:servers!user=alice", "read:shares!user=alice",
		"read:tokens!user=alice", "read:users!user=alice", "read:users:activity!user=alice", "read:users:groups!user=alice",
		"read:users:name!user=alice", "read:users:shares!user=alice", "servers!user=alice", "start:servers!user=alice",
		"tokens!user=alice", "users:activity!user=alice", "users:shares!user=alice",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The hierarchy, as specification 2.2 draws it.
func TestImplied(t *testing.T) {
	tests := map[string]string{
		"admin:users":    "admin:auth_state users read:users list:users users:activity read:users:name read:users:groups read:users:activity read:roles:users delete:users",
		"users":          "read:users list:users users:activity read:users:name read:users:groups read:users:activity",
		"admin:servers":  "admin:server_state servers read:servers start:servers delete:servers read:users:name",
		"tokens":         "read:tokens",
		"admin:groups":   "groups read:groups list:groups read:groups:name read:roles:groups delete:groups",
		"admin:services": "list:services read:services read:services:name read:roles:services",
		"read:roles":     "read:roles:users read:roles:services read:roles:groups",
		"shares":         "access:servers read:shares users:shares read:users:shares groups:shares read:groups:shares",
		"read:hub":       "", "proxy": "", "shutdown": "", "read:metrics": "", "access:servers": "", "access:services": "", "admin-ui": "",
	}
	p := policy(t, nil, nil)
	for scope, implied := range tests {
		want := append(strings.Fields(implied), scope)
		slices.Sort(want)
		if got := p.Expand([]string{scope}, Context{}).List(); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", scope, got, want)
		}
	}
}

// Who may use a server through a share or a token for it does not thereby see its owner's model.
func TestServerFilterLeavesUserScopesBehind(t *testing.T) {
	got := policy(t, nil, nil).Expand([]string{"servers!server=alice/lab"}, Context{}).List()
	want := []string{"delete:servers!server=alice/lab", "read:servers!server=alice/lab", "servers!server=alice/lab", "start:servers!server=alice/lab"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// The matching table of specification 2.3.
func TestAllows(t *testing.T) {
	lab := ServerResource(hub.ServerRef{User: "alice", Server: "lab"})
	home := ServerResource(hub.ServerRef{User: "alice"})
	tests := []struct {
		scope    string
		resource Resource
		want     bool
	}{
		{"access:servers", home, true},
		{"access:servers!user=alice", home, true},
		{"access:servers!user=alice", lab, true},
		{"access:servers!user=bob", lab, false},
		{"access:servers!server=alice/lab", lab, true},
		{"access:servers!server=alice/lab", home, false},
		{"access:servers!server=alice/", home, true},
		{"access:servers!server=alice/", lab, false},
		{"access:servers!group=class", lab, true},
		{"access:servers!group=staff", lab, false},
		{"read:users!user=alice", UserResource("alice"), true},
		{"read:users!user=alice", UserResource("alic"), false},
		{"read:users!group=class", UserResource("alice"), true},
		{"read:users!group=class", UserResource("mallory"), false},
		{"read:servers!server=alice/lab", UserResource("alice"), false}, // a server's scope does not reach its user
		{"read:groups!group=class", GroupResource("class"), true},
		{"read:groups!group=class", GroupResource("staff"), false},
		{"read:groups!user=alice", GroupResource("class"), false},
		{"read:services!service=culler", ServiceResource("culler"), true},
		{"read:services!service=culler", ServiceResource("other"), false},
		{"admin:users", Resource{}, true},
		{"admin:users!user=alice", Resource{}, false}, // GHSA-69wv: a filtered holder is no admin
		{"admin:users!group=class", Resource{}, false},
		{"list:users!user=alice", ListOf(User), true},
		{"list:users!group=class", ListOf(User), true},
		{"list:users!server=alice/lab", ListOf(User), false},
		{"list:groups!group=class", ListOf(Group), true},
		{"list:groups!user=alice", ListOf(Group), false},
		{"read:hub!group=class", Resource{}, false}, // accepted, and opens nothing
		{"no:such:scope", Resource{}, false},
	}
	p := policy(t, nil, nil)
	for _, tt := range tests {
		base, _, _ := strings.Cut(tt.scope, "!")
		if got := p.Expand([]string{tt.scope}, Context{}).Allows(base, tt.resource, members); got != tt.want {
			t.Errorf("%s for %+v: %v, want %v", tt.scope, tt.resource, got, tt.want)
		}
	}
}

func TestSelfReferences(t *testing.T) {
	server := &hub.Client{ID: "jupyterhub-user-alice", Server: hub.ServerRef{User: "alice"}}
	culler := &hub.Client{ID: "service-culler", Service: "culler"}
	tests := []struct {
		scope   string
		context Context
		want    string
	}{
		{"read:tokens!user", user("alice"), "read:tokens!user=alice"},
		{"read:tokens!user", service("culler"), ""},
		{"access:services!service", service("culler"), "access:services!service=culler"},
		{"access:services!service", user("alice"), ""},
		{"access:services!service", Context{Owner: user("alice").Owner, Client: culler}, "access:services!service=culler"},
		{"access:servers!server", Context{Owner: user("bob").Owner, Client: server}, "access:servers!server=alice/"},
		{"access:servers!server", user("bob"), ""},
		{"access:servers!group", user("bob"), ""},
		{"access:servers!user=", user("bob"), ""},
		{"access:servers!planet=earth", user("bob"), ""},
		{"self", service("culler"), ""},
		{"inherit", user("alice"), ""},
	}
	p := policy(t, nil, nil)
	for _, tt := range tests {
		if got := strings.Join(p.Expand([]string{tt.scope}, tt.context).List(), " "); got != tt.want {
			t.Errorf("%s for %+v: %q, want %q", tt.scope, tt.context.Owner, got, tt.want)
		}
	}
}

func TestIntersect(t *testing.T) {
	tests := []struct{ a, b, want string }{
		{"tokens", "read:tokens!user=alice", "read:tokens!user=alice"},
		{"read:tokens!user=alice", "read:tokens!user=bob", ""},
		{"access:servers!server=alice/lab", "access:servers!user=alice", "access:servers!server=alice/lab"},
		{"access:servers!server=alice/lab", "access:servers!user=bob", ""},
		{"access:servers!server=alice/lab", "access:servers!group=class", "access:servers!server=alice/lab"},
		{"access:servers!server=alice/lab", "access:servers!group=staff", ""},
		{"read:tokens!user=bob", "read:tokens!group=staff", "read:tokens!user=bob"},
		{"read:tokens!user=alice", "read:tokens!group=staff", ""},
		{"read:tokens!group=class", "read:tokens!group=staff", ""}, // bob is in both, but that is for each to say of bob
		{"read:tokens!group=class", "read:tokens!group=class", "read:tokens!group=class"},
		{"access:services!service=a", "access:services!user=a", ""},
		{"proxy", "shutdown", ""},
	}
	p := policy(t, nil, nil)
	for _, tt := range tests {
		a, b := p.Expand([]string{tt.a}, Context{}), p.Expand([]string{tt.b}, Context{})
		for _, got := range []Set{a.Intersect(b, members), b.Intersect(a, members)} {
			if s := strings.Join(got.List(), " "); s != tt.want {
				t.Errorf("%s and %s: %q, want %q", tt.a, tt.b, s, tt.want)
			}
		}
	}
}

// Play: mallory had a token with all of admin's rights, and admin is no admin any more. What is verified: the token is worth
// what its owner is worth at this moment.
func TestTokensFollowTheirOwners(t *testing.T) {
	p := policy(t, nil, nil)
	token := hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "admin"}, Scopes: []string{"admin:users", "read:users!user=bob"}}
	was := p.Token(token, nil, p.User(hub.User{Name: "admin", Admin: true}, nil, nil), members)
	is := p.Token(token, nil, p.User(hub.User{Name: "admin"}, nil, nil), members)
	if !was.Has("admin:users") {
		t.Error("an admin's token does not open the users")
	}
	want := []string{"read:users!user=admin", "read:users:activity!user=admin", "read:users:groups!user=admin", "read:users:name!user=admin",
		"users:activity!user=admin"}
	if got := is.List(); !slices.Equal(got, want) { // what admin:users and an ordinary user's scopes have in common
		t.Errorf("a demoted admin's token holds %v", got)
	}
}

func TestTokenScopes(t *testing.T) {
	p := policy(t, nil, nil)
	alice := p.User(hub.User{Name: "alice"}, nil, nil)
	owner := hub.Owner{Kind: hub.OwnerUser, Name: "alice"}
	identify := []string{"read:users:groups!user=alice", "read:users:name!user=alice"}

	if got := p.Token(hub.Token{Owner: owner, Scopes: []string{"inherit"}}, nil, alice, nil); !got.Equal(alice) {
		t.Errorf("an inheriting token holds %v", got.List())
	}
	if got := p.Token(hub.Token{Owner: owner}, nil, alice, nil).List(); !slices.Equal(got, identify) {
		t.Errorf("a token without scopes holds %v", got)
	}
	client := &hub.Client{Server: hub.ServerRef{User: "alice"}}
	got := p.Token(hub.Token{Owner: owner, Client: "jupyterhub-user-alice"}, client, alice, nil).List()
	if want := append([]string{"access:servers!server=alice/"}, identify...); !slices.Equal(got, want) {
		t.Errorf("an OAuth token for a server holds %v", got)
	}
	bobs := &hub.Client{Server: hub.ServerRef{User: "bob"}}
	if got := p.Token(hub.Token{Owner: owner}, bobs, alice, nil).List(); !slices.Equal(got, identify) {
		t.Errorf("alice's OAuth token for bob's server holds %v", got)
	}
	culler := p.Service(hub.Service{Name: "culler", Scopes: []string{"list:users", "read:users:activity", "delete:servers", "read:servers"}})
	inherits := p.Token(hub.Token{Owner: hub.Owner{Kind: hub.OwnerService, Name: "culler"}, Scopes: []string{"inherit"}}, nil, culler, nil)
	if inherits.HasAny("read:services:name") {
		t.Error("a service's inheriting token lists its identify scope, which upstream's does not")
	}
}

func TestHorizon(t *testing.T) {
	p := policy(t, nil, nil)
	h := p.Expand([]string{"list:users!user=mallory", "list:users!group=staff"}, Context{}).Horizon("list:users")
	for name, want := range map[string]bool{"alice": false, "bob": true, "mallory": true} {
		if h.ShowsUser(name, members(name)) != want {
			t.Errorf("%s: shown %v", name, !want)
		}
	}
	if !p.Expand([]string{"users"}, Context{}).Horizon("list:users").All {
		t.Error("an unfiltered scope does not show all")
	}
	if h := p.Expand([]string{"proxy"}, Context{}).Horizon("list:users"); h.All || h.ShowsUser("alice", members("alice")) {
		t.Error("without the scope somebody is shown")
	}
}

func TestRoles(t *testing.T) {
	p := policy(t, []Role{
		{Name: "teacher", Scopes: []string{"list:users!group=class", "servers!group=class"}},
		{Name: "user", Description: "Everybody here", Scopes: []string{"self", "shares!user"}},
		{Name: "server"},
	}, nil)
	bob := p.User(hub.User{Name: "bob", Roles: []string{"gone"}}, []string{"teacher"}, []string{"access:servers!server=alice/"})
	for _, scope := range []string{"start:servers!group=class", "shares!user=bob", "access:servers!server=alice/"} {
		if !bob.Has(scope) {
			t.Errorf("bob does not hold %s", scope)
		}
	}
	if r, err := p.Role("server"); err != nil || len(r.Scopes) != 2 {
		t.Errorf("a default role that was named without scopes is %+v, %v", r, err)
	}
	if _, err := p.Role("gone"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("an unknown role: %v", err)
	}
}

// Every mistake of a configuration is told at once.
func TestNamesOfRoles(t *testing.T) {
	for name, good := range map[string]bool{
		"ab": false, "a-b": true, "grader": true, "a.": false, "1st": false, "a\n1": false,
		strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
	} {
		if _, err := New([]Role{{Name: name}}, nil); (err == nil) != good {
			t.Errorf("%.10q of %d bytes: %v", name, len(name), err)
		}
	}
}

func TestMistakes(t *testing.T) {
	_, err := New([]Role{
		{Name: "admin", Scopes: []string{"self"}},
		{Name: "X"},
		{Name: "reader", Scopes: []string{"read:everything", "read:users!planet=earth"}},
	}, []Custom{
		{Name: "read:mine", Description: "d"},
		{Name: "custom:quiet"},
		{Name: "custom:top", Description: "d", Implies: []string{"custom:none"}},
		{Name: "custom:twice", Description: "d"}, {Name: "custom:twice", Description: "d"},
	})
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, words := range []string{`role "admin" cannot be changed`, `role "X"`, `"read:everything"`, `"read:users!planet=earth"`, `"read:mine"`,
		`"custom:quiet" needs a description`, `"custom:none" is not`, `"custom:twice" is defined twice`} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("not told: %s", words)
		}
	}
}

func TestCustomScopes(t *testing.T) {
	p := policy(t, nil, []Custom{
		{Name: "custom:grades", Description: "see and set grades", Implies: []string{"custom:grades:read"}},
		{Name: "custom:grades:read", Description: "see grades"},
	})
	got := p.Expand([]string{"custom:grades!group=class", "custom:unknown"}, Context{}).List()
	if !slices.Equal(got, []string{"custom:grades!group=class", "custom:grades:read!group=class"}) {
		t.Errorf("got %v", got)
	}
	// A reload that takes a scope away: sets made before it lose the scope where the two meet.
	before, after := p.Expand([]string{"custom:grades", "proxy"}, Context{}), policy(t, nil, nil).Expand([]string{"proxy", "shutdown"}, Context{})
	if got := after.Intersect(before, nil).List(); !slices.Equal(got, []string{"proxy"}) {
		t.Errorf("across a reload: %v", got)
	}
}

func TestDescribe(t *testing.T) {
	p := policy(t, nil, nil)
	got := p.Describe([]string{"read:users!user", "read:users:name!user=alice", "access:servers!server=bob/lab", "nonsense", "read:users!user"}, user("alice"))
	want := []Description{
		{"read:users!user", "see users with their groups and their activity", "your own"},
		{"access:servers!server=bob/lab", "use servers through a browser or their API", "of server bob/lab"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Every row of the catalogue is spelled right: known subscopes, a description, no cycle that would make two scopes one.
func TestCatalogue(t *testing.T) {
	p := policy(t, nil, nil)
	for _, s := range p.Scopes() {
		if s.Description == "" {
			t.Errorf("%s has no description", s.Name)
		}
		for _, sub := range s.Implies {
			if err := p.Check(sub); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if p.Expand([]string{sub}, Context{}).Has(s.Name) {
				t.Errorf("%s and %s imply each other", s.Name, sub)
			}
		}
	}
	for _, r := range p.Roles() {
		for _, s := range r.Scopes {
			if err := p.Check(s); err != nil {
				t.Errorf("role %s: %v", r.Name, err)
			}
		}
	}
}
