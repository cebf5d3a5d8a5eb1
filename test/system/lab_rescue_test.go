package system

import (
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// broken is what people do to their homes that a real JupyterLab does not bear, and how they mend it in the rescue server.
var broken = []struct {
	name     string
	before   string // what root does, as it were bob
	kind     hub.CauseKind
	sentence string
	journal  string // in Jupyter's own words
	mend     string // what bob types
}{
	{name: "full home", kind: hub.CauseFullHome, sentence: "no room left in /home/bob", journal: "No space left on device", mend: "rm much",
		before: "mount -t tmpfs -o mode=755,size=1M,uid=$(id -u bob) tmpfs /home/bob; head -c 2M /dev/zero >/home/bob/much 2>/dev/null; true"},
	{name: "a value of the wrong type", kind: hub.CauseOwnConfig, sentence: "could not read your own Jupyter configuration", journal: "Bad config encountered", mend: "rm .jupyter/jupyter_server_config.py",
		before: "mkdir /home/bob/.jupyter; echo \"c.ServerApp.allow_remote_access = 'of course'\" >/home/bob/.jupyter/jupyter_server_config.py"},
	{name: "JSON of a wrong type", kind: hub.CauseOwnConfig, sentence: "could not read your own Jupyter configuration", journal: "Bad config encountered", mend: "rm .jupyter/jupyter_server_config.json",
		before: `mkdir /home/bob/.jupyter; echo '{"ServerApp": {"allow_remote_access": "of course"}}' >/home/bob/.jupyter/jupyter_server_config.json`},
}

// Bob's real JupyterLab does not start any more, for what is in his home. He is told why, follows the link to the rescue server,
// which is a real JupyterLab as well, mends it in a terminal there, and his own server starts again.
func TestAPersonMendsTheirHome(t *testing.T) {
	s := onStage(t)
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			s := settle(t, s.Bed)
			s.forgotten("bob")
			s.afterwards("sh", "-c", "umount --quiet --lazy /home/bob; rm -rf /home/bob/.jupyter /home/bob/.local /home/bob/.ipython")
			s.run("sh", "-c", b.before+"; chown -R bob: /home/bob")
			p := s.player("bob")
			p.logIn("/hub/home")
			p.startServer()
			s.becomes(bob, hub.Failed)
			at := p.get("/hub/spawn-pending/bob")
			s.eventually("the log has been read", func() bool {
				at = p.get("/hub/spawn-pending/bob")
				return !strings.Contains(at.words(), "are being read")
			})
			if cause := s.lastEvent(bob).Cause; cause == nil || cause.Kind != b.kind {
				t.Errorf("the cause is %+v", cause)
			}
			if words := at.words(); !strings.Contains(words, b.sentence) || !strings.Contains(words, b.journal) {
				t.Errorf("the page says\n%s", words)
			}
			rescue := at.find(`href="([^"]*opt-profile=rescue[^"]*)"`)
			if rescue == "" {
				t.Fatalf("no rescue is offered:\n%s", at.text)
			}
			p.get(rescue)
			s.becomes(bob, hub.Running)
			if lab := p.get("/user/bob/lab"); lab.status != http.StatusOK || !strings.Contains(lab.text, "jupyter-config-data") {
				t.Fatalf("the rescue server is at %s, %d", lab.url, lab.status)
			}
			if out := p.kernel().run("print(6 * 7)"); out != "42\n" {
				t.Errorf("a cell prints %q", out)
			}
			s.openTerminal(bob).says(b.mend+" && echo m''ended", "mended")

			if _, err := s.hub.StopServer(s.ctx, bob, false); err != nil {
				t.Fatal(err)
			}
			s.becomes(bob, hub.Stopped)
			s.start(bob)
			if max := s.property(hub.UnitName(bob), "MemoryMax"); max == "536870912" {
				t.Error("this is the rescue server again")
			}
			if lab := p.get("/user/bob/lab"); lab.status != http.StatusOK {
				t.Errorf("his own server is at %s, %d", lab.url, lab.status)
			}
		})
	}
}

// A configuration that is no Python, or no JSON, is nothing that a Jupyter server of today stops at: it says so in its log and goes on.
// Nobody is sent to a rescue that they do not need.
func TestWhatJupyterGoesOnWithIsNoFailure(t *testing.T) {
	s := onStage(t)
	s.afterwards("rm", "-rf", "/home/bob/.jupyter")
	s.run("sh", "-ec", "mkdir -p /home/bob/.jupyter; echo 'c.ServerApp.port = (' >/home/bob/.jupyter/jupyter_server_config.py; echo '{' >/home/bob/.jupyter/jupyter_server_config.json; chown -R bob: /home/bob/.jupyter")
	s.start(bob)
	s.run("journalctl", "--sync")
	if journal := s.Journal(s.ctx, hub.UnitName(bob)); !strings.Contains(journal, "Exception while loading config file") {
		t.Errorf("the log says nothing of it:\n%s", journal)
	}
}
