package auth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

func TestLogin(t *testing.T) {
	h := newHouse(t, noon())
	alice := h.browser("192.0.2.7")
	if res := alice.get("/hub/home"); res.Header.Get("X-Kind") != "unauthenticated" {
		t.Errorf("a stranger at home: %s", res.Header.Get("X-Kind"))
	}
	res := alice.login("alice", "wonderland")
	wantLogin(t, res)
	if got := body(alice.get("/hub/home")); got != "alice" {
		t.Errorf("at home is %q", got)
	}
	u := h.look("alice")
	if u.UID != 1002 || u.Admin || !u.LastActivity.Equal(h.o.Now()) {
		t.Errorf("alice is %+v", u)
	}
	if !slices.Equal(h.door.rhosts, []string{"192.0.2.7"}) {
		t.Errorf("PAM_RHOST was %v", h.door.rhosts)
	}
	if h.door.talking() != 0 {
		t.Error("the conversation was left open")
	}
}

// The canonical name is the account's, whatever was typed.
func TestOtherSpellingIsTheSameUser(t *testing.T) {
	h := newHouse(t, noon())
	wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
	b := h.browser("192.0.2.8")
	wantLogin(t, b.login(" ALICE ", "wonderland"))
	if got := body(b.get("/hub/home")); got != "alice" {
		t.Errorf("at home is %q", got)
	}
	h.update(func(tx *store.Tx) error {
		if n := tx.CountUsers(); n != 1 {
			t.Errorf("%d users", n)
		}
		return nil
	})
}

// Wrong, unknown, locked, impossible: one sentence, so that nobody learns who exists. What PAM said stays inside.
func TestRefusalsSoundAlike(t *testing.T) {
	h := newHouse(t, noon())
	h.door.accounts["bob"].locked = true
	var sentences []string
	for name, password := range map[string]string{"alice": "guess", "nobody": "guess", "bob": "builder", "root": "toor", "a\x00b": "x",
		strings.Repeat("x", 257): "x", "": "x"} {
		res := h.browser("192.0.2.7").login(name, password)
		wantKind(t, res, hub.Forbidden)
		text := body(res)
		if i := strings.Index(text, ": PAM said"); i >= 0 {
			text = text[:i] // the inner error, which only the log sees
		}
		sentences = append(sentences, text)
	}
	slices.Sort(sentences)
	if got := slices.Compact(sentences); !slices.Equal(got, []string{refusal}) {
		t.Errorf("sentences: %q", got)
	}
	if h.door.talking() != 0 {
		t.Errorf("%d conversations were left open", h.door.talking())
	}
}

// Vulnerability: whoever types at the login page writes the log (CVE-2026-54338: without end). Attack: names of any length, with line ends, escape
// sequences, and bytes that are no text. Verified: a name is short and fit for the log before it gets there.
func TestCleanName(t *testing.T) {
	for typed, want := range map[string]string{
		"alice":                  "alice",
		"jörg":                   "jörg",
		"a\nb\x1b[31m":           "a\uFFFDb\uFFFD[31m",
		"\xff":                   "\uFFFD",
		strings.Repeat("é", 300): strings.Repeat("é", 128),
	} {
		if got := CleanName(typed); got != want {
			t.Errorf("%q became %q, want %q", typed, got, want)
		}
	}
}

func TestSecondFactor(t *testing.T) {
	h := newHouse(t, noon())
	h.door.accounts["alice"].code = "123456"
	b := h.browser("192.0.2.7")
	res := b.login("alice", "wonderland")
	if got := body(res); got != "Code:" {
		t.Fatalf("after the password: %q", got)
	}
	wantKind(t, b.answer(res, "654321"), hub.Forbidden)

	res = b.login("alice", "wonderland")
	wantLogin(t, b.answer(res, "123456"))
	wantKind(t, b.answer(res, "123456"), hub.Invalid) // a conversation ends once
}

