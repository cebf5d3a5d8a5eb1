package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// known is a server that keeps its answers by session and token for ever, as single-user servers do for five minutes. It lets in what
// the hub, which is asked once for each, lets in.
type known struct {
	mu     sync.Mutex // guards the fields below
	shared bool
	answer map[string]bool
}

// share is what the hub says from now on to whoever asks.
func (k *known) share(with bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shared = with
}

// in is what the server believes of a visitor.
func (k *known) in(who string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answer == nil {
		k.answer = map[string]bool{}
	}
	in, asked := k.answer[who]
	if !asked {
		in = k.shared || !strings.Contains(who, "=bobs")
		k.answer[who] = in
	}
	return in
}

func (k *known) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !k.in(strings.Join(r.Header["Cookie"], "|")):
		http.Error(w, "log in", http.StatusForbidden)
	case wantsWebSocket(r):
		echo(w, r)
	}
}

const visitor = "Cookie: _xsrf=x; jupyterhub-session-id=%s; jupyterhub-user-alice=%s; jupyterhub-user-bob=t"

// Vulnerability: a single-user server believes for minutes what the hub once said of a visitor. Attack: bob, with whom alice's server
// is shared no more, goes on in it with his cookies and in his open terminal. Verified: the server asks the hub anew, his WebSockets
// there close, and neither his own server nor carol at alice's notices; also after the proxy's restart. When alice shares again he is
// in at once, and out again when she takes that back.
func TestAVisitEndsAtOneServer(t *testing.T) {
	s := newStage(t, Options{StateFile: shortDir(t) + "/routes.json"})
	hers, his := &known{shared: true}, &known{shared: true}
	s.alice(newServer(t, hers.ServeHTTP).URL)
	s.route("/user/bob", newServer(t, his.ServeHTTP).URL, `"user":"bob","server_name":""`)
	bob, carol := fmt.Sprintf(visitor, "bobs", "t"), fmt.Sprintf(visitor, "carols", "t")
	sees := func(want int) {
		t.Helper()
		if got := s.get("/user/alice/", bob); got.status != want {
			t.Errorf("bob gets %d of alice's server, want %d", got.status, want)
		}
		for who, got := range map[string]reply{"bob at his own server": s.get("/user/bob/", bob), "carol": s.get("/user/alice/", carol)} {
			if got.status != 200 {
				t.Errorf("%s gets %d", who, got.status)
			}
		}
	}
	takeBack := func() {
		t.Helper()
		hers.share(false)
		if got := s.call("POST", endOf("bobs")+"?spec=/user/alice&until=2999-01-01T00:00:00Z", ""); got.status != 204 {
			t.Fatal(got)
		}
	}
	open := map[string]*websocket.Conn{"bob": s.open("/user/alice/ws", bob), "carol": s.open("/user/alice/ws", carol), "bob at home": s.open("/user/bob/ws", bob)}
	sees(200)
	takeBack()
	if code := closed(t, open["bob"]); code != websocket.StatusPolicyViolation {
		t.Errorf("bob's WebSocket is closed with %d", code)
	}
	says(t, open["carol"], "still there")
	says(t, open["bob at home"], "still there")
	sees(403)
	before := s
	s = newStage(t, before.p.options)
	sees(403)
	hers.share(true)
	bob = fmt.Sprintf(visitor, "bobs", "anew") // of another round through the hub
	sees(200)
	takeBack()
	sees(403)
}

func endOf(session string) string {
	return "/api/sessions/" + sessionsOf(http.Header{"Cookie": {sessionCookie + "=" + session}})[0].String() + "/end"
}

