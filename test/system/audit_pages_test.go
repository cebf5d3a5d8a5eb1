package system

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub/client"
)

// deed is an entry of the audit log as journalctl shows it.
type deed struct {
	Who     string `json:"JUPYTERHUB_WHO"`
	Token   string `json:"JUPYTERHUB_TOKEN_ID"`
	What    string `json:"JUPYTERHUB_WHAT"`
	On      string `json:"JUPYTERHUB_ON"`
	Via     string `json:"JUPYTERHUB_VIA"`
	From    string `json:"JUPYTERHUB_FROM"`
	Status  string `json:"JUPYTERHUB_STATUS"`
	Request string `json:"JUPYTERHUB_REQUEST"`
}

// deedsTold returns what the journal holds of the audit log.
func (s *stage) deedsTold() (told []deed) {
	s.t.Helper()
	s.run("journalctl", "--sync")
	for line := range strings.Lines(s.run("journalctl", deeds...)) {
		var d deed
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		told = append(told, d)
	}
	return told
}

// Vulnerability: the audit log does not say from where, or by what, somebody did something, or says what they like.
// Attack: bob's script at another address than the hub's own, who says that he is elsewhere and which request his is; and an admin at a browser.
// Verified: the journal has the address that the proxy saw, what came of it, and the id of the answer; of what came with a password, a login
// among it, whose it was, and of a browser's deeds, its logout among them, that they came by cookie; and of a login that failed nothing.
func TestTheJournalSaysFromWhere(t *testing.T) {
	s := onStage(t)
	token, err := s.hub.NewToken(s.ctx, "bob", client.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	curl := func(method, path string) (id string) {
		head := s.run("curl", "--silent", "--show-error", "--interface", "127.0.0.9", "--request", method, "--dump-header", "-", "--output", "/dev/null",
			"--header", "Authorization: token "+token.Value, "--header", "X-Forwarded-For: 203.0.113.9", "--header", "Forwarded: for=203.0.113.9",
			"--header", "X-Request-Id: chosen-by-bob", "http://127.0.0.1:8000"+path)
		for line := range strings.Lines(head) {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "X-Request-Id") {
				id = strings.TrimSpace(value)
			}
		}
		return id
	}
	refused := curl("POST", "/hub/api/users/alice/server")
	revoked := curl("DELETE", "/hub/api/users/bob/tokens/"+token.ID)
	if refused == "" || revoked == "" || refused == revoked {
		t.Fatalf("the answers have the ids %q and %q", refused, revoked)
	}

	var made struct {
		ID string `json:"id"`
	}
	said := s.run("curl", "--silent", "--show-error", "--fail", "--data", `{"auth": {"username": "bob", "password": "`+s.Password("bob")+`"}}`, "http://127.0.0.1:8000/hub/api/users/bob/tokens")
	if err := json.Unmarshal([]byte(said), &made); err != nil || made.ID == "" {
		t.Fatalf("bob's password makes the token %s: %v", said, err)
	}

	p := s.player("admin")
	p.tryPassword("mistyped-by-the-admin", "/hub/admin")
	p.logIn("/hub/admin")
	name := "made-at-a-page"
	p.post("/hub/admin", url.Values{"action": {"add"}, "usernames": {name}, "_xsrf": {p.get("/hub/admin").field("_xsrf")}})
	t.Cleanup(func() {
		if err := s.hub.DeleteUser(context.WithoutCancel(s.ctx), name); err != nil {
			t.Error(err)
		}
	})
	p.get("/hub/logout")

	told := s.deedsTold()
	for _, want := range []deed{
		{"user bob", token.ID, "POST /hub/api/users/{user}/server", "user alice", "token", "127.0.0.9", "404", refused},
		{"user bob", token.ID, "DELETE /hub/api/users/{user}/tokens/{id}", "user bob, token " + token.ID, "token", "127.0.0.9", "204", revoked},
		{Who: "user bob", What: "POST /hub/api/users/{user}/tokens", On: "user bob, token " + made.ID, Via: "password", From: "127.0.0.1", Status: "201"},
		{Who: "user admin", What: "POST /hub/login", On: "user admin", Via: "password", From: "127.0.0.1", Status: "302"},
		{Who: "user admin", What: "POST /hub/admin", On: "action add, user " + name, Via: "cookie", From: "127.0.0.1", Status: "303"},
		{Who: "user admin", What: "GET /hub/logout", Via: "cookie", From: "127.0.0.1", Status: "302"},
	} {
		if !anyDeed(told, want) {
			t.Errorf("nobody says %+v:\n%+v", want, told)
		}
	}
	for _, d := range told {
		if d.What == "POST /hub/login" && d.Who == "" && d.Status >= "400" {
			t.Errorf("a stranger's login is told of that let nobody in: %+v", d)
		}
	}
}

// anyDeed looks for a deed. Where want names no request, it may be any.
func anyDeed(told []deed, want deed) bool {
	return slices.ContainsFunc(told, func(d deed) bool {
		if want.Request == "" && d.Request != "" {
			d.Request = ""
		}
		return d == want
	})
}