// Play: mallory saw the form's conversation id over alice's shoulder, who has typed her password and not yet her code.
// Verified: in another browser the id is worth nothing, and alice's conversation goes on.
func TestConversationBelongsToItsBrowser(t *testing.T) {
	h := newHouse(t, noon())
	h.door.accounts["alice"].code = "123456"
	alice, mallory := h.browser("192.0.2.7"), h.browser("192.0.2.7")
	res := alice.login("alice", "wonderland")
	wantKind(t, mallory.answer(res, "123456"), hub.Invalid)
	wantLogin(t, alice.answer(res, "123456"))
}

// Nobody comes back with the code: after two minutes the conversation is over, its process ends, and it counts as a failure,
// for who stops at the second question has tried the first.
func TestAbandonedConversationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.door.accounts["alice"].code = "123456"
		b := h.browser("192.0.2.7")
		res := b.login("alice", "wonderland")
		if h.door.talking() != 1 {
			t.Fatalf("%d conversations are open", h.door.talking())
		}
		time.Sleep(talkLife + time.Second)
		synctest.Wait()
		wantKind(t, b.answer(res, "123456"), hub.Invalid)
		if h.door.talking() != 0 {
			t.Error("the conversation is still open")
		}
		h.update(func(tx *store.Tx) error {
			if got, _ := tx.Throttle("account:192.0.2.7 alice"); got.Failures != 1 {
				t.Errorf("%d failures are counted", got.Failures)
			}
			return nil
		})
	})
}

// Play: mallory opens conversations by the hundred and answers none. Verified: they are bounded, his own go first, and alice
// still logs in with her second factor.
func TestConversationsAreBounded(t *testing.T) {
	h := newHouse(t, noon())
	for name := range h.door.accounts {
		h.door.accounts[name].code = "123456"
	}
	alice := h.browser("192.0.2.7")
	waits := alice.login("alice", "wonderland")
	for range maxTalks + 40 {
		tk := &talk{address: "198.51.100.1", conversation: &loginTalk{d: h.door}, pass: &pass{t: h.turnstile, account: "mallory",
			line: &line{address: "198.51.100.1", accounts: map[string]*member{"mallory": {tally: tally{inflight: 1}}}}}}
		h.parlour.seat(tk, talkLife)
	}
	if n := len(h.parlour.talks); n > maxTalks {
		t.Errorf("%d conversations wait", n)
	}
	wantLogin(t, alice.answer(waits, "123456"))
}

func TestExpiredPasswordIsChanged(t *testing.T) {
	h := newHouse(t, noon())
	h.door.accounts["alice"].expired = true
	b := h.browser("192.0.2.7")
	res := b.login("alice", "wonderland")
	if got, said := body(res), res.Header.Get("X-Messages"); got != "New: Again:" || said != "Your password has expired. Choose well." {
		t.Fatalf("after an expired password: %q, and asked %q", said, got)
	}
	wantLogin(t, b.answer(res, "looking-glass", "looking-glass"))
	if h.door.accounts["alice"].password != "looking-glass" {
		t.Error("the password was not changed")
	}
	if n := h.door.count("alice"); n != 2 {
		t.Errorf("the first door was asked %d times: before the change and after it", n)
	}
}

// Where a code is asked for like a password, it is not known which of the two the other door wants. To give it the wrong one
// would end the change before it began.
func TestCurrentPasswordIsAskedForWhereItIsNotKnown(t *testing.T) {
	h := newHouse(t, noon())
	a := h.door.accounts["alice"]
	a.expired, a.code, a.hiddenCode = true, "123456", true
	b := h.browser("192.0.2.7")
	res := b.answer(b.login("alice", "wonderland"), "123456")
	if got := body(res); got != "Current:" {
		t.Fatalf("after an expired password and a code: %q", got)
	}
	res = b.answer(b.answer(res, "wonderland"), "looking-glass", "looking-glass")
	if got := body(res); got != "Code:" {
		t.Fatalf("after the change: %q", got)
	}
	wantLogin(t, b.answer(res, "123456"))
}

