package system

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/auth/pam"
)

// door is root's login door on the stage, seen from the hub's side.
func (s *stage) door() *pam.Client { return pam.New(s.Path(pam.LoginDoor)) }

// account makes an account for the play with a password. Afterwards it goes, and with it whom the hub has come to know by it.
func (s *stage) account(name, password string, commands ...string) {
	s.t.Helper()
	s.run("useradd", "--create-home", name)
	s.t.Cleanup(func() {
		if err := s.hub.DeleteUser(context.WithoutCancel(s.ctx), name); err != nil && hub.KindOf(err) != hub.NotFound {
			s.t.Error(err)
		}
		s.undo("userdel", "--remove", "--force", name)
	})
	s.password(name, password)
	for _, c := range commands {
		s.run("sh", "-c", c)
	}
}

func (s *stage) password(name, password string) {
	s.t.Helper()
	s.run("sh", "-c", fmt.Sprintf("echo '%s:%s' | chpasswd", name, password))
}

// undo runs a command after the play.
func (s *stage) undo(name string, args ...string) {
	if _, err := s.Run(context.WithoutCancel(s.ctx), name, args...); err != nil {
		s.t.Error(err)
	}
}

// begin and answers hold a conversation at the door and return its last step.
func (s *stage) converse(user string, answers ...string) (hub.Step, error) {
	c, step, err := s.door().Begin(s.ctx, user, "192.0.2.7")
	if err != nil {
		return step, err
	}
	defer c.Close()
	for _, answer := range answers {
		if step, err = c.Answer(s.ctx, []string{answer}); err != nil || step.Account != nil {
			return step, err
		}
	}
	return step, err
}

// The rules of every authenticator hold for PAM with real shadow entries; a second name of one uid, with a password of its
// own, is the same account.
func TestRealPAMKeepsTheRulesOfAuthenticators(t *testing.T) {
	s := onStage(t)
	s.account("locked", "correct horse", "passwd -l locked")
	s.account("ended", "correct horse", "chage --expiredate 2001-01-01 ended")
	s.account("empty", "x", "passwd -d empty")
	s.account("second", "battery staple", "usermod --non-unique --uid $(id -u alice) second")
	s.password("root", "root has a password here")
	t.Cleanup(func() { s.undo("passwd", "-l", "root") })
	authtest.Run(t, s.door(), authtest.Cast{
		Good: authtest.Person{Name: "alice", Answers: []string{s.Password("alice")}},
		Refused: map[string]authtest.Person{
			"locked":      {Name: "locked", Answers: []string{"correct horse"}},
			"ended":       {Name: "ended", Answers: []string{"correct horse"}},
			"no password": {Name: "empty", Answers: []string{""}},
			"root":        {Name: "root", Answers: []string{"root has a password here"}},
			"the hub":     {Name: "jupyterhub"},
			"a service":   {Name: "daemon"},
			"nobody":      {Name: "nobody"},
		},
	})
	step, err := s.converse("second", "battery staple")
	if err != nil || step.Account == nil || step.Account.Name != "alice" {
		t.Errorf("a second name of alice's uid: %+v, %v", step, err)
	}
	if _, err := s.converse("second", s.Password("alice")); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("a second name with the first one's password: %v", err)
	}
}

// Vulnerability: the time of an answer tells which accounts exist. Attack: mallory compares. Verified: whoever it is, the
// refusal does not come before a second has passed. That it comes at whole seconds is the door's own test, on a clock of its own.
func TestRefusalsTakeTheSameTime(t *testing.T) {
	s := onStage(t)
	s.account("shut", "correct horse", "passwd -l shut")
	s.account("over", "correct horse", "chage --expiredate 2001-01-01 over")
	var tries sync.WaitGroup
	defer tries.Wait()
	answers := map[string]string{"shut": "correct horse", "over": "correct horse"} // the others have the wrong password
	for _, name := range []string{"alice", "root", "nobody-knows", "daemon", "shut", "over"} {
		tries.Go(func() {
			c, _, err := s.door().Begin(s.ctx, name, "192.0.2.7")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			asked := time.Now()
			_, err = c.Answer(s.ctx, []string{cmp.Or(answers[name], "wrong")})
			if took := time.Since(asked); hub.KindOf(err) != hub.Forbidden || took < time.Second {
				t.Errorf("%s is refused after %v: %v", name, took, err)
			}
		})
	}
}

