package proxy

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func nameOf(token string) string { return sessionID(sha256.Sum256([]byte(token))).String() }

func (s *stage) endToken(token string) {
	s.t.Helper()
	if got := s.call("POST", "/api/tokens/end", fmt.Sprintf(`{"tokens": [%q]}`, nameOf(token))); got.status != 204 {
		s.t.Fatal(got)
	}
}

func (s *stage) askAbout(token string, stay ...string) {
	s.t.Helper()
	body := `{"stay": ["` + strings.Join(stay, `","`) + `"]}`
	if len(stay) == 0 {
		body = "{}"
	}
	if got := s.call("POST", "/api/tokens/"+nameOf(token)+"/anew", body); got.status != 204 {
		s.t.Fatal(got)
	}
}

// Vulnerability: a single-user server believes for minutes what the hub once said of a token that it is shown in a header or a URL. Attack:
// bob goes on with one that was revoked, however he spells it, under sessions of his own invention, and in WebSockets that are open.
// Verified: it reaches no server any more and its WebSockets close, also after the proxy's restart; his browser's cookies, carol's token, and
// the rest of what is asked go on as they came; and the hub itself sees what he sends.
func TestEndedTokensReachNoServer(t *testing.T) {
	s := newStage(t, Options{StateFile: shortDir(t) + "/routes.json"})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if wantsWebSocket(r) {
			echo(w, r)
		}
	})
	s.alice(up.URL)
	s.route("/", up.URL, `"hub":true`)
	seen := func(path string, header ...string) string {
		t.Helper()
		for len(up.heads) > 0 {
			<-up.heads
		}
		s.get(path, header...)
		head := up.head(t)
		return strings.Join(append(strings.Fields(head[0])[1:2], append(field(head, "Authorization"), field(head, "Cookie")...)...), " | ")
	}
	asIs := func() {
		t.Helper()
		for path, header := range map[string]string{"/user/alice/api": "Authorization: token carols", "/user/alice/?token=carols&x": "X: y", "/user/alice/?a=bobs-token": "X: y", "/user/alice/?": "X: y"} {
			want := path
			if name, value, _ := strings.Cut(header, ": "); name == "Authorization" {
				want += " | " + value
			}
			if got := seen(path, header); got != want {
				t.Errorf("%s becomes %q", path, got)
			}
		}
		if got := seen("/hub/api/user?token=bobs-token", "Authorization: token bobs-token"); got != "/hub/api/user?token=bobs-token | token bobs-token" {
			t.Errorf("the hub sees %q", got)
		}
	}
	his := []*websocket.Conn{s.open("/user/alice/ws?token=bobs-token"), s.open("/user/alice/ws", "Authorization: Bearer bobs-token", "Cookie: jupyterhub-session-id=invented")}
	carols := s.open("/user/alice/ws", "Authorization: token carols")
	asIs()
	s.endToken("bobs-token")
	for _, c := range his {
		if code := closed(t, c); code != websocket.StatusPolicyViolation {
			t.Errorf("his WebSocket is closed with %d", code)
		}
	}
	says(t, carols, "still there")
	for range 2 {
		asIs()
		for asked, want := range map[[2]string]string{
			{"/user/alice/api", "Authorization: token bobs-token"}:                        "/user/alice/api",
			{"/user/alice/api", "Authorization: BEARER \t bobs-token"}:                    "/user/alice/api",
			{"/user/alice/api", "Authorization: Token\xa0bobs-token\x85"}:                 "/user/alice/api",
			{"/user/alice/?token=bobs-token", "X: y"}:                                     "/user/alice/",
			{"/user/alice/?a=%zz&tok%65n=bobs%2Dtoken&b=;&b=2", "X: y"}:                   "/user/alice/?a=%zz&b=;&b=2",
			{"/user/alice/?token=+bobs-token%00;x", "X: y"}:                               "/user/alice/",
			{"/user/alice/?token=carols&token=bobs-token", "X: y"}:                        "/user/alice/?token=carols",
			{"/user/alice/?token=bobs-token", "Cookie: jupyterhub-session-id=a; _xsrf=b"}: "/user/alice/ | jupyterhub-session-id=a; _xsrf=b",
		} {
			if got := seen(asked[0], asked[1]); got != want {
				t.Errorf("%q becomes %q, want %q", asked, got, want)
			}
		}
		s = newStage(t, s.p.options)
	}
	says(t, s.open("/user/alice/ws", "Authorization: token bobs-token", "Cookie: jupyterhub-session-id=a"), "by cookie")
}

