package conv

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/msteinert/pam/v2"

	"jupyterhubd/hub"
)

// unixOnly is what Debian's common-auth and common-account come to, without the parts that ask other sources.
var unixOnly = []string{"auth required pam_unix.so nullok", "account required pam_unix.so", "password required pam_unix.so obscure sha512"}

// script answers the questions in order and writes down what was said.
type script struct {
	answers []string
	said    []string
}

func (s *script) ask(messages []string, prompt hub.Prompt) (string, error) {
	s.said = append(append(s.said, messages...), prompt.Text)
	if len(s.answers) == 0 {
		return "", errors.New("the browser went away")
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer, nil
}

func (m *machine) login(user string, answers ...string) (Result, []string, error) {
	s := &script{answers: answers}
	r, err := Authenticate(Request{Service: "hub", User: user, RemoteHost: "192.0.2.7", TTY: "jupyterhub", Dir: m.dir}, s.ask)
	return r, s.said, err
}

func TestARealPasswordOpens(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse")
	r, said, err := m.login("alice", "correct horse")
	if err != nil || r.User != "alice" || !reflect.DeepEqual(said, []string{"Password:"}) {
		t.Errorf("got %+v, %v, said %q", r, err, said)
	}
}

func TestEveryRefusalIsForbidden(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse")
	m.account("locked", "correct horse")
	m.run("", "passwd", "-l", "locked")
	m.account("ended", "correct horse", "--expiredate", "2001-01-01")
	m.account("empty", "x")
	m.run("", "passwd", "-d", "empty")
	m.account("ancient", "correct horse", "--lastday", "2001-01-01", "--maxdays", "10", "--inactive", "10")
	shortest := time.Hour
	for _, c := range [][2]string{{"alice", "wrong"}, {"alice", ""}, {"alice", "correct horse\x00"}, {"alice", strings.Repeat("x", 1<<16)},
		{"nobody-knows", "x"}, {"locked", "correct horse"}, {"ended", "correct horse"}, {"empty", ""}, {"ancient", "correct horse"}} {
		started := time.Now()
		_, _, err := m.login(c[0], c[1])
		if hub.KindOf(err) != hub.Forbidden || hub.TextOf(err) != "" {
			t.Errorf("%q with %.20q: %v (text %q)", c[0], c[1], err, hub.TextOf(err))
		}
		if c[0] == "alice" {
			shortest = min(shortest, time.Since(started))
		}
	}
	// libpam's own delay is a second at least after each wrong password; a busy machine is not that slow every time.
	if shortest > 900*time.Millisecond {
		t.Errorf("every wrong password took %v and more: libpam's own delay is on", shortest)
	}
}

func TestShadowReadableByNobody(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse")
	if err := os.Chmod("/etc/shadow", 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.login("alice", "correct horse"); err != nil {
		t.Error(err)
	}
}

func TestSecondPromptAndMessages(t *testing.T) {
	m := newMachine(t)
	m.service("hub", "auth required pam_unix.so", "auth required "+m.module()+" code=123456", "account required pam_unix.so")
	m.account("alice", "correct horse")
	r, said, err := m.login("alice", "correct horse", "123456", "blue")
	want := []string{"Password:", "look at your [31mtelephone", "Code:", "and quickly", "Colour:"}
	if err != nil || !reflect.DeepEqual(said, want) {
		t.Errorf("said %q, %v", said, err)
	}
	if !reflect.DeepEqual(r.Messages, []string{"from 192.0.2.7 at jupyterhub"}) {
		t.Errorf("messages at the end %q", r.Messages)
	}
	for _, answers := range [][]string{{"wrong", "123456", "blue"}, {"correct horse", "654321", "blue"}, {"correct horse", "123456", "red"}} {
		if _, _, err := m.login("alice", answers...); hub.KindOf(err) != hub.Forbidden {
			t.Errorf("%q: %v", answers, err)
		}
	}
}

// Of PAM's environment the result has what is named, if a module has set it and it is text of a bearable length.
func TestNamedVariablesComeOut(t *testing.T) {
	m := newMachine(t)
	m.service("hub", "auth required "+m.module()+" map=alice env=KRB5CCNAME=FILE:/tmp/cc env=SECRET=x", "account required pam_permit.so")
	for _, named := range [][]string{nil, {"KRB5CCNAME", "LONG", "UNSET"}} {
		r, err := Authenticate(Request{Service: "hub", User: "alice", Dir: m.dir, Variables: named}, new(script).ask)
		want := map[string]string(nil)
		if named != nil {
			want = map[string]string{"KRB5CCNAME": "FILE:/tmp/cc"}
		}
		if err != nil || !reflect.DeepEqual(r.Variables, want) {
			t.Errorf("named %q: %q, %v", named, r.Variables, err)
		}
	}
}

func TestTheUserIsWhoTheModulesSay(t *testing.T) {
	m := newMachine(t)
	m.service("hub", "auth required "+m.module()+" map=bob", "account required pam_permit.so")
	if r, _, err := m.login("ALICE"); err != nil || r.User != "bob" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestTheAnswerersErrorComesBack(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse")
	if _, _, err := m.login("alice"); err == nil || err.Error() != "the browser went away" {
		t.Errorf("got %v", err)
	}
}

func TestAModuleThatAsksWithoutEndIsStopped(t *testing.T) {
	m := newMachine(t)
	m.service("hub", "auth required "+m.module()+" endless")
	_, said, err := m.login("alice", slices.Repeat([]string{"no"}, 1000)...)
	if hub.KindOf(err) != hub.Unavailable || len(said) != maxQuestions {
		t.Errorf("asked %d times, then %v", len(said), err)
	}
}

func TestABrokenServiceIsUnavailable(t *testing.T) {
	m := newMachine(t)
	m.service("hub", "auth required /nonexistent/pam_nothing.so")
	m.account("alice", "correct horse")
	if _, _, err := m.login("alice", "correct horse"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestAnExpiredPasswordIsToldAndChanged(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse", "--lastday", "0")
	if _, _, err := m.login("alice", "wrong"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("a wrong password with an expired account: %v", err)
	}
	if _, _, err := m.login("alice", "correct horse"); hub.KindOf(err) != hub.Expired {
		t.Fatalf("got %v", err)
	}
	s := &script{answers: []string{"correct horse", "battery staple 7", "battery staple 7"}}
	r, err := Change(Request{Service: "hub", User: "alice", Dir: m.dir}, s.ask)
	if err != nil || r.User != "alice" {
		t.Fatalf("got %+v, %v, said %q", r, err, s.said)
	}
	if n := strings.Count(strings.Join(s.said, "\n"), "assword:"); n != 3 {
		t.Errorf("%d questions, want the password once, the new one twice: %q", n, s.said)
	}
	if _, _, err := m.login("alice", "battery staple 7"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, _, err := m.login("alice", "correct horse"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("the old password: %v", err)
	}
}

func TestANewPasswordThatPAMDoesNotTake(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse", "--lastday", "0")
	s := &script{answers: []string{"correct horse", "battery staple 7", "battery staple 8"}}
	_, err := Change(Request{Service: "hub", User: "alice", Dir: m.dir}, s.ask)
	if hub.KindOf(err) != hub.Invalid || !strings.Contains(hub.TextOf(err), "do not match") {
		t.Errorf("got %v, said %q", err, s.said)
	}
	if _, _, err := m.login("alice", "correct horse"); hub.KindOf(err) != hub.Expired {
		t.Errorf("the password is not what it was: %v", err)
	}
}

func TestChangeLeavesAFreshPasswordAlone(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.account("alice", "correct horse")
	before, _ := os.ReadFile("/etc/shadow")
	s := &script{answers: []string{"correct horse"}}
	if r, err := Change(Request{Service: "hub", User: "alice", Dir: m.dir}, s.ask); err != nil || r.User != "alice" {
		t.Errorf("got %+v, %v", r, err)
	}
	if after, _ := os.ReadFile("/etc/shadow"); string(before) != string(after) {
		t.Error("shadow was written to")
	}
}

func TestDelayFieldOfTheLibrary(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hub"), []byte("auth required pam_deny.so\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tx, err := pam.StartConfDir("hub", "alice", &questions{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.End()
	if err := withoutDelay(tx); err != nil {
		t.Errorf("read delay.go again: %v", err)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Password: ")
	f.Add("a\nb\x1b[2J\u202e")
	f.Add(strings.Repeat("ü", maxText))
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if len(got) > maxText || strings.ContainsAny(got, "\n\r\t\x00\x1b") || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// The account phase alone tells an account that has expired from one in order, and asks nobody anything.
func TestStanding(t *testing.T) {
	m := newMachine(t)
	m.service("hub", unixOnly...)
	m.service("closed", "account required pam_debug.so acct=auth_err")
	m.service("strange", "account required pam_debug.so acct=user_unknown")
	m.service("outside", "account required pam_debug.so acct=perm_denied")
	m.account("alice", "correct horse")
	m.account("ended", "correct horse", "--expiredate", "2001-01-01")
	m.account("ancient", "correct horse", "--lastday", "2001-01-01", "--maxdays", "10", "--inactive", "10")
	m.account("old", "correct horse", "--lastday", "0")
	for who, want := range map[string]hub.Kind{"hub alice": hub.Unknown, "hub old": hub.Unknown, "hub ended": hub.Forbidden, "hub ancient": hub.Forbidden,
		"closed alice": hub.Forbidden, "outside alice": hub.Forbidden, "strange alice": hub.NotFound} {
		service, user, _ := strings.Cut(who, " ")
		err := Standing(Request{Service: service, User: user, TTY: "jupyterhub", Dir: m.dir})
		if hub.KindOf(err) != want || (err == nil) != (want == hub.Unknown) {
			t.Errorf("%s: %v", who, err)
		}
	}
}