func TestShadowThatNobodyMayRead(t *testing.T) {
	s := onStage(t)
	s.run("chmod", "0000", "/etc/shadow")
	t.Cleanup(func() { s.undo("chmod", "0640", "/etc/shadow") })
	if step, err := s.converse("alice", s.Password("alice")); err != nil || step.Account == nil {
		t.Errorf("%+v, %v", step, err)
	}
}

// An account of systemd's user database is in neither /etc/passwd nor /etc/shadow; the name service knows it all the same.
func TestAnAccountThatIsNotInPasswd(t *testing.T) {
	s := onStage(t)
	hash := strings.TrimSpace(s.run("openssl", "passwd", "-6", "correct horse"))
	s.run("mkdir", "-p", "/etc/userdb", "/home/carol")
	s.put("/etc/userdb/carol.user", `{"userName":"carol","uid":71001,"gid":71001,"homeDirectory":"/home/carol","shell":"/bin/bash","disposition":"regular"}`, 0o644)
	s.put("/etc/userdb/carol.user-privileged", fmt.Sprintf(`{"privileged":{"hashedPassword":[%q]}}`, hash), 0o600)
	s.put("/etc/userdb/carol.group", `{"groupName":"carol","gid":71001}`, 0o644)
	s.run("sh", "-c", "cd /etc/userdb && ln -s carol.user 71001.user && ln -s carol.user-privileged 71001.user-privileged && ln -s carol.group 71001.group")
	t.Cleanup(func() { s.undo("rm", "-r", "/etc/userdb", "/home/carol") })
	if s.run("grep", "-c", "^root:", "/etc/passwd") != "1" || strings.Contains(s.run("cat", "/etc/passwd"), "carol") {
		t.Fatal("carol is in /etc/passwd")
	}
	step, err := s.converse("carol", "correct horse")
	if err != nil || step.Account == nil || step.Account.UID != 71001 || step.Account.Home != "/home/carol" {
		t.Errorf("%+v, %v\n%s", step, err, s.Journal(s.ctx, "jupyterhub-pam@*"))
	}
	if _, err := s.converse("carol", "wrong"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("a wrong password: %v", err)
	}
}

// Root's rules are asked on root's side, of root's file, at each login: a hub that was taken over, or that did not reload,
// changes nothing.
func TestRootsRulesHoldWithoutTheHub(t *testing.T) {
	s := onStage(t)
	const file = "/etc/jupyterhub/jupyterhub.toml.d/80-login.toml"
	s.put(file, "[authenticator]\nblocked_users = [\"mallory\"]\n", 0o644)
	t.Cleanup(func() { s.undo("rm", "-f", file) })
	if _, err := s.converse("mallory", s.Password("mallory")); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("blocked, mallory: %v", err)
	}
	if _, err := s.door().Account(s.ctx, "mallory"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("the account of one who is blocked: %v", err)
	}
	s.put(file, "[authenticator]\nallow_all = false\nallowed_groups = [\"sudo\"]\n", 0o644)
	if step, err := s.converse("admin", s.Password("admin")); err != nil || step.Account == nil {
		t.Errorf("a member of an allowed group: %+v, %v", step, err)
	}
	if _, err := s.converse("alice", s.Password("alice")); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("alice, whom nothing admits: %v", err)
	}
	s.put(file, "[authenticator]\nallow_everybody = true\n", 0o644)
	if _, err := s.converse("alice", s.Password("alice")); hub.KindOf(err) != hub.Unavailable || strings.Contains(hub.TextOf(err), "allow_everybody") {
		t.Errorf("with a mistake in the file: %v", err)
	}
	if _, err := s.AwaitJournal(s.ctx, "jupyterhub-pam@*", "80-login.toml:2"); err != nil {
		t.Error(err)
	}
}

