package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A stopped server's tabs ask on. The proxy answers them as the hub would, and the hub is not asked: 424 to programs, which
// stops JupyterLab's polling, and the way into the hub to people.
func TestStoppedServersAreAnsweredWithoutTheHub(t *testing.T) {
	for _, base := range []string{"/", "/jh/"} {
		s, hub, alice := newStage(t, Options{HubBase: base}), newServer(t, hello), newServer(t, hello)
		s.route(strings.TrimRight(base, "/"), hub.URL, `"hub": true`)
		s.route(base+"user/bob", alice.URL, `"user": "bob", "server_name": ""`)
		before := s.routes()
		for _, c := range []struct {
			ask, accept string
			want        string // status and where to, or what is said
		}{
			{"GET user/alice/api/kernels", "*/*", "424"},
			{"GET user/alice/lab/api/themes/x", "text/html", "424"},
			{"GET user/alice/gpu/api", "", "424"},
			{"HEAD user/alice/api", "", "424"},
			{"POST user/alice/api/kernels", "", "424"},
			{"PUT user/alice/files/x", "text/html", "424"},
			{"OPTIONS user/alice/x", "", "424"},
			{"GET user/alice/metrics", "application/json", "424"},
			{"GET user/alice/metrics", "application/json;q=0.9, text/html;q=0.8", "424"},
			{"GET user/alice/metrics", "text/html, application/json;q=0.9", "302 hub/user/alice/metrics"},
			{"GET user/alice/lab/tree/a%20b?reset&x=%zz", "text/html,*/*;q=0.8", "302 hub/user/alice/lab/tree/a%20b?reset&x=%zz"},
			{"GET user/alice/", "", "302 hub/user/alice/"},
			{"GET user/jo%40ex.org/lab", "", "302 hub/user/jo%40ex.org/lab"},
			{"GET user/alice?x", "", "301 user/alice/?x"},
			{"GET user/api/lab", "", "302 hub/user/api/lab"},
			{"GET user/alice//evil.example/", "", "302 hub/user/alice//evil.example/"},
		} {
			method, path, _ := strings.Cut(c.ask, " ")
			got := s.ask(method+" "+base+path+" HTTP/1.1", "Accept: "+c.accept, "Connection: close")
			status, where, _ := strings.Cut(c.want, " ")
			if where != "" {
				where = base + where
			}
			if fmt.Sprint(got.status) != status || got.header.Get("Location") != where {
				t.Errorf("%s%s (%s): %d %s, want %s", base, c.ask, c.accept, got.status, got.header.Get("Location"), c.want)
			}
		}
		var told struct{ Message string }
		got := s.ask("GET "+base+"user/alice/api/kernels HTTP/1.1", "Host: hub.example:8000", "Connection: close")
		want := "JupyterHub server no longer running at " + base + "user/alice/api/kernels. Restart the server at http://hub.example:8000" + base + "hub/spawn/alice"
		if err := json.Unmarshal([]byte(got.body), &told); err != nil || told.Message != want || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("told %s, want %s", got.body, want)
		}
		if len(hub.heads) > 0 {
			t.Errorf("the hub was asked: %s", <-hub.heads)
		}
		if after := s.routes(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("the table was %v and is %v", before, after)
		}
	}
}

// With a host for each user, it is at theirs that tabs of stopped servers ask, and people are led to the hub's. What is asked there of
// somebody else's server leads to the hub as well; at the hub's host the hub answers, who knows where the server is that is meant.
func TestStoppedServersAtTheirHosts(t *testing.T) {
	s, hub, bob := newStage(t, Options{HubBase: "/jh/", HubOrigin: "https://hub.example", HostRouting: true}), newServer(t, hello), newServer(t, hello)
	s.route("/", hub.URL, `"hub": true`)
	s.route("/bob.hub.example/jh/user/bob", bob.URL, `"user": "bob", "server_name": ""`)
	for _, c := range []struct{ host, ask, want string }{
		{"alice.hub.example:443", "GET /jh/user/alice/lab?x", "302 https://hub.example/jh/hub/user/alice/lab?x"},
		{"alice.hub.example", "GET /jh/user/bob/lab", "302 https://hub.example/jh/hub/user/bob/lab"},
		{"alice.hub.example", "GET /jh/user/alice", "301 /jh/user/alice/"},
		{"alice.hub.example", "GET /jh/user/alice/api/kernels", "424"},
		{"127.0.0.1", "POST /jh/user/alice/x", "424"},
		{"hub.example", "GET /jh/user/bob/api/kernels", "200"}, // the hub's own answer
		{"HUB.example.:8000", "POST /jh/user/bob/x", "200"},
		{"alice.hub.example", "GET /jh/hub/home", "200"},
		{"bob.hub.example", "GET /jh/user/bob/lab", "200"},
	} {
		got := s.ask(c.ask+" HTTP/1.1", "Host: "+c.host, "Connection: close")
		if now := strings.TrimSpace(fmt.Sprint(got.status, " ", got.header.Get("Location"))); now != c.want {
			t.Errorf("%s at %s: %s, want %s", c.ask, c.host, now, c.want)
		}
	}
	if n := len(hub.heads); n != 3 {
		t.Errorf("the hub was asked %d times", n)
	}
	bob.head(t)
	got := s.ask("GET /jh/user/alice/api HTTP/1.1", "Host: alice.hub.example", "Connection: close")
	if !strings.Contains(got.body, "Restart the server at https://hub.example/jh/hub/spawn/alice") {
		t.Errorf("told %s", got.body)
	}
}

// What no stopped server is asked for goes where the table leads, and so does everything when the table is another hub's.
func TestEverythingElseGoesToTheHub(t *testing.T) {
	s, hub := newStage(t, Options{HubBase: "/"}), newServer(t, hello)
	s.route("/", hub.URL, `"hub": true`)
	other, theirs := newStage(t, Options{}), newServer(t, hello)
	other.route("/", theirs.URL, `"hub": true`)
	for _, path := range []string{"/hub/user/alice/api", "/user/", "/user", "/users/alice/api", "/user//api", "/user%2Falice/api", "/user/a%2Fb/api", "/x/user/alice/api"} {
		if got := s.get(path); got.status != 200 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	for _, path := range []string{"/user/alice/api", "/user/alice/lab"} {
		if got := other.get(path); got.status != 200 {
			t.Errorf("%s at another hub: %d", path, got.status)
		}
	}
}

// A WebSocket to a stopped server is refused whole, and its connection closed.
func TestWebSocketsToStoppedServers(t *testing.T) {
	s := newStage(t, Options{HubBase: "/"})
	res := s.raw("GET /user/alice/api/kernels/1/channels HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if readReply(t, res); res.StatusCode != 424 || !res.Close {
		t.Errorf("%d, close %v", res.StatusCode, res.Close)
	}
}

// Answers for stopped servers do not make anything of the hub look used.
func TestAskingForStoppedServersIsNoActivity(t *testing.T) {
	s, hub := newStage(t, Options{HubBase: "/"}), newServer(t, hello)
	s.route("/", hub.URL, `"hub": true`)
	active := s.p.table.get("/").up.lastActivity()
	s.get("/user/alice/api/kernels")
	s.get("/user/alice/lab")
	if now := s.p.table.get("/").up.lastActivity(); now != active {
		t.Errorf("the hub was last used at %s, and now at %s", active, now)
	}
}
