package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/web"
)

func TestLoginLeadsWhereOneWantedToGo(t *testing.T) {
	w := newWorld(t, nil)
	for next, want := range map[string]string{"": "/hub/spawn", "/hub/token": "/hub/token", "/user/alice/lab?x=1": "/user/alice/lab?x=1",
		"//evil.example/": "/hub/spawn", `/\evil.example`: "/%5Cevil.example", "https://evil.example": "/hub/spawn", "javascript:alert(1)": "/hub/spawn"} {
		b := w.browser()
		form := b.get(withQuery("/hub/login", "next", next)).want(http.StatusOK)
		b.submit(form, "login_submit", url.Values{"username": {" alice "}, "password": {"correct horse"}}).wantLocation(http.StatusFound, want)
		b.get(withQuery("/hub/login", "next", next)).wantLocation(http.StatusFound, want) // logged in by now
	}
}

func withQuery(path, key, value string) string {
	if value == "" {
		return path
	}
	return path + "?" + url.Values{key: {value}}.Encode()
}

func TestWhereALoginLeadsOtherwise(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("alice", "", hub.Running)
	w.browser().login("alice", "correct horse").wantLocation(http.StatusFound, "/user/alice/")
	w = newWorld(t, func(o *web.Options) { o.RedirectToServer = false })
	w.browser().login("alice", "correct horse").wantLocation(http.StatusFound, "/hub/home")
	w = newWorld(t, func(o *web.Options) { o.DefaultURL = "/hub/token" })
	w.browser().login("alice", "correct horse").wantLocation(http.StatusFound, "/hub/token")
}

func TestRefusedLoginsKeepTheNameAndSayOneSentence(t *testing.T) {
	w := newWorld(t, nil)
	said := ""
	for _, who := range [][2]string{{"alice", "wrong"}, {"nobody-knows", "x"}, {"mallory", "evil"}, {"root", "root"}, {"-i", "x"}} {
		p := w.browser().login(who[0], who[1]).want(http.StatusForbidden)
		if got := attr(p.byID("username_input"), "value"); got != who[0] {
			t.Errorf("the form has the name %q, not %q", got, who[0])
		}
		if attr(p.byID("password_input"), "value") != "" {
			t.Error("the form repeats the password")
		}
		sentence := textOf(p.byID("login-error"))
		if said == "" {
			said = sentence
		}
		if sentence == "" || sentence != said {
			t.Errorf("%s hears %q, others %q", who[0], sentence, said)
		}
	}
}

func TestAStaleFormIsAnsweredByAFreshOne(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.get("/hub/login")
	p := b.post("/hub/login", url.Values{"username": {"alice"}, "password": {"correct horse"}}).want(http.StatusForbidden, "try again")
	b.submit(p, "login_submit", url.Values{"password": {"correct horse"}}).wantLocation(http.StatusFound, "/hub/spawn")
}

func TestTheDelayIsTold(t *testing.T) {
	p := newWorld(t, nil).browser().login("hasty", "x").want(http.StatusTooManyRequests, "Please try again in 2 seconds.")
	if p.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", p.header.Get("Retry-After"))
	}
}

func TestASecondQuestion(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	q := b.submit(b.get("/hub/login?next=%2Fhub%2Ftoken"), "login_submit", url.Values{"username": {"bob"}, "password": {"battery staple"}}).want(http.StatusOK, "Verification code")
	if in := q.byID("answer-1"); attr(in, "type") != "text" || attr(in, "autocomplete") != "one-time-code" {
		t.Errorf("the field is %v", in.Attr)
	}
	b.submit(q, "question_submit", url.Values{"answer": {"123456"}}).wantLocation(http.StatusFound, "/hub/token")
	wrong := w.browser()
	q = wrong.login("bob", "battery staple")
	wrong.submit(q, "question_submit", url.Values{"answer": {"654321"}}).want(http.StatusForbidden)
}

func TestAnExpiredPasswordIsChanged(t *testing.T) {
	b := newWorld(t, nil).browser()
	q := b.login("carol", "old")
	for _, step := range [][2]string{{"New password", "fresh and long"}, {"Retype new password", "fresh and long"}} {
		q.want(http.StatusOK, "Choose a new password")
		if in := q.byID("answer-1"); attr(in, "type") != "password" || attr(in, "autocomplete") == "one-time-code" || !strings.Contains(q.text(), step[0]+" ") {
			t.Errorf("asked %s with %v", q.text(), in.Attr)
		}
		q = b.submit(q, "question_submit", url.Values{"answer": {step[1]}})
	}
	q.wantLocation(http.StatusFound, "/hub/spawn")
}

// What PAM has against a new password is said on the page that it leads to.
func TestANewPasswordThatWillNotDo(t *testing.T) {
	b := newWorld(t, nil).browser()
	q := b.login("carol", "old")
	for range 2 {
		q = b.submit(q, "question_submit", url.Values{"answer": {"abc"}})
	}
	q.want(http.StatusBadRequest, "the password was not changed: it is too short", "Sign in")
}

