package system

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// reply answers the one question of a login's page.
func (p *player) reply(at page, answer string) page {
	p.t.Helper()
	return p.post(at.attribute("form", "action"), url.Values{"_xsrf": {at.field("_xsrf")}, "conversation": {at.field("conversation")}, "answer": {answer}})
}

// asked is the label of the question that a page asks.
func (at page) asked() string { return at.find(`<label for="answer-1">([^<]*)</label>`) }

// An expired password leads to a form that changes it through PAM, inside the sandbox of jupyterhub-passwd@.
func TestAnExpiredPasswordIsChangedInTheBrowser(t *testing.T) {
	s := onStage(t)
	s.account("dora", "old secret 1", "chage --lastday 0 dora")
	before := s.run("stat", "--format=%U:%G %a", "/etc/shadow")
	p := s.player("dora")
	at := p.tryPassword("old secret 1", "/hub/home")
	if at.asked() != "New password" {
		t.Fatalf("asked %q, although the old password was just typed: %s", at.asked(), at.words())
	}
	for range 2 {
		at = p.reply(at, "dora")
	}
	if !strings.Contains(at.words(), "BAD PASSWORD") && !strings.Contains(at.words(), "must choose a longer password") {
		t.Errorf("a weak password leads to %d %s", at.status, at.words())
	}
	if at.asked() == "" {
		at = p.tryPassword("old secret 1", "/hub/home")
	}
	for _, asked := range []string{"New password", "Retype new password"} {
		if at.asked() != asked {
			t.Fatalf("asked %q, not %q: %s", at.asked(), asked, at.words())
		}
		at = p.reply(at, "new secret 22")
	}
	if at.status != http.StatusOK || !strings.Contains(at.text, `data-user="dora"`) {
		t.Fatalf("ended at %s with %d: %s", at.url, at.status, at.words())
	}
	if at = s.player("dora").tryPassword("old secret 1", "/hub/home"); at.status != http.StatusForbidden {
		t.Errorf("the old password: %d", at.status)
	}
	if at = s.player("dora").tryPassword("new secret 22", "/hub/home"); !strings.Contains(at.text, `data-user="dora"`) {
		t.Errorf("the new password: %d %s", at.status, at.words())
	}
	if after := s.run("stat", "--format=%U:%G %a", "/etc/shadow"); after != before {
		t.Errorf("/etc/shadow was %s and is %s", before, after)
	}
}

// A stack that asks more than the password, two questions and some messages, is answered page by page.
func TestAStackThatAsksMore(t *testing.T) {
	s := onStage(t)
	module, err := os.ReadFile("../../hub/auth/pam/conv/testdata/pam_cast.c")
	if err != nil {
		t.Fatal(err)
	}
	s.put("/usr/local/src/pam_cast.c", string(module), 0o644)
	s.run("cc", "-shared", "-fPIC", "-o", "/usr/local/lib/pam_cast.so", "/usr/local/src/pam_cast.c", "-lpam")
	s.run("cp", "/etc/pam.d/jupyterhub", "/etc/pam.d/jupyterhub.before")
	t.Cleanup(func() { s.undo("mv", "/etc/pam.d/jupyterhub.before", "/etc/pam.d/jupyterhub") })
	s.run("sed", "-i", "/^@include common-auth/a auth required /usr/local/lib/pam_cast.so code=123456", "/etc/pam.d/jupyterhub")

	p := s.player("alice")
	at := p.tryPassword(s.Password("alice"), "/hub/home")
	if at.asked() != "Code" || !strings.Contains(at.words(), "look at your") {
		t.Fatalf("asked %q: %s", at.asked(), at.words())
	}
	at = p.reply(at, "123456")
	if at.asked() != "Colour" || !strings.Contains(at.words(), "and quickly") {
		t.Fatalf("asked %q: %s", at.asked(), at.words())
	}
	at = p.reply(at, "blue")
	// PAM's last words are shown before the browser goes on, with the address that the proxy saw.
	if !strings.Contains(at.words(), "from 127.0.0.1 at jupyterhub") || at.find(`id="continue"[^>]*href="([^"]*)"`) != "/hub/home" {
		t.Fatalf("ended with %d %s", at.status, at.words())
	}
	if at = p.get("/hub/home"); !strings.Contains(at.text, `data-user="alice"`) {
		t.Errorf("nobody is logged in: %s", at.words())
	}
	p = s.player("alice")
	at = p.reply(p.reply(p.tryPassword(s.Password("alice"), "/hub/home"), "123456"), "red")
	if at.status != http.StatusForbidden {
		t.Errorf("a wrong second answer: %d %s", at.status, at.words())
	}
}

// Root, system accounts and strangers hear the sentence that a wrong password gets.
func TestWhoMayNotLogInHearsOneSentence(t *testing.T) {
	s := onStage(t)
	s.password("root", "root has a password here")
	t.Cleanup(func() { s.undo("passwd", "-l", "root") })
	said := map[string]string{}
	for name, password := range map[string]string{"mallory": "wrong", "root": "root has a password here", "daemon": "x", "nobody-knows": "x"} {
		at := s.player(name).tryPassword(password, "/hub/home")
		if at.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, at.status)
		}
		said[at.find(`id="login-error">([^<]*)<`)] = name
	}
	if len(said) != 1 || said[""] != "" {
		t.Errorf("said %q", said)
	}
}

// What is missing on the machine is told in general words to whoever wants in, and with its remedy in the journal.
func TestAMissingPAMServiceIsNamed(t *testing.T) {
	s := onStage(t)
	s.run("mv", "/etc/pam.d/jupyterhub", "/etc/pam.d/jupyterhub.away")
	t.Cleanup(func() { s.undo("mv", "/etc/pam.d/jupyterhub.away", "/etc/pam.d/jupyterhub") })
	at := s.player("alice").tryPassword(s.Password("alice"), "/hub/home")
	if at.status != http.StatusServiceUnavailable || strings.Contains(at.text, "pam.d") || !strings.Contains(at.words(), "not possible just now") {
		t.Errorf("%d %s", at.status, at.words())
	}
	if _, err := s.AwaitJournal(s.ctx, "jupyterhub-pam@*", "/etc/pam.d/jupyterhub is missing"); err != nil {
		t.Error(err)
	}
}
