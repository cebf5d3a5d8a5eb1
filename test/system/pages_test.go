package system

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// A token that was made on the token page opens the API until it is revoked there.
func TestATokenMadeOnThePage(t *testing.T) {
	s := onStage(t)
	p := s.player("alice")
	at := p.logIn("/hub/token")
	made := p.post("/hub/token", url.Values{"_xsrf": {at.field("_xsrf")}, "action": {"make"}, "note": {"for the play"}, "expires_in": {"3600"}})
	token := made.find(`<output[^>]*>([^<]*)</output>`)
	if made.status != http.StatusOK || len(token) != 32 {
		t.Fatalf("%d %s", made.status, made.words())
	}
	api := func() (client.Identity, error) {
		c, err := client.New(s.Path("/run/jupyterhub/admin.sock"), token)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Identity(s.ctx)
	}
	who, err := api()
	if err != nil || who.Name != "alice" || string(who.TokenID) == "" {
		t.Fatalf("the token is of %+v, %v", who, err)
	}
	p.post("/hub/token", url.Values{"_xsrf": {made.field("_xsrf")}, "action": {"revoke"}, "id": {string(who.TokenID)}})
	if who, err = api(); err == nil && who.Name == "alice" {
		t.Errorf("revoked, the token is still of %+v", who)
	}
	refused := p.post("/hub/token", url.Values{"_xsrf": {made.field("_xsrf")}, "action": {"make"}, "scopes": {"admin:users"}})
	if refused.status != http.StatusBadRequest || !strings.Contains(refused.words(), "admin:users") {
		t.Errorf("more than alice may: %d %s", refused.status, refused.words())
	}
}

// The admin page adds and removes users, starts and stops their servers, and shows what these use.
func TestTheAdminPage(t *testing.T) {
	s := onStage(t)
	s.mocked("bob")
	p := s.player("admin")
	at := p.logIn("/hub/admin?search=bo")
	do := func(form url.Values) page {
		t.Helper()
		form.Set("_xsrf", at.field("_xsrf"))
		return p.post("/hub/admin", form)
	}
	do(url.Values{"action": {"start"}, "user": {"bob"}, "query": {"search=bo"}})
	s.becomes(bob, hub.Running)
	if shown := p.get("/hub/admin?search=bo"); !strings.Contains(shown.words(), "running") || !strings.Contains(shown.words(), "iB") {
		t.Errorf("of bob's server it says %s", shown.words())
	}
	do(url.Values{"action": {"stop"}, "user": {"bob"}})
	s.becomes(bob, hub.Stopped)
	s.start(bob)
	do(url.Values{"action": {"stop-all"}})
	s.becomes(bob, hub.Stopped)

	do(url.Values{"action": {"add"}, "usernames": {"newcomer\n"}})
	if u, err := s.hub.User(s.ctx, "newcomer"); err != nil || u.Name != "newcomer" {
		t.Errorf("added: %+v, %v", u, err)
	}
	do(url.Values{"action": {"remove"}, "user": {"newcomer"}})
	if u, err := s.hub.User(s.ctx, "newcomer"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("removed: %+v, %v", u, err)
	}
	mallory := s.player("mallory")
	if at := mallory.logIn("/hub/home"); mallory.post("/hub/admin", url.Values{"_xsrf": {at.field("_xsrf")}, "action": {"stop-all"}}).status != http.StatusForbidden {
		t.Error("mallory administers")
	}
}