func TestALoginLeavesNoSessionBehind(t *testing.T) {
	s := onStage(t)
	before := s.run("loginctl", "list-sessions", "--no-legend")
	if _, err := s.converse("alice", s.Password("alice")); err != nil {
		t.Fatal(err)
	}
	s.eventually("the process behind the door is gone", func() bool {
		return s.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "jupyterhub-pam@*") == ""
	})
	if after := s.run("loginctl", "list-sessions", "--no-legend"); after != before {
		t.Errorf("sessions before %q and after %q", before, after)
	}
}

// Attack: a taken-over hub calls every verb for names that it must not have, in every order, with rubbish in between.
// Verified: it gets no account but those that root's rules admit, no more about others than "no", and breaks nothing.
func TestATakenOverHubAtTheLoginDoor(t *testing.T) {
	s := onStage(t)
	for _, name := range strings.Fields(s.run("sh", "-c", "getent passwd | awk -F: '$3 < 1000 || $3 == 65534 { print $1 }'")) {
		if a, err := s.door().Account(s.ctx, name); hub.KindOf(err) != hub.Forbidden || a.Name != "" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	for _, name := range []string{"0", " 0", "+0", "-s", "root\x00", "../root", "root:x", strings.Repeat("r", 1<<16)} {
		if a, err := s.door().Account(s.ctx, name); hub.KindOf(err) != hub.Invalid || a.Name != "" {
			t.Errorf("%.20q: %+v, %v", name, a, err)
		}
	}
	for _, rubbish := range []string{"\x00", "{}\x00", `{"method":"org.jupyterhub.Authenticator.Answer","parameters":{"answers":["x"]}}` + "\x00",
		`{"method":"org.jupyterhub.Authenticator.Begin","parameters":{"user":"alice","uid":0}}` + "\x00", strings.Repeat("[", 1<<20), strings.Repeat("a", 3<<20)} {
		c, err := s.Dial(s.ctx, "unix", pam.LoginDoor)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(rubbish)) // it hangs up in the middle of what is too long
		buffer := make([]byte, 4096)
		_ = c.SetReadDeadline(time.Now().Add(time.Second)) // what never ends is never answered
		n, _ := c.Read(buffer)
		if strings.Contains(string(buffer[:n]), `"uid"`) && !strings.Contains(string(buffer[:n]), "error") {
			t.Errorf("%.60q gave %s", rubbish, buffer[:n])
		}
		c.Close()
	}
	if step, err := s.converse("alice", s.Password("alice")); err != nil || step.Account == nil {
		t.Errorf("afterwards alice gets %+v, %v", step, err)
	}
	if failed := s.run("systemctl", "list-units", "--plain", "--no-legend", "--state=failed", "jupyterhub*"); failed != "" {
		t.Errorf("failed: %s", failed)
	}
	if out, err := s.As("mallory").Run(s.ctx, "python3", "-c", "import socket; socket.socket(socket.AF_UNIX).connect('"+pam.LoginDoor+"')"); err == nil {
		t.Errorf("mallory knocks at the door: %s", out)
	}
}

// A name that was created by an admin in other letters is not the account's; the login makes the account's own.
func TestTheHubUserIsCalledAsTheAccount(t *testing.T) {
	s := onStage(t)
	s.account("second", "battery staple", "usermod --non-unique --uid $(id -u bob) second")
	p := s.player("second")
	at := p.tryPassword("battery staple", "/hub/home")
	if !strings.Contains(at.text, `data-user="bob"`) {
		t.Errorf("logged in as somebody else than bob: %d %s", at.status, at.text)
	}
	if _, err := s.hub.User(s.ctx, "second"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("the second name is a user of its own: %v", err)
	}
}
