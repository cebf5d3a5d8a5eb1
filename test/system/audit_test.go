package system

import (
	"encoding/json"
	"strings"
	"testing"

	"jupyterhubd/hub/client"
)

// deeds is how docs/security.md says to read the audit log.
var deeds = []string{"--no-pager", "--output=json", "_SYSTEMD_UNIT=jupyterhub.service", "MESSAGE_ID=5c1d6bd1a6cb4b0ba4a7f0c56d9d1a3e"}

// Vulnerability: nobody can say afterwards who did it.
// Attack: bob makes a token, and something is done with it; and his server writes a line that says it was somebody else.
// Verified: the journal says who did what, to whom and with which token, by fields that can be searched, and what journald saw of
// the writer tells the hub's entries from forged ones.
func TestTheJournalSaysWhoDidWhat(t *testing.T) {
	s := onStage(t)
	token, err := s.hub.NewToken(s.ctx, "bob", client.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	path := "/hub/api/users/bob/tokens/" + token.ID
	s.run("curl", "--silent", "--show-error", "--fail", "--request", "DELETE", "--header", "Authorization: token "+token.Value, "http://127.0.0.1:8081"+path)
	forged := "MESSAGE_ID=5c1d6bd1a6cb4b0ba4a7f0c56d9d1a3e\nMESSAGE=forged\nJUPYTERHUB_WHO=user alice\n"
	s.run("su", "bob", "--shell=/bin/sh", "--command", "printf '"+strings.ReplaceAll(forged, "\n", `\n`)+"' | logger --journald")
	s.run("journalctl", "--sync")
	type entry struct {
		Who   string `json:"JUPYTERHUB_WHO"`
		Token string `json:"JUPYTERHUB_TOKEN_ID"`
		What  string `json:"JUPYTERHUB_WHAT"`
		On    string `json:"JUPYTERHUB_ON"`
		Via   string `json:"JUPYTERHUB_VIA"`
	}
	told := s.run("journalctl", deeds...)
	found := map[entry]bool{}
	for line := range strings.Lines(told) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		found[e] = true
	}
	for _, want := range []entry{
		{"service local-admin", "", "POST /hub/api/users/{user}/tokens", "user bob, token " + token.ID, "peer"},
		{"user bob", token.ID, "DELETE /hub/api/users/{user}/tokens/{id}", "user bob, token " + token.ID, "token"},
	} {
		if !found[want] {
			t.Errorf("nobody says %+v:\n%s", want, told)
		}
	}
	if strings.Contains(told, "forged") || strings.Contains(told, token.Value) {
		t.Errorf("a forged entry, or a secret, is among the hub's:\n%s", told)
	}
}