// What a server sees is a session that it does not know, in whatever cookies the browser sends, and each time another. The hub sees
// what the browser says.
func TestSessionsUnderAnotherName(t *testing.T) {
	clock := time.Now()
	s := newStage(t, Options{Now: func() time.Time { return clock }})
	up := newServer(t, func(http.ResponseWriter, *http.Request) {})
	s.alice(up.URL)
	s.route("/", up.URL, `"hub":true`)
	at := func(path string, cookies ...string) string {
		t.Helper()
		for len(up.heads) > 0 {
			<-up.heads
		}
		s.get(path, cookies...)
		return strings.Join(field(up.head(t), "Cookie"), "|")
	}
	end := func(query string, want int) {
		t.Helper()
		if got := s.call("POST", endOf("a")+query, ""); got.status != want {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	name := func() string {
		t.Helper()
		got := at("/user/alice/", "Cookie: x=1; jupyterhub-session-id=b", `Cookie: jupyterhub-session-id="a"; y=2`)
		said, ok := strings.CutPrefix(got, "x=1; jupyterhub-session-id=b; jupyterhub-session-id=a.")
		said, whole := strings.CutSuffix(said, "; y=2")
		if !ok || !whole || len(said) < 20 {
			t.Errorf("the server sees %q", got)
		}
		return said
	}
	until := "&until=" + clock.Add(time.Hour).UTC().Format(time.RFC3339)
	end("?spec=/user/alice"+until, 204)
	first := name()
	if again := name(); again != first {
		t.Errorf("the name changes from %s to %s by itself", first, again)
	}
	end("?spec=/user/alice/"+until, 204)
	if second := name(); second == first {
		t.Error("the second time it is the name that the server knows from the first")
	}
	if got := at("/hub/home", "Cookie: jupyterhub-session-id=a"); got != "jupyterhub-session-id=a" {
		t.Errorf("the hub sees %q", got)
	}
	clock = clock.Add(2 * time.Hour)
	s.p.aliases.forget(clock)
	if got := at("/user/alice/", "Cookie: jupyterhub-session-id=a"); got != "jupyterhub-session-id=a" || s.p.aliases.any.Load() {
		t.Errorf("a session that is over is still remembered: %q", got)
	}
	end("?spec=/user//alice", 400)
	end("?spec=/user/alice&until=tomorrow", 400)
	end("?spec=/user/alice", 204)
}

// Many of them take a bounded room: the oldest goes.
func TestAliasesAreBounded(t *testing.T) {
	as, now := newAliases(), time.Now()
	id := func(n int) (id sessionID) {
		id[0], id[1], id[2] = byte(n), byte(n>>8), byte(n>>16)
		return id
	}
	for n := range maxAliases + 2 {
		as.put(fmt.Sprint("/user/", n%7), id(n), newAlias(now.Add(time.Duration(n)), now.Add(time.Hour)))
	}
	_, oldest := as.get("/user/0", id(0))
	_, last := as.get(fmt.Sprint("/user/", (maxAliases+1)%7), id(maxAliases+1))
	if len(as.list()) != maxAliases || oldest || !last {
		t.Errorf("%d are kept; the oldest: %v, the last: %v", len(as.list()), oldest, last)
	}
}

// A WebSocket that was asked for before its visitor was turned away does not open after that, nor is it taken over by another proxy.
func TestNoWebSocketSlipsThrough(t *testing.T) {
	s := newStage(t, Options{})
	answer := make(chan struct{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		<-answer
		echo(w, r)
	})
	s.alice(up.URL)
	opened := make(chan error)
	go func() {
		c, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/user/alice/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {sessionCookie + "=bobs"}}})
		if err == nil {
			c.CloseNow()
		}
		opened <- err
	}()
	up.head(t)
	s.call("POST", endOf("bobs")+"?spec=/user/alice", "")
	close(answer)
	if err := <-opened; err == nil {
		t.Error("the WebSocket opens")
	}
	if n := s.p.tunnels.count(); n != 0 {
		t.Errorf("%d are open", n)
	}
	for _, between := range []bool{true, false} {
		s.open("/user/alice/ws", "Cookie: jupyterhub-session-id=bobs")
		kept := s.p.tunnels.surrender()
		if between {
			s.call("POST", endOf("bobs")+"?spec=/user/alice", "")
		}
		if len(kept) != 1 || (s.p.adopt(kept[0]) == nil) == between {
			t.Errorf("%d were kept; the next proxy goes on: %v", len(kept), between)
		}
	}
}

// A WebSocket over TLS in a process before this one is closed as well, and others of the same session are not. Its successor knows under
// which name the session comes.
func TestEldersTurnAway(t *testing.T) {
	s, up, set, dial := stageTLS(t)
	s.route("/user/bob", up.URL, `"user":"bob","server_name":""`)
	session := http.Header{"Cookie": {sessionCookie + "=bobs"}}
	his, carols := dial(s, session), dial(s, nil)
	second := s.heir(Options{})
	if err := second.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	if got := second.call("POST", endOf("bobs")+"?spec=/user/alice&until=2999-01-01T00:00:00Z", ""); got.status != 204 {
		t.Fatal(got)
	}
	if code := closed(t, his); code != policy {
		t.Errorf("it ends with %d", code)
	}
	says(t, carols, "still there")
	third := second.heir(Options{})
	ids := sessionsOf(session)
	for _, at := range []*Proxy{second.p, third.p} {
		if names := at.aliases.of("/user/alice", ids, time.Now()); !slices.Equal(names, s.p.aliases.of("/user/alice", ids, time.Now())) || names == nil {
			t.Errorf("an heir calls the session %q", names)
		}
	}
}
