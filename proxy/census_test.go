package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// Vulnerability: a bound on what is open is a bound a process. Attack: Mallory opens all that she may over TLS, waits for a reload of the
// proxy, which leaves them where they are, and opens as many again, reload after reload. Verified: those that older processes have
// count, through two generations, and one that ends there makes room.
func TestEldersWebSocketsCount(t *testing.T) {
	s, up, set, dial := stageTLS(t)
	s.route("/user/bob", up.URL, `"user": "bob"`)
	first := dial(s, nil)
	second := s.heir(Options{})
	if err := second.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	between := dial(second, nil)
	third := second.heir(Options{})
	beside := func(who string) int64 { return third.p.table.get("/user/" + who).load.beside.Load() }
	for i, c := range []*websocket.Conn{first, between, nil} {
		eventually(t, fmt.Sprintf("the third counts %d", 2-i), func() bool { return beside("alice") == int64(2-i) })
		if c != nil {
			c.CloseNow()
		}
	}
	if n := beside("bob"); n != 0 {
		t.Errorf("bob has %d elsewhere", n)
	}
}

// What is said of an owner holds whether there is a route or not, is said anew after a while, and goes with who said it.
func TestWhatEldersHaveIsKept(t *testing.T) {
	p := newProxy(t, Options{})
	one, other := &wire{}, &wire{}
	p.loads.heard(one, []open{{User: "alice", underWay: underWay{Sockets: 3}}, {Service: "alice", underWay: underWay{Sockets: 7}}})
	p.loads.heard(other, []open{{User: "alice", underWay: underWay{Sockets: 4}}})
	if err := p.Add("/user/alice", ofUser("http://127.0.0.1:1", "alice")); err != nil {
		t.Fatal(err)
	}
	load := p.table.get("/user/alice").load
	for _, step := range []struct {
		what string
		do   func()
		want int64
	}{
		{"both have some", func() {}, 7},
		{"one says so again", func() { p.loads.heard(one, []open{{User: "alice", underWay: underWay{Sockets: 3}}}) }, 7},
		{"one has fewer", func() { p.loads.heard(one, []open{{User: "alice", underWay: underWay{1, 9}}}) }, 5},
		{"one has none", func() { p.loads.heard(one, []open{{User: "alice"}}) }, 4},
		{"the other is gone", func() { p.loads.left(other) }, 0},
	} {
		if step.do(); load.beside.Load() != step.want {
			t.Errorf("%s: %d are counted, want %d", step.what, load.beside.Load(), step.want)
		}
	}
	if p.loads.left(one); len(p.loads.beside) != 0 {
		t.Errorf("left are %v", p.loads.beside)
	}
}

// What is open elsewhere is refused here, and one that ends there makes room.
func TestEldersWebSocketsTakeRoom(t *testing.T) {
	s, _, set, dial := stageTLS(t)
	set.Bounds.UserWebSockets = 2
	one, _ := dial(s, nil), dial(s, nil)
	next := s.heir(Options{})
	if err := next.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	load := next.p.table.get("/user/alice").load
	eventually(t, "the heir has heard of both", func() bool { return load.beside.Load() == 2 })
	ask := func() int {
		c := tls.Client(next.dial(), &tls.Config{InsecureSkipVerify: true})
		fmt.Fprint(c, "GET /user/alice/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		var version string
		var status int
		fmt.Fscan(c, &version, &status)
		return status
	}
	if got := ask(); got != 503 {
		t.Errorf("a third one is told %d", got)
	}
	one.CloseNow()
	eventually(t, "one has ended there", func() bool { return load.beside.Load() == 1 })
	if got := ask(); got != 101 {
		t.Errorf("then it is told %d", got)
	}
}

// Vulnerability: as above, of requests that a server does not answer. Attack: Mallory has all that she may under way, reloads come, and
// she begins as many again. Verified: those that older processes have count, and one that is answered there makes room.
func TestEldersRequestsTakeRoom(t *testing.T) {
	s, _, set, _ := stageTLS(t)
	asked, answer := make(chan struct{}, 9), make(chan struct{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-answer
	})
	end := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(end)
	s.route("/user/mallory", up.URL, `"user": "mallory"`)
	ask := func(s *stage) net.Conn {
		c := tls.Client(s.dial(), &tls.Config{InsecureSkipVerify: true})
		fmt.Fprint(c, "GET /user/mallory/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		return c
	}
	status := func(c net.Conn) (status int) {
		var version string
		fmt.Fscan(c, &version, &status)
		return status
	}
	set.Bounds.UserRequests = 2
	ask(s)
	<-asked
	second := s.heir(Options{})
	if err := second.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	ask(second)
	<-asked
	third := second.heir(Options{})
	if err := third.p.Apply(set); err != nil {
		t.Fatal(err)
	}
	load := third.p.table.get("/user/mallory").load
	eventually(t, "the third has heard of both", func() bool { return load.before.Load() == 2 })
	if got := status(ask(third)); got != 503 {
		t.Errorf("a third one is told %d", got)
	}
	answer <- struct{}{}
	eventually(t, "one is answered", func() bool { return load.before.Load() == 1 })
	last := ask(third)
	<-asked
	end()
	if got := status(last); got != 200 {
		t.Errorf("then it is told %d", got)
	}
	eventually(t, "nothing is left", func() bool { return load.before.Load() == 0 && load.requests.Load() == 0 })
}