// Why a new password will not do must be said, or nobody finds one that does.
func TestNewPasswordRefused(t *testing.T) {
	h := newHouse(t, noon())
	h.door.accounts["alice"].expired = true
	b := h.browser("192.0.2.7")
	res := b.answer(b.login("alice", "wonderland"), "short", "short")
	wantKind(t, res, hub.Invalid)
	if text := body(res); !strings.Contains(text, "too short") {
		t.Errorf("said %q", text)
	}
	wantLogin(t, b.answer(b.login("alice", "wonderland"), "looking-glass", "looking-glass"))
}

func TestNobodyChangesPasswords(t *testing.T) {
	h := newHouse(t, noon(), func(o *Options) { o.Changer = nil })
	h.door.accounts["alice"].expired = true
	res := h.browser("192.0.2.7").login("alice", "wonderland")
	wantKind(t, res, hub.Expired)
}

// A door that is away is not the visitor's failure.
func TestDoorIsAway(t *testing.T) {
	h := newHouse(t, noon())
	h.door.away = hub.Errorf(hub.Unavailable, "dial pam.sock: no such file")
	for range accountLimit + 1 {
		res := h.browser("192.0.2.7").login("alice", "wonderland")
		wantKind(t, res, hub.Unavailable)
	}
	h.door.away = nil
	wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
}

// Login needs the form's own token: another site must not log a browser in as mallory.
func TestLoginNeedsXSRF(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	b.get("/hub/login")
	wantKind(t, b.send("POST", "/hub/login", url.Values{"username": {"mallory"}, "password": {"malice"}}), hub.Forbidden)
	if len(h.door.begun) != 0 {
		t.Error("the door was asked")
	}
}

// Vulnerability: session fixation. Attack: mallory plants a session id that he knows in alice's browser before she logs in. Verified: her
// session has another.
func TestPlantedSessionID(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	planted := &http.Cookie{Name: cookieSession, Value: strings.Repeat("a", 32), Path: "/"}
	b.cookies["/ "+cookieSession] = planted
	wantLogin(t, b.login("alice", "wonderland"))
	if got := b.cookies["/ "+cookieSession].Value; got == planted.Value || len(got) != 32 {
		t.Errorf("the session id is %q", got)
	}
}

// Logging in again, as whoever, ends the session that the browser had.
func TestSecondLoginEndsTheFirst(t *testing.T) {
	h := newHouse(t, noon())
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	first := b.cookies["/ "+cookieSession].Value
	xsrf := b.xsrf()
	wantLogin(t, b.send("POST", "/hub/login", url.Values{"username": {"bob"}, "password": {"builder"}, "_xsrf": {xsrf}}))
	if got := body(b.get("/hub/home")); got != "bob" {
		t.Errorf("at home is %q", got)
	}
	if !slices.Contains(h.proxy.ended, first) {
		t.Error("the proxy was not told of the first session's end")
	}
	h.update(func(tx *store.Tx) error {
		if n := len(tx.Sessions("alice")); n != 0 {
			t.Errorf("alice has %d sessions", n)
		}
		return nil
	})
}

func TestSessionsOfOneUserAreBounded(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	for range maxSessions + 3 {
		c.advance(time.Second)
		wantLogin(t, h.browser("192.0.2.7").login("alice", "wonderland"))
	}
	h.update(func(tx *store.Tx) error {
		if n := len(tx.Sessions("alice")); n != maxSessions {
			t.Errorf("alice has %d sessions", n)
		}
		return nil
	})
	if len(h.proxy.ended) != 3 {
		t.Errorf("%d were ended", len(h.proxy.ended))
	}
}

func TestSessionExpires(t *testing.T) {
	c := noon()
	h := newHouse(t, c)
	b := h.browser("192.0.2.7")
	wantLogin(t, b.login("alice", "wonderland"))
	c.advance(14*24*time.Hour - time.Second)
	if got := body(b.get("/hub/home")); got != "alice" {
		t.Errorf("just before the end: %q", got)
	}
	c.advance(time.Second)
	wantKind(t, b.get("/hub/home"), hub.Unauthenticated)
}