// Vulnerability: likewise of a token that opens less than before. Attack: bob's program goes on at alice's server when she has taken the
// share back. Verified: the server asks anew, whatever session he invents; his WebSocket there closes and that at home stays; carol notices
// nothing; and when alice shares again and his program comes again, after another such word, it is in. So it is after a restart.
func TestServersAskAboutTokensAnew(t *testing.T) {
	s := newStage(t, Options{StateFile: shortDir(t) + "/routes.json"})
	hers := &knownByToken{known{shared: true}}
	s.alice(newServer(t, hers.ServeHTTP).URL)
	s.route("/user/bob", newServer(t, (&knownByToken{known{shared: true}}).ServeHTTP).URL, `"user":"bob","server_name":""`)
	sees := func(want int) {
		t.Helper()
		for _, invented := range []string{"X: y", "Cookie: jupyterhub-session-id=x", "Cookie: a=b; jupyterhub-session-id=x; jupyterhub-session-id=y"} {
			if got := s.get("/user/alice/", "Authorization: token =bobs", invented); got.status != want {
				t.Errorf("bob gets %d with %q, want %d", got.status, invented, want)
			}
			if got := s.get("/user/alice/?token=carols", invented); got.status != 200 {
				t.Errorf("carol gets %d", got.status)
			}
		}
	}
	sees(200)
	open := map[string]*websocket.Conn{"his": s.open("/user/alice/ws", "Authorization: token =bobs"), "at home": s.open("/user/bob/ws", "Authorization: token =bobs"),
		"carols": s.open("/user/alice/ws?token=carols")}
	hers.share(false)
	sees(200) // what the server remembers
	s.askAbout("=bobs", "/user/bob")
	if code := closed(t, open["his"]); code != websocket.StatusPolicyViolation {
		t.Errorf("his WebSocket is closed with %d", code)
	}
	says(t, open["at home"], "still there")
	says(t, open["carols"], "still there")
	sees(403)
	s = newStage(t, s.p.options)
	sees(403)
	hers.share(true)
	sees(403)
	s.askAbout("=bobs", "/user/bob", "/user/alice")
	sees(200)
}

// knownByToken is a server that goes by the token that it is shown, and keeps its answers by that and the session, as single-user servers do.
type knownByToken struct{ known }

func (k *knownByToken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token") + strings.TrimPrefix(r.Header.Get("Authorization"), "token ")
	var session string
	if c, err := r.Cookie(sessionCookie); err == nil {
		session = c.Value
	}
	switch {
	case !k.in(token + " at " + session):
		http.Error(w, "who are you?", http.StatusForbidden)
	case wantsWebSocket(r):
		echo(w, r)
	}
}

// A WebSocket that was asked for before its token was in doubt does not open after that; one that may stay is taken over by the next proxy.
func TestNoTokenSlipsThrough(t *testing.T) {
	s := newStage(t, Options{})
	answer := make(chan struct{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		<-answer
		echo(w, r)
	})
	s.alice(up.URL)
	for _, say := range []func(){func() { s.endToken("bobs") }, func() { s.askAbout("bobs-other", "/user/alice") }} {
		opened := make(chan error)
		go func() {
			c, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/user/alice/ws?token=bobs", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"token bobs-other"}}})
			if err == nil {
				c.CloseNow()
			}
			opened <- err
		}()
		up.head(t)
		say()
		answer <- struct{}{}
		if err := <-opened; err == nil {
			t.Error("the WebSocket opens")
		}
	}
	close(answer)
	open := s.open("/user/alice/ws", "Authorization: token carols")
	s.askAbout("carols", "/user/alice")
	kept := s.p.tunnels.surrender()
	if len(kept) != 1 || s.p.adopt(kept[0]) != nil {
		t.Errorf("%d were kept, and the next proxy does not go on", len(kept))
	}
	s.endToken("carols")
	if code := closed(t, open); code != policy {
		t.Errorf("one that was taken over ends with %d", code)
	}
}

