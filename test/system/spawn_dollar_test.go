package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// A dollar sign in a server's command line is a dollar sign, at its start and when systemd starts it again after it has read its units
// anew.
func TestADollarSignOutlivesADaemonReload(t *testing.T) {
	s := onStage(t)
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[spawner.user.alice]\ncmd = [\"probe-singleuser\", \"cost=$HOME\", \"$$\", \"${PATH}\", \"5%$ \\\"x\\\" \\\\ y\"]\n" +
		"[spawner.user.alice.environment]\nPRICE = \"$5 $$ ${HOME}\"\n")
	s.start(alice)
	const look = `tr "\0" "|" </proc/$PPID/cmdline; echo "$PRICE"`
	before := s.can(alice, look)
	const want = `|cost=$HOME|$$|${PATH}|5%$ "x" \ y|--ServerApp.sock=`
	if !strings.Contains(before, want) || !strings.HasSuffix(before, "$5 $$ ${HOME}") {
		t.Errorf("its command line is\n%s\nand wants\n%s", before, want)
	}
	pid := s.mainPID(hub.UnitName(alice))
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "restart", hub.UnitName(alice))
	s.eventually("it runs again", func() bool {
		return s.mainPID(hub.UnitName(alice)) != pid && s.answers("/user/alice/api") == http.StatusOK
	})
	if after := s.can(alice, look); after != before {
		t.Errorf("its command line was\n%s\nand is\n%s", before, after)
	}
}
