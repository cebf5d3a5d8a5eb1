package oauth_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
)

// The way of every login at a server: authorize, callback, token, and the token says that its bearer may enter.
func TestFromBrowserToServer(t *testing.T) {
	w := newWorld(t)
	where, got := location(t, w.authorize("alice", server("alice")))
	if where != "/user/alice/oauth_callback" || got.Get("state") != "opaque /+ü" {
		t.Errorf("sent to %s with %v", where, got)
	}
	status, token := w.exchange(got.Get("code"))
	if status != 200 || token["token_type"] != "Bearer" || token["expires_in"] != 1209600.0 || token["refresh_token"] != nil {
		t.Fatalf("%d %v", status, token)
	}
	if token["scope"] != "access:servers!server=alice/ read:users:groups!user read:users:name!user" {
		t.Errorf("scope %q", token["scope"])
	}
	r := httptest.NewRequest("GET", "/hub/api/user", nil)
	r.Header.Set("Authorization", "token "+token["access_token"].(string))
	rec := httptest.NewRecorder()
	w.tokens.ServeHTTP(rec, r)
	if want := `["access:servers!server=alice/","read:users:groups!user=alice","read:users:name!user=alice"]`; strings.TrimSpace(rec.Body.String()) != want {
		t.Errorf("the token opens %s, want %s", rec.Body, want)
	}
}

func TestStrangersLogInFirst(t *testing.T) {
	w := newWorld(t)
	where, got := location(t, w.authorize("stranger", server("alice")))
	if where != "/hub/login" || got.Get("next") != "/hub/api/oauth2/authorize?"+server("alice").Encode() {
		t.Errorf("sent to %s %v", where, got)
	}
	// A token is no browser.
	var value string
	w.update(func(tx *store.Tx) (err error) {
		value, _, err = tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, Scopes: []string{rbac.Inherit}})
		return err
	})
	r := httptest.NewRequest("GET", "/hub/api/oauth2/authorize?"+server("alice").Encode(), nil)
	r.Header.Set("Authorization", "token "+value)
	if where, _ := location(t, w.visit("stranger", r)); where != "/hub/login" {
		t.Errorf("a token is sent to %s", where)
	}
}

// What goes wrong before client and redirect URI are sure is told to the person and sends nobody anywhere.
func TestNoRedirectBeforeTheClientIsSure(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		user   string
		params url.Values
		want   int
	}{
		"no client":             {"alice", server("alice", "client_id", "-"), 400},
		"unknown client":        {"alice", server("alice", "client_id", "jupyterhub-user-eve"), 400},
		"the hub's own":         {"alice", server("alice", "client_id", "jupyterhub"), 400},
		"another's callback":    {"alice", server("alice", "redirect_uri", "/user/mallory/oauth_callback"), 400},
		"other case":            {"alice", server("alice", "redirect_uri", "/user/Alice/oauth_callback"), 400},
		"added query":           {"alice", server("alice", "redirect_uri", "/user/alice/oauth_callback?x=1"), 400},
		"added slash":           {"alice", server("alice", "redirect_uri", "/user/alice/oauth_callback/"), 400},
		"absolute":              {"alice", server("alice", "redirect_uri", "https://evil.example/user/alice/oauth_callback"), 400},
		"empty":                 {"alice", server("alice", "redirect_uri", ""), 400},
		"somebody else's door":  {"mallory", server("alice"), 403},
		"a service not allowed": {"mallory", wiki(), 403},
	} {
		rec := w.authorize(c.user, c.params)
		if rec.Code != c.want || rec.Header().Get("Location") != "" || !strings.HasPrefix(rec.Body.String(), "page: ") {
			t.Errorf("%s: %d to %q: %s, want %d", name, rec.Code, rec.Header().Get("Location"), rec.Body, c.want)
		}
	}
	if rec := w.authorize("mallory", server("alice")); !strings.Contains(rec.Body.String(), "Server at /user/alice/") {
		t.Errorf("the refusal does not say to what: %s", rec.Body)
	}
	rec := w.visit("alice", httptest.NewRequest("GET", "/hub/api/oauth2/authorize?client_id=jupyterhub-user-bob&"+server("alice").Encode(), nil))
	if rec.Code != 400 {
		t.Errorf("two client ids: %d", rec.Code)
	}
}