// What is open over TLS in a process before this one hears of tokens, too.
func TestEldersHearOfTokens(t *testing.T) {
	s, up, set, dial := stageTLS(t)
	s.route("/user/bob", up.URL, `"user":"bob","server_name":""`)
	his, other, carols := dial(s, http.Header{"Authorization": {"token bobs"}}), dial(s, http.Header{"Authorization": {"token others"}}), dial(s, http.Header{"Authorization": {"token carols"}})
	second := s.heir(Options{})
	if err := second.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	second.askAbout("carols", "/user/alice")
	second.askAbout("others", "/user/bob")
	second.endToken("bobs")
	for name, c := range map[string]*websocket.Conn{"ended": his, "open less": other} {
		if code := closed(t, c); code != policy {
			t.Errorf("a WebSocket of a token that has %s ends with %d", name, code)
		}
	}
	says(t, carols, "still there")
}

// The calls say what is wrong with them.
func TestCallsAboutTokens(t *testing.T) {
	s := newStage(t, Options{})
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/tokens/end", "", 405},
		{"POST", "/api/tokens/end", "", 400},
		{"POST", "/api/tokens/end", `{"tokens": ["bobs"]}`, 400},
		{"POST", "/api/tokens/end", `{"tokens": []}`, 204},
		{"POST", "/api/tokens/x/anew", `{}`, 400},
		{"PUT", "/api/tokens/x/anew", `{}`, 405},
		{"POST", "/api/tokens/" + nameOf("x") + "/anew", `{"stay": ["/user//x"]}`, 400},
		{"POST", "/api/tokens/" + nameOf("x") + "/anew", `[]`, 400},
		{"POST", "/api/tokens/" + nameOf("x") + "/anew", strings.Repeat(" ", maxBody+1), 413},
		{"POST", "/api/tokens/x", `{}`, 404},
	} {
		if got := s.call(c.method, c.path, c.body); got.status != c.want {
			t.Errorf("%s %s %.20q: %d %s", c.method, c.path, c.body, got.status, got.body)
		}
	}
}

// FuzzTokens: whatever stands in a query or a header, a token that has ended is not found in it any more by those who read it as single-user
// servers do, and everything else is still there.
func FuzzTokens(f *testing.F) {
	f.Add("token=bobs", "token bobs")
	f.Add("a=b&tok%65n=%62obs;token=bobs&&c", "Bearer\t\xa0bobs ")
	f.Add("token=x&token=+bobs%00", "bearer")
	over := []sessionID{sha256.Sum256([]byte("bobs"))}
	f.Fuzz(func(t *testing.T, query, line string) {
		h := http.Header{"Authorization": {line, "token carols"}}
		dropTokens(h, over)
		if kept := h["Authorization"]; kept[len(kept)-1] != "token carols" || anyOf(headerTokens(h), over) {
			t.Fatalf("%q leaves %q", line, kept)
		}
		if len(h["Authorization"]) == 2 && strings.EqualFold(strings.Join(strings.Fields(line), " "), "token bobs") {
			t.Fatalf("%q stays", line)
		}
		rest := withoutTokens(query, over)
		for _, divided := range []string{rest, strings.ReplaceAll(rest, ";", "&")} {
			values, _ := url.ParseQuery(divided) // what cannot be read is left out
			if slices.ContainsFunc(values["token"], func(v string) bool { return strings.TrimSpace(v) == "bobs" }) {
				t.Fatalf("%q leaves %q", query, rest)
			}
		}
		if !strings.Contains(strings.ToLower(query), "bobs") && !strings.Contains(query, "%") && rest != query {
			t.Fatalf("%q becomes %q", query, rest)
		}
	})
}

// Names of tokens take a bounded room, and end by themselves.
func TestNamesOfTokensEnd(t *testing.T) {
	clock := time.Now()
	s := newStage(t, Options{Now: func() time.Time { return clock }})
	s.endToken("bobs")
	s.askAbout("carols")
	clock = clock.Add(endedFor + time.Second)
	s.p.graves.forget(clock)
	s.p.aliases.forget(clock)
	if s.p.graves.any.Load() || s.p.aliases.any.Load() {
		t.Error("what no server can remember is still remembered")
	}
}
