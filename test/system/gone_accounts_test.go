package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// Vulnerability: a session of two weeks, a token and a running server outlive the account. Attack: carol's account is locked, has
// expired, is removed, or has another's uid; her browser is open, her script runs, her server runs. Verified: each of them
// ends by itself, and nobody else's; who has the name with another uid comes in with nothing of hers.
func TestNobodyStaysInWhoseAccountIsGone(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[authenticator]\nauth_refresh_age = \"1s\"\n[spawner]\ncmd = [\"mock-singleuser\"]\n")
	bob := s.player("bob")
	bob.logIn("/hub/home")
	for name, gone := range map[string]string{
		"locked":  "usermod --lock %s",
		"expired": "chage --expiredate 2001-01-01 %s",
		"removed": "userdel --force %s",
		"another": "sed -i 's/^%s:x:[0-9]*:/&7/; s/^\\(%s:x:[0-9]*\\):7/\\17:/' /etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{Bed: s.Bed, t: t, ctx: t.Context(), hub: s.hub}
			who := "gone" + name
			s.account(who, "correct horse")
			p := s.player(who)
			if at := p.tryPassword("correct horse", "/hub/home"); at.url.Path != "/hub/home" {
				t.Fatalf("%s is at %s", who, at.url)
			}
			s.start(hub.ServerRef{User: who})
			token, err := s.hub.NewToken(s.ctx, who, client.TokenRequest{})
			if err != nil {
				t.Fatal(err)
			}
			admin := name == "another"
			if _, err := s.hub.ChangeUser(s.ctx, who, client.UserChange{Admin: &admin}); err != nil {
				t.Fatal(err)
			}
			if !s.opens(token.Value, who) {
				t.Fatal("the token opens nothing to begin with")
			}
			s.run("sh", "-c", strings.ReplaceAll(gone, "%s", who))
			s.eventually("her browser is logged out", func() bool { return p.get("/hub/home").url.Path == "/hub/login" })
			s.eventually("her token opens nothing", func() bool { return !s.opens(token.Value, who) })
			s.eventually("her unit is gone", func() bool {
				return s.run("sh", "-c", "systemctl is-active '"+hub.UnitName(hub.ServerRef{User: who})+"' || true") != "active"
			})
			if at := bob.get("/hub/home"); at.url.Path != "/hub/home" {
				t.Errorf("bob is at %s", at.url)
			}
			if _, err := s.hub.StartServer(s.ctx, hub.ServerRef{User: who}, client.StartRequest{}); err == nil {
				t.Error("an admin starts the server of an account that is gone")
			}
			if name == "another" {
				s.comesInAnew(who, token.Value)
			}
			if name == "removed" {
				s.run("useradd", "--create-home", who) // for the end of the play
			}
		})
	}
}

// comesInAnew lets the new holder of a name log in: with what the password opens, and nothing of what the former one had.
func (s *stage) comesInAnew(who, token string) {
	s.t.Helper()
	if at := s.player(who).tryPassword("correct horse", "/hub/home"); at.url.Path != "/hub/home" {
		s.t.Errorf("the new holder of %s is at %s", who, at.url)
	}
	if u, err := s.hub.User(s.ctx, who); err != nil || u.Admin.Value {
		s.t.Errorf("the new holder is %+v: %v", u, err)
	}
	if tokens, err := s.hub.Tokens(s.ctx, who); err != nil || len(tokens) > 0 || s.opens(token, who) {
		s.t.Errorf("the new holder has tokens %+v: %v", tokens, err)
	}
}

// opens asks the API with a token who its owner is.
func (s *stage) opens(token, who string) bool {
	s.t.Helper()
	p := s.player(who)
	request := p.request(s.ctx, http.MethodGet, "/hub/api/user", nil)
	request.Header.Set("Authorization", "token "+token)
	response, err := p.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