// What goes wrong after is told to the client.
func TestErrorsGoToTheClient(t *testing.T) {
	w := newWorld(t, func(o *oauth.Options) { o.RequirePKCE = true })
	challenged := []string{"code_challenge", verifier}
	for name, c := range map[string]struct {
		params url.Values
		want   string
	}{
		"no response type":     {server("alice", append(challenged, "response_type", "-")...), "invalid_request"},
		"token response":       {server("alice", append(challenged, "response_type", "token")...), "unsupported_response_type"},
		"no challenge":         {server("alice"), "invalid_request"},
		"unknown method":       {server("alice", append(challenged, "code_challenge_method", "S512")...), "invalid_request"},
		"long challenge":       {server("alice", "code_challenge", strings.Repeat("x", 129)), "invalid_request"},
		"unknown scope":        {server("alice", append(challenged, "scope", "fly")...), "invalid_scope"},
		"empty scope":          {server("alice", append(challenged, "scope", "")...), "invalid_scope"},
		"scope beyond allowed": {server("alice", append(challenged, "scope", "tokens!user")...), "invalid_scope"},
		"inherit not allowed":  {server("alice", append(challenged, "scope", "inherit")...), "invalid_scope"},
	} {
		where, got := location(t, w.authorize("alice", c.params))
		if where != "/user/alice/oauth_callback" || got.Get("error") != c.want || got.Get("state") != "opaque /+ü" || got.Has("code") {
			t.Errorf("%s: sent to %s %v, want %s", name, where, got, c.want)
		}
	}
	if _, got := location(t, w.authorize("alice", server("alice", append(challenged, "scope", "identify access:servers!server=alice/")...))); got.Get("code") == "" {
		t.Errorf("good request: %v", got)
	}
}

// An application of somebody else's is asked about; one's own server is not, nor one that has all of it already.
func TestConfirmation(t *testing.T) {
	w := newWorld(t)
	rec := w.authorize("admin", wiki())
	if rec.Code != 200 || rec.Body.String() != "may The wiki?" {
		t.Fatalf("%d %s, want the question", rec.Code, rec.Body)
	}
	want := []string{"access:services!service=wiki", "list:users", "read:users!user", "read:users:groups!user", "read:users:name!user", "servers!user"}
	if !slices.Equal(w.asked, want) || len(w.lines) != 3 {
		t.Errorf("asked about %q in %d lines, want %q in 3", w.asked, len(w.lines), want)
	}
	where, got := location(t, w.confirm("admin", wiki(), w.asked))
	if where != "https://wiki.example/cb" || got.Get("tenant") != "1" || got.Get("state") != "s" {
		t.Errorf("sent to %s %v", where, got)
	}
	status, token := w.exchange(got.Get("code"), "client_id", "service-wiki", "redirect_uri", "-")
	if status != 200 || token["scope"] != strings.Join(want, " ") {
		t.Errorf("%d %v", status, token)
	}
	if rec := w.authorize("admin", wiki()); rec.Code != 302 {
		t.Errorf("asked again: %d", rec.Code)
	}
	if rec := w.authorize("admin", wiki("scope", "list:users")); rec.Code != 302 {
		t.Errorf("asked again for less: %d", rec.Code)
	}
	if rec := w.authorize("admin", server("bob")); rec.Code != 200 {
		t.Errorf("an admin enters bob's server without being asked: %d", rec.Code)
	}
}

// The form's fields are whatever came: what was not allowed is not granted, and no field at all is the least.
func TestConfirmedScopesAreCheckedAgain(t *testing.T) {
	w := newWorld(t)
	if _, got := location(t, w.confirm("admin", wiki(), []string{"admin:users"})); got.Get("error") != "invalid_scope" {
		t.Errorf("a scope that was never allowed: %v", got)
	}
	_, got := location(t, w.confirm("admin", wiki(), nil))
	status, token := w.exchange(got.Get("code"), "client_id", "service-wiki", "redirect_uri", "-")
	if status != 200 || token["scope"] != "access:services!service=wiki read:users:groups!user read:users:name!user" {
		t.Errorf("%d %v", status, token)
	}
	if rec := w.confirm("mallory", server("alice"), nil); rec.Code != 403 {
		t.Errorf("mallory confirms for alice's server: %d %s", rec.Code, rec.Body)
	}
	post := httptest.NewRequest("POST", "/hub/api/oauth2/authorize?"+wiki().Encode(), strings.NewReader("scopes=list:users"))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if rec := w.visit("admin", post); rec.Code != 403 {
		t.Errorf("without the XSRF token: %d", rec.Code)
	}
}

// A client gets no more than the person holds, silently.
func TestGrantsShrinkToWhatThePersonHolds(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		s, err := tx.Service("wiki")
		if err != nil {
			return err
		}
		c, err := tx.Client("service-wiki")
		if err != nil {
			return err
		}
		c.NoConfirm = true
		u, err := tx.User("bob")
		if err != nil {
			return err
		}
		u.Roles = []string{"visitor"}
		if _, err := tx.PutUser(u); err != nil {
			return err
		}
		if err := tx.PutService(s); err != nil {
			return err
		}
		return tx.PutClient(c, "")
	})
	policy, err := rbac.New([]rbac.Role{{Name: "visitor", Scopes: []string{"access:services", "list:users!user=alice"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.porter.SetRules(auth.Rules{Policy: policy})
	code := w.code("bob", wiki("scope", "list:users servers!user"))
	_, token := w.exchange(code, "client_id", "service-wiki", "redirect_uri", "-")
	scopes := strings.Fields(token["scope"].(string))
	if slices.Contains(scopes, "list:users") || !slices.Contains(scopes, "list:users!user=alice") || !slices.Contains(scopes, "servers!user") {
		t.Errorf("granted %q", scopes)
	}
}