func TestNoPasswordOverAPlainNetwork(t *testing.T) {
	w := newWorld(t, nil)
	for from, form := range map[string]bool{"127.0.0.1": true, "::1": true, "192.0.2.7": false, "10.0.0.1": false} {
		b := w.browser()
		b.header.Set("X-Forwarded-For", from)
		p := b.get("/hub/login")
		if (p.byID("password_input") != nil) != form {
			t.Errorf("%s gets %d %s", from, p.status, p.text())
		}
		if !form {
			b.post("/hub/login", url.Values{"username": {"alice"}, "password": {"correct horse"}}).want(http.StatusForbidden, "insecure_http", "tls_certificate")
		}
		b.header.Set("X-Forwarded-Proto", "https")
		if b.get("/hub/login").byID("password_input") == nil {
			t.Errorf("%s gets no form over HTTPS", from)
		}
		b.header.Set("X-Jupyterhub-Insecure", "1")
		if b.get("/hub/login").byID("password_input") != nil {
			t.Errorf("%s gets a form although the proxy says that the wire is open", from)
		}
	}
	w = newWorld(t, func(o *web.Options) { o.InsecureHTTP = true })
	b := w.browser()
	b.header.Set("X-Forwarded-For", "192.0.2.7")
	if b.get("/hub/login").byID("password_input") == nil {
		t.Error("insecure_http = true changes nothing")
	}
}

func TestStrangersAreSentToLogIn(t *testing.T) {
	b := newWorld(t, nil).browser()
	for _, path := range []string{"/hub/home", "/hub/token", "/hub/admin", "/hub/spawn", "/hub/spawn/alice", "/hub/spawn-pending/alice", "/hub/user/alice/lab?x=1", "/hub/user-redirect/lab"} {
		b.get(path).wantLocation(http.StatusFound, "/hub/login?next="+url.QueryEscape(path))
	}
	b.get("/hub/").wantLocation(http.StatusFound, "/hub/login?next=%2Fhub%2F")
}

func TestLogout(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.ShutdownOnLogout = true })
	b := w.alice()
	w.workshop.put("alice", "", hub.Running)
	w.workshop.put("bob", "", hub.Running)
	w.browser().get("/hub/logout").wantLocation(http.StatusFound, "/hub/login")
	if live, _ := w.workshop.Server(hub.ServerRef{User: "alice"}); live.State != hub.Running {
		t.Error("a stranger's logout stopped her server")
	}
	b.get("/hub/logout").wantLocation(http.StatusFound, "/hub/login")
	b.get("/hub/home").wantLocation(http.StatusFound, "/hub/login?next=%2Fhub%2Fhome")
	for user, want := range map[string]hub.State{"alice": hub.Stopped, "bob": hub.Running} {
		if live, _ := w.workshop.Server(hub.ServerRef{User: user}); live.State != want {
			t.Errorf("the server of %s is %s", user, live.State)
		}
	}
}

func TestRedirectsIntoTheHub(t *testing.T) {
	w := newWorld(t, nil)
	b := w.alice()
	for path, want := range map[string]string{"/": "/hub/", "/lab?x=%2F": "/hub/lab?x=%2F", "/user/alice/api/contents?a=1": "/hub/user/alice/api/contents?a=1",
		"/user/we%20ird/": "/hub/user/we%20ird/", "/services/wiki/x": "/hub/services/wiki/x", "//evil.example/x": "/hub/evil.example/x"} {
		b.get(path).wantLocation(http.StatusFound, want)
	}
	for path, want := range map[string]string{"/hub": "/hub/", "/user/alice": "/user/alice/", "/user/alice?x=1": "/user/alice/?x=1", "/services/wiki": "/services/wiki/"} {
		b.get(path).wantLocation(http.StatusMovedPermanently, want)
	}
	b.get("/hub/user-redirect/lab/tree/a%20b?x=1").wantLocation(http.StatusFound, "/hub/spawn/alice?next="+url.QueryEscape("/user/alice/lab/tree/a%20b?x=1"))
}

func TestTokenPage(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.TokenMax = 24 * time.Hour })
	b := w.alice()
	w.addTokens("alice")
	p := b.get("/hub/token").want(http.StatusOK, "for nbgrader", "The wiki", "1 day")
	if strings.Contains(p.text(), "1 week") || strings.Contains(p.text(), "Never") {
		t.Error("offers more than the admin allows")
	}
	made := b.submit(p, "request-token-form", url.Values{"note": {"for a script"}, "expires_in": {"3600"}, "scopes": {"read:users!user=alice, servers!user=alice"}})
	if textOf(made.want(http.StatusOK).byID("token-result")) != "0123456789abcdef0123456789abcdef" {
		t.Errorf("no token: %s", made.text())
	}
	b.post("/hub/token", with(formValues(find(p.root, "tr", "data-token-id", "a1"), ""), "action", "revoke")).wantLocation(http.StatusSeeOther, "/hub/token")
	b.submit(p, "request-token-form", url.Values{"scopes": {" "}}).want(http.StatusOK)
	w.directory.refuse = hub.Errorf(hub.Invalid, "No such scope: lots")
	b.submit(p, "request-token-form", url.Values{"scopes": {"lots"}}).want(http.StatusBadRequest, "No such scope: lots")
	want := []string{"make alice for a script 1h0m0s read:users!user=alice servers!user=alice", "revoke alice a1", "make alice Requested via the token page 1h0m0s all that the owner may",
		"make alice Requested via the token page 1h0m0s lots"}
	if strings.Join(w.directory.said, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked for %q", w.directory.said)
	}
}
