package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bound is a stage with bounds.
func bound(t *testing.T, b Bounds, o Options) *stage {
	t.Helper()
	s := newStage(t, o)
	if err := s.p.Apply(Settings{Bounds: b, Trusted: trust{prefix("127.0.0.0/8")}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Vulnerability: what everybody needs (goroutines, descriptors, the processor) goes to whoever asks most.
// Attack: Mallory asks her own servers without end, of which she has several.
// Verified: no more of her requests are under way than the bound, the rest is told 503 at once, and all of Alice's are served.
func TestOneUsersStormIsTheirOwn(t *testing.T) {
	const most, storm = 4, 60
	s := bound(t, Bounds{UserRequests: most}, Options{})
	var under, worst atomic.Int64
	full, open := make(chan struct{}, storm), make(chan struct{})
	mallory := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		now := under.Add(1)
		defer under.Add(-1)
		for old := worst.Load(); now > old && !worst.CompareAndSwap(old, now); old = worst.Load() {
		}
		full <- struct{}{}
		<-open
	})
	alice := newServer(t, hello)
	s.route("/user/mallory", mallory.URL, `"user": "mallory"`)
	s.route("/user/mallory/second", mallory.URL+"/", `"user": "mallory", "server_name": "second"`)
	s.alice(alice.URL)

	answers := make(chan reply, storm)
	for i := range storm {
		go func() { answers <- s.get([]string{"/user/mallory/", "/user/mallory/second/"}[i%2]) }()
	}
	for range most {
		<-full
	}
	next := func() reply {
		select {
		case got := <-answers:
			return got
		case <-time.After(15 * time.Second):
			t.Fatal("a request is not answered")
			return reply{}
		}
	}
	release := sync.OnceFunc(func() { close(open) })
	defer release()
	for range storm - most { // all others are answered while those are under way
		if got := next(); got.status != 503 || got.header.Get("Retry-After") != "1" {
			t.Fatalf("%d %s", got.status, got.header)
		}
	}
	for range 20 {
		if got := s.get("/user/alice/"); got.status != 200 {
			t.Errorf("alice is told %d", got.status)
		}
	}
	release()
	for range most {
		if got := next(); got.status != 200 {
			t.Errorf("one that was under way is told %d", got.status)
		}
	}
	if worst.Load() != most {
		t.Errorf("%d were under way at once", worst.Load())
	}
	if got := s.get("/user/mallory/"); got.status != 200 {
		t.Errorf("after the storm she is told %d", got.status)
	}
	if got := s.call("GET", "/metrics", "").body; !strings.Contains(got, fmt.Sprintf(`jupyterhub_proxy_refused_total{bound="user"} %d`, storm-most)) {
		t.Error("the metrics do not tell")
	}
}

// A user's WebSockets are bounded by themselves; one that ends makes room.
func TestWebSocketsOfOneUserAreBounded(t *testing.T) {
	s := bound(t, Bounds{UserWebSockets: 2}, Options{})
	mallory := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(c, rw)
	})
	s.route("/user/mallory", mallory.URL, `"user": "mallory"`)
	s.route("/user/mallory/second", mallory.URL, `"user": "mallory", "server_name": "second"`)
	s.alice(mallory.URL)
	const ask = "GET /user/%s/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	open := func(who string) (status int, hang func() error) {
		c := s.dial()
		fmt.Fprintf(c, ask, who)
		var version string
		fmt.Fscan(c, &version, &status)
		return status, c.Close
	}
	_, hang := open("mallory")
	open("mallory/second")
	eventually(t, "two are open", func() bool { return s.p.tunnels.count() == 2 })
	if status, _ := open("mallory"); status != 503 {
		t.Errorf("the third is told %d", status)
	}
	if got := s.get("/user/mallory/"); got.status != 200 {
		t.Errorf("a request beside them is told %d", got.status)
	}
	if status, _ := open("alice"); status != 101 {
		t.Errorf("alice is told %d", status)
	}
	hang()
	eventually(t, "there is room again", func() bool { return s.p.tunnels.count() == 2 })
	if status, _ := open("mallory"); status != 101 {
		t.Errorf("then she is told %d", status)
	}
}

