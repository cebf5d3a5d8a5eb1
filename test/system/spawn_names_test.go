package system

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// user makes a user of the hub for the play, whose servers end and who is forgotten afterwards.
func (s *stage) user(name string) hub.ServerRef {
	s.t.Helper()
	ref := hub.ServerRef{User: name}
	if _, err := s.hub.CreateUsers(s.ctx, client.CreateUsers{Usernames: []string{name}}); err != nil {
		s.t.Fatal(err)
	}
	s.forgotten(name)
	return ref
}

// forgotten has a user's server stopped, and the user forgotten, when the play has ended.
func (s *stage) forgotten(name string) {
	ctx := context.WithoutCancel(s.ctx)
	s.t.Cleanup(func() {
		if _, err := s.hub.StopServer(ctx, hub.ServerRef{User: name}, false); err != nil && hub.KindOf(err) != hub.NotFound {
			s.t.Error(err)
		}
		if err := s.hub.DeleteUser(ctx, name); err != nil && hub.KindOf(err) != hub.NotFound {
			s.t.Error(err)
		}
	})
}

// An account has another name in the hub. Whoever logs in by it is that user, and no other one; her server is called as the user and
// runs as the account. An account that has the name which was given away does not come in beside her.
func TestTheHubHasANameOfItsOwnForAnAccount(t *testing.T) {
	s := onStage(t)
	s.account("corp-dora", "correct horse")
	s.account("dora", "battery staple")
	s.put("/usr/local/bin/mock-singleuser", mock, 0o755)
	s.configure("[authenticator]\nusername_map = { corp-dora = \"dora\" }\n[spawner.user.dora]\ncmd = [\"mock-singleuser\"]\n")
	s.forgotten("dora")
	p := s.player("corp-dora")
	if at := p.tryPassword("correct horse", "/hub/home"); at.status != http.StatusOK || !strings.Contains(at.text, `data-user="dora"`) {
		t.Fatalf("corp-dora logs in and is at %s, %d:\n%s", at.url, at.status, at.text)
	}
	for typed, password := range map[string]string{"dora": "battery staple", "corp-dora": "battery staple"} {
		if _, err := s.converse(typed, password); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("%s with the other one's password: %v", typed, err)
		}
	}
	dora := hub.ServerRef{User: "dora"}
	s.start(dora)
	unit := hub.UnitName(dora)
	if got, want := s.property(unit, "User"), s.run("id", "--user", "corp-dora"); got != want {
		t.Errorf("%s runs as %s, want %s", unit, got, want)
	}
	if got := s.property(unit, "Slice"); got != "jupyter-user_dora.slice" {
		t.Errorf("it is in %s", got)
	}
	// The account is looked at by the name that the hub knows, and found in order: she stays in.
	s.run("systemctl", "restart", "jupyterhub.service")
	if at := p.get("/hub/home"); !strings.Contains(at.text, `data-user="dora"`) {
		t.Errorf("after a restart of the hub she is at %s, %d", at.url, at.status)
	}
	s.becomes(dora, hub.Running)
}

// Servers of a user of the hub run as the account that root's file names by a template, and as none that root's rules leave out,
// whatever the hub's name says. What a login says of the user's own account is not held against it.
func TestServersRunAsTheAccountOfTheTemplate(t *testing.T) {
	s := onStage(t)
	s.account("course-bob", "correct horse")
	s.probed("username_template = \"course-{USERNAME}\"", "bob")
	s.player("bob").logIn("/hub/home")
	s.start(bob)
	unit := s.unit(bob)
	if want := s.run("id", "--user", "course-bob"); s.can(bob, "id --user; echo $JUPYTERHUB_USER; pwd") != want+"\nbob\n/home/course-bob" || unit.Account != "course-bob" {
		t.Errorf("it runs as %s: %+v", s.can(bob, "id; pwd"), unit)
	}
	s.killed("jupyterhub-spawnd.service")
	if again := s.unit(bob); again.Account != unit.Account || again.UID != unit.UID {
		t.Errorf("the next jupyterhub-spawnd says %+v", again)
	}
	s.becomes(bob, hub.Running)
	if out := s.run("jupyterhub", "explain", "bob"); !strings.Contains(out, "username_template") {
		t.Errorf("nothing is explained:\n%s", out)
	}

	s.configure("[spawner]\nusername_template = \"{USERNAME}n\"\n[spawner.user.mallory]\nusername_template = \"root\"\n")
	for _, name := range []string{"mallory", "ma"} { // man is a system account
		if _, err := s.startAsHub(map[string]any{"user": name, "server": ""}); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("the hub starts a server of %s: %v", name, err)
		}
	}
}

