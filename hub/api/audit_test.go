package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub/httpd"
)

// What is done is told once, with who did it, to whom, from where and with which token; what is only looked at is not, nor what
// strangers tried.
func TestDeedsAreTold(t *testing.T) {
	w := newWorld(t)
	admin, alice := w.token("admin"), w.token("alice")
	w.ask(admin, "GET", "/hub/api/users").is(200)
	w.ask("", "POST", "/hub/api/users").is(403)
	w.ask(alice, "POST", "/hub/api/users/alice/activity", `{"last_activity":"2026-11-01T00:00:00Z"}`).is(200)
	if len(w.deeds) > 0 {
		t.Fatalf("told of %+v", w.deeds)
	}
	w.ask(admin, "POST", "/hub/api/users", `{"usernames":["carol","dave"]}`).is(201)
	w.ask(alice, "POST", "/hub/api/users/alice/servers/gpu").is(201)
	w.ask(alice, "DELETE", "/hub/api/users/bob").is(403) // she tried
	made := w.ask(alice, "POST", "/hub/api/users/alice/tokens").is(201).object()
	want := []httpd.Deed{
		{Who: "user admin", Via: "token", Token: "a1", What: "POST /hub/api/users", On: []string{"user carol", "user dave"}, Status: 201},
		{Who: "user alice", Via: "token", Token: "a2", What: "POST /hub/api/users/{user}/servers/{server}", On: []string{"user alice", "server gpu"}, Status: 201},
		{Who: "user alice", Via: "token", Token: "a2", What: "DELETE /hub/api/users/{user}", On: []string{"user bob"}, Status: 403},
		{Who: "user alice", Via: "token", Token: "a2", What: "POST /hub/api/users/{user}/tokens", On: []string{"user alice", "token " + made["id"].(string)}, Status: 201},
	}
	for i, d := range w.deeds {
		if d.Request == "" || d.From != "192.0.2.1" {
			t.Errorf("%+v does not say where it came from", d)
		}
		w.deeds[i].Request, w.deeds[i].From = "", ""
	}
	if len(w.deeds) != len(want) || !slices.EqualFunc(w.deeds, want, func(a, b httpd.Deed) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("told of\n%+v, want\n%+v", w.deeds, want)
	}
}

// Vulnerability: a log that tells secrets.
// Attack: whoever reads the journal looks for values in the audit log: tokens, codes, passwords, names of fields.
// Verified: every row is asked for, with secrets in path, query and body, and none of them is told.
func TestDeedsHoldNoSecrets(t *testing.T) {
	w := newWorld(t)
	admin := w.token("admin")
	const secret = "hunter2hunter2hunter2"
	for _, row := range w.room.Routes() {
		path := strings.NewReplacer("{token}", secret, "{value}", secret, "{name}", secret).Replace(row.Pattern)
		w.ask(admin, row.Method, fill(path)+"?token="+secret+"&code="+secret, `{"note":"`+secret+`","api_token":"`+secret+`","auth":{"password":"`+secret+`"}}`)
	}
	if told := fmt.Sprint(w.deeds); strings.Contains(told, secret) || strings.Contains(told, admin) || len(w.deeds) < 20 {
		t.Errorf("told of %s", told)
	}
}