// Who asks too often is told so: of one server, and of one address, as a proxy in front names it. The clock stands still here.
func TestRatesAreBounded(t *testing.T) {
	clock := time.Now()
	s := bound(t, Bounds{UserRate: 1000, ClientRate: 2000}, Options{Now: func() time.Time { return clock }})
	alice, bob := newServer(t, hello), newServer(t, hello)
	s.alice(alice.URL)
	s.route("/user/bob", bob.URL, `"user": "bob"`)
	s.route("/", alice.URL, `"hub": true`)
	s.p.table.get("/user/alice").load.pace.due = clock.Add(userBurst + patience + time.Millisecond)
	for path, want := range map[string]int{"/user/alice/": 503, "/user/bob/": 200, "/": 200} {
		if got := s.get(path); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	s.p.guests.get(prefix("203.0.113.9/32").Addr()).pace.due = clock.Add(clientBurst + patience + time.Millisecond)
	for from, want := range map[string]int{"203.0.113.9": 503, "203.0.113.10": 200} {
		if got := s.get("/", "X-Forwarded-For: "+from); got.status != want || want == 503 && got.header.Get("Retry-After") == "" {
			t.Errorf("from %s: %d, want %d", from, got.status, want)
		}
	}
	if s.p.guests.forget(clock.Add(time.Hour)); len(s.p.guests.of) != 0 {
		t.Errorf("%d addresses are remembered for good", len(s.p.guests.of))
	}
}

// Two seconds' worth may come at once; then a second's worth waits, each a little longer; then nothing more.
func TestAPace(t *testing.T) {
	var p pace
	now := time.Now()
	for i := range 35 {
		wait, ok := p.take(now, 10, 2*time.Second, time.Second)
		want := max(0, time.Duration(i-20)*100*time.Millisecond)
		if i > 30 {
			if ok {
				t.Errorf("the %d. has to wait %s", i, wait)
			}
		} else if !ok || wait != want {
			t.Errorf("the %d. waits %s, %v; want %s", i, wait, ok, want)
		}
	}
	if wait, ok := p.take(now.Add(time.Minute), 10, 2*time.Second, time.Second); !ok || wait != 0 || p.idle(now.Add(time.Minute)) || !p.idle(now.Add(time.Hour)) {
		t.Error("a minute later it is as before")
	}
}

// Who finds no room at the door is told so, where that can be understood.
func TestThereIsNoRoomAtTheDoor(t *testing.T) {
	s := newStage(t, Options{MaxConnections: 1})
	first := s.dial()
	fmt.Fprint(first, "GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n")
	first.Read(make([]byte, 1)) // it is in
	got := s.raw("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if body := readReply(t, got).body; got.StatusCode != 503 || got.Header.Get("Retry-After") != "5" || int(got.ContentLength) != len(body) || len(body) == 0 {
		t.Errorf("%d %s %q", got.StatusCode, got.Header, body)
	}
	first.Close()
	eventually(t, "there is room", func() bool { return s.p.crowd.count() == 0 })
	if got := s.get("/_chp_healthz"); got.status != 200 {
		t.Errorf("then: %d", got.status)
	}
}

// A body whose rest does not come is given up, with 408 and not as a fault of the server's. A slow one is not.
func TestBodiesThatStopComing(t *testing.T) {
	s := newStage(t, Options{BodyPause: 300 * time.Millisecond})
	alice := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	s.alice(alice.URL)
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		got := s.raw("POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
		if readReply(t, got); got.StatusCode != 408 || !got.Close {
			t.Errorf("%d, close %v", got.StatusCode, got.Close)
		}
	})
	slow := s.dial()
	fmt.Fprint(slow, "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nConnection: close\r\n\r\n")
	tick := time.NewTicker(50 * time.Millisecond) // 600 ms in all
	defer tick.Stop()
	for range 12 {
		<-tick.C
		io.WriteString(slow, "x")
	}
	if got, _ := io.ReadAll(slow); !strings.HasPrefix(string(got), "HTTP/1.1 200") || !strings.HasSuffix(string(got), "12") {
		t.Errorf("the slow one is told %q", got)
	}
}

// A route of which nobody says whose it is has bounds by itself. The hub has none: it is everybody's.
func TestRoutesOfNobodyAreBoundedByThemselves(t *testing.T) {
	clock := time.Now()
	s := bound(t, Bounds{UserRate: 1000}, Options{Now: func() time.Time { return clock }})
	up := newServer(t, hello)
	for path, data := range map[string]string{"/tools": "", "/others": `"user": null`, "/": "", "/hub": `"hub": true`} {
		s.route(path, up.URL, data)
	}
	s.p.table.get("/tools").load.pace.due = clock.Add(userBurst + patience + time.Millisecond)
	for path, want := range map[string]int{"/tools/": 503, "/others/": 200, "/": 200, "/hub/": 200} {
		if got := s.get(path); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	s.route("/tools", up.URL+"/", "") // it is another server now, and the same route
	if got := s.get("/tools/"); got.status != 503 {
		t.Errorf("once it leads elsewhere: %d", got.status)
	}
	if s.p.table.get("/").load != nil || s.p.table.get("/hub").load != nil {
		t.Error("the hub is somebody's")
	}
}

// What is known of a user goes with the last of their routes, and with host routing it does not matter where these are.
func TestUsersAreForgottenWithTheirRoutes(t *testing.T) {
	s := newStage(t, Options{HostRouting: true})
	s.route("/alice.example/user/alice", "http://127.0.0.1:1", `"user": "alice"`)
	s.route("/alice-lab.example/user/alice/lab", "http://127.0.0.1:1", `"user": "alice", "server_name": "lab"`)
	s.route("/grader.example/services/alice", "http://127.0.0.1:1", `"service": "alice"`)
	s.route("/", "http://127.0.0.1:1", `"hub": true`)
	hers, lab := s.p.table.get("/alice.example/user/alice").load, s.p.table.get("/alice-lab.example/user/alice/lab").load
	service := s.p.table.get("/grader.example/services/alice").load
	if hers == nil || hers != lab || service == nil || service == hers || s.p.table.get("/").load != nil {
		t.Errorf("alice %p and %p, the service %p, the hub %p", hers, lab, service, s.p.table.get("/").load)
	}
	s.route("/alice.example/user/alice", "http://127.0.0.1:2", `"user": "bob"`)
	s.call("DELETE", "/api/routes/alice-lab.example/user/alice/lab", "")
	s.call("DELETE", "/api/routes/grader.example/services/alice", "")
	if known := s.p.loads.of; len(known) != 1 || known[owned{user: "bob"}] == nil {
		t.Errorf("known are %v", known)
	}
}