// Guests have no account. Each has a user of systemd's making, a home that is kept from one server to the next, and nothing of another
// guest's or of the accounts'. Nobody but hub and proxy reaches their sockets, and the hub compares who listens there.
func TestGuests(t *testing.T) {
	s := onStage(t)
	s.guests()
	one, two := s.user("guest-1"), s.user("guest 2@example.org")
	s.start(one)
	s.start(two)

	uid := s.can(one, "id --user")
	if other := s.can(two, "id --user"); other == uid || len(uid) != 5 {
		t.Errorf("the guests have uids %s and %s", uid, other)
	}
	home := s.can(one, "echo $HOME")
	if !strings.HasPrefix(home, "/var/lib/jupyter-guests/guest_1-") || s.can(one, "pwd -P") != strings.Replace(home, "/lib/", "/lib/private/", 1) {
		t.Errorf("the home is %s, the server in %s", home, s.can(one, "pwd -P"))
	}
	s.can(one, "echo mine >~/kept && echo mine >/tmp/gone && chmod 666 ~/kept /tmp/gone")
	for _, attempt := range []string{"cat " + home + "/kept", "cat /var/lib/private/*/*/kept", "ls /var/lib/private/jupyter-guests | grep guest_1", "cat /proc/*/root" + home + "/kept",
		"cat /tmp/gone", "ls /home/alice", "touch /srv/x", "touch /usr/x", "ls /run/credentials/" + hub.UnitName(one)} {
		s.cannot(two, attempt)
	}
	for who, reaches := range map[string]bool{"mallory": false, "jupyterhub": true, "jupyterhub-proxy": true} {
		out, _ := s.Run(s.ctx, "setpriv", "--reuid="+who, "--regid="+who, "--init-groups", "--inh-caps=-all", "--",
			"curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}", "--unix-socket", s.unit(one).Socket, "http://x/")
		if got := out == "200"; got != reaches {
			t.Errorf("%s reaches the guest's server: %t", who, got)
		}
	}
	if u := s.unit(one); u.UID < 61184 || u.UID > 65519 || !strings.HasPrefix(u.Account, "jupyter-guest-") {
		t.Errorf("root's side tells %+v", u)
	}

	if _, err := s.hub.StopServer(s.ctx, one, false); err != nil {
		t.Fatal(err)
	}
	s.becomes(one, hub.Stopped)
	s.start(one)
	if kept := s.can(one, "cat ~/kept; ls /tmp; touch ~/kept"); kept != "mine" {
		t.Errorf("of the home is left %q", kept)
	}
	s.run("systemctl", "daemon-reload")
	if story := s.Journal(s.ctx, hub.UnitName(one)) + s.Journal(s.ctx, hub.UnitName(two)); strings.Contains(story, ", ignoring") {
		t.Errorf("systemd complains of the units:\n%s", story)
	}
	s.killed("jupyterhub-spawnd.service") // the next one reads what systemd has
	for _, guest := range []hub.ServerRef{one, two} {
		s.becomes(guest, hub.Running)
		s.can(guest, "touch ~/kept")
	}
}

// Vulnerability: whose socket a server's is, nobody knows before systemd has made the guest's user up. Attack: a guest puts a link to
// another guest's socket in the place of its own. Verified: visitors are refused, and its own socket by a link is still its own.
func TestAGuestLinksItsSocketToAnothers(t *testing.T) {
	s := onStage(t)
	s.guests()
	victim, attacker := s.user("guest-victim"), s.user("guest-attacker")
	// A connection that the proxy keeps would lead to what ran before.
	s.put("/usr/local/bin/probe-singleuser", strings.Replace(probe, "HTTP/1.1", "HTTP/1.0", 1), 0o755)
	s.start(victim)
	s.start(attacker)
	own := s.unit(attacker).Socket
	s.can(attacker, "mv "+own+" "+own+".real && ln -s "+s.unit(victim).Socket+" "+own)
	if at := s.player("alice").get("/user/guest-attacker/api"); at.status < http.StatusInternalServerError {
		t.Errorf("the attacker's server is the victim's: %d\n%s", at.status, at.text)
	}
	s.run("ln", "-sfn", own+".real", own)
	s.eventually("its own socket, by a link, is its own", func() bool { return s.answers("/user/guest-attacker/api") == http.StatusOK })
}

// A real JupyterLab runs for a guest, who logs in as an account: a cell is run in the guest's home, by the guest's user, and what it wrote
// is there in the next server.
func TestAGuestRunsACell(t *testing.T) {
	s := onStage(t)
	s.afterwards("sh", "-c", "rm -rf /var/lib/jupyter-guests /var/lib/private/jupyter-guests")
	s.configure("[spawner.user.alice]\ndynamic_users = true\n")
	p := s.player("alice")
	p.logIn("/hub/home")
	for _, want := range []string{"None", "kept"} {
		p.startServer()
		if lab := p.get("/user/alice/lab"); lab.status != http.StatusOK {
			t.Fatalf("JupyterLab is at %s, %d:\n%s", lab.url, lab.status, lab.text)
		}
		told := strings.Fields(p.kernel().run(`import os, pathlib
kept = pathlib.Path.home() / "kept"
print(os.getuid(), os.path.expanduser("~"), os.getcwd() == os.path.realpath(os.path.expanduser("~")), kept.read_text() if kept.exists() else None)
kept.write_text("kept")`))
		if len(told) < 4 || len(told[0]) != 5 || !strings.HasPrefix(told[1], "/var/lib/jupyter-guests/alice-") || told[2] != "True" || told[3] != want {
			t.Fatalf("the cell prints %q, want %s at the end", told, want)
		}
		if _, err := s.hub.StopServer(s.ctx, alice, false); err != nil {
			t.Fatal(err)
		}
		s.becomes(alice, hub.Stopped)
	}
}

// guests lets every server be a guest's probe, until the play ends.
func (s *stage) guests() {
	s.t.Helper()
	s.afterwards("sh", "-c", "rm -rf /var/lib/jupyter-guests /var/lib/private/jupyter-guests")
	s.put("/usr/local/bin/probe-singleuser", probe, 0o755)
	s.configure("[spawner]\ncmd = [\"probe-singleuser\"]\ndynamic_users = true\n")
}
