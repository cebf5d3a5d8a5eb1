package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// D1, D3: the target goes upstream byte by byte, the query whatever is in it.
func TestD1D3TheTargetIsForwardedAsItCame(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	for _, target := range []string{
		"/user/alice/a?x=1;y=2", "/user/alice/a?x=%zz&y=2", "/user/alice/?", "/user/alice/a%2Fb%40/%7e//c?q=a+b%2F", "/user/alice",
		"/user/alice/(a)*!'$&,=:;@[b]", "/user/alice//?//../%2e%2e/",
	} {
		s.get(target)
		if got := up.head(t)[0]; got != "GET "+target+" HTTP/1.1" {
			t.Errorf("%s arrives as %q", target, got)
		}
	}
	s.ask("GET http://hub.example/user/alice/x?y HTTP/1.1", "Host: hub.example", "Connection: close")
	if got := up.head(t)[0]; got != "GET /user/alice/x?y HTTP/1.1" {
		t.Errorf("absolute form arrives as %q", got)
	}
}

// D2: nothing cleans paths, and D3: what could leave a route is refused.
func TestD2D3NoPathIsCleanedAndNoDotsPass(t *testing.T) {
	s, root, up := newStage(t, Options{}), newServer(t, hello), newServer(t, hello)
	s.route("/", root.URL, `"hub": true`)
	s.alice(up.URL)
	for _, path := range []string{"//user/alice/", "/user//alice", "/hub//x", "/user%2Falice/x"} {
		if got := s.get(path); got.status != 200 || root.head(t)[0] != "GET "+path+" HTTP/1.1" {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	for _, path := range []string{"/user/alice/../bob/", "/user/alice/%2e%2E/bob", "/user/alice/..%2Fbob", "/hub/..\\user/alice", "/%zz", "/user/alice/%ff"} {
		if got := s.get(path); got.status != 400 {
			t.Errorf("%s: %d, want 400", path, got.status)
		}
	}
	if len(root.heads)+len(up.heads) != 0 {
		t.Error("a refused request went upstream")
	}
}

// D4: the part that the route matched is spelled as the server behind it compares it.
func TestD4CanonicalSpelling(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.route("/user/jo@ex.org", up.URL, `"user": "jo@ex.org"`)
	s.get("/user/jo%40ex.org/a%40b")
	if got := up.head(t)[0]; got != "GET /user/jo@ex.org/a%40b HTTP/1.1" {
		t.Errorf("arrives as %q", got)
	}
}

// D5, D6, D7: the server learns what we know, nothing that a client made up, and nothing that concerns one connection.
func TestD5D6D7Headers(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	s.get("/user/alice/", "Host: hub.example:8000", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
		"X-Forwarded-Port: 1", "X-Forwarded-Server: evil", "X-Real-IP: 1.1.1.1", "X-Scheme: https", "Forwarded: for=1.1.1.1", "X_Forwarded_For: 1.1.1.1",
		"X-JupyterHub-Insecure: 0", "Proxy: http://evil", "Proxy-Authorization: x", "Proxy-Connection: x", "Keep-Alive: 3", "TE: trailers",
		"Connection: X-Secret, X-Forwarded-For", "X-Secret: x", "Upgrade: h2c", "HTTP2-Settings: AAA", "Authorization: token t", "Origin: http://o",
		"Referer: http://r", "Sec-Fetch-Mode: cors", "X-XSRFToken: x", "Accept-Encoding: br")
	head := up.head(t)
	for name, want := range map[string][]string{
		"Host": {"hub.example:8000"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Scheme": {"http"},
		"X-Forwarded-Host": {"hub.example:8000"}, "X-Forwarded-Port": {"8000"}, "X-Forwarded-Server": nil, "Forwarded": {`for=127.0.0.1;host="hub.example:8000";proto=http`}, "X_Forwarded_For": nil,
		"X-JupyterHub-Insecure": nil, "Proxy": nil, "Proxy-Authorization": nil, "Proxy-Connection": nil, "Keep-Alive": nil, "TE": nil,
		"Connection": nil, "X-Secret": nil, "Upgrade": nil, "Authorization": {"token t"}, "Origin": {"http://o"}, "Referer": {"http://r"},
		"Sec-Fetch-Mode": {"cors"}, "X-XSRFToken": {"x"}, "Accept-Encoding": {"br"}, "User-Agent": nil,
	} {
		if got := field(head, name); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Only the hub is told, and only of what crosses a network in the clear; no client can say it, or take it away.
func TestTheHubLearnsOfInsecureRequests(t *testing.T) {
	s, root, up := newStage(t, Options{}), newServer(t, hello), newServer(t, hello)
	s.route("/", root.URL, `"hub": true`)
	s.alice(up.URL)
	if err := s.p.Apply(Settings{Trusted: trust{prefix("127.0.0.0/8")}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, forwarded, proto, want string
	}{
		{"from this machine", "127.0.0.1", "http", ""},
		{"in the clear", "203.0.113.9", "http", "1"},
		{"by https in front", "203.0.113.9", "https", ""},
	} {
		headers := []string{"X-Forwarded-For: " + c.forwarded, "X-Forwarded-Proto: " + c.proto, "X-JupyterHub-Insecure: client", "Connection: close, X-JupyterHub-Insecure"}
		s.ask("GET /hub/login HTTP/1.1", headers...)
		if got := strings.Join(field(root.head(t), InsecureHeader), ","); got != c.want {
			t.Errorf("%s: the hub hears %q", c.name, got)
		}
		s.ask("GET /user/alice/ HTTP/1.1", headers...)
		if got := field(up.head(t), InsecureHeader); got != nil {
			t.Errorf("%s: alice's server hears %q", c.name, got)
		}
	}
}

// D12, D21: an answer passes as it is: no compression of ours, no guessed type, its own length, each cookie alone.
func TestD12D21AnswersPassAsTheyAre(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		switch r.URL.Path {
		case "/user/alice/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Etag", `"e"`)
			io.WriteString(w, "not really gzip")
		case "/user/alice/head":
			w.Header().Set("Content-Length", "12345")
		case "/user/alice/204":
			w.WriteHeader(204)
		case "/user/alice/304":
			w.Header().Set("Etag", `"e"`)
			w.WriteHeader(304)
		default:
			w.Header().Add("Set-Cookie", "a=1; Path=/user/alice/")
			w.Header().Add("Set-Cookie", "b=2; Path=/user/alice/")
			w.Header().Add("Keep-Alive", "timeout=1")
			w.Header().Add("Proxy-Authenticate", "x")
			io.WriteString(w, "<html>")
		}
	})
	s.alice(up.URL)

	zipped := s.get("/user/alice/gzip")
	if field(up.head(t), "Accept-Encoding") != nil || zipped.body != "not really gzip" || zipped.header.Get("Content-Length") != "15" || zipped.header.Get("Etag") != `"e"` {
		t.Errorf("compression is meddled with: %+v", zipped)
	}
	if head := s.ask("HEAD /user/alice/head HTTP/1.1", "Connection: close"); head.header.Get("Content-Length") != "12345" {
		t.Errorf("HEAD: %v", head.header)
	}
	for _, code := range []string{"204", "304"} {
		if got := s.get("/user/alice/" + code); fmt.Sprint(got.status) != code || got.body != "" || got.header["Content-Type"] != nil {
			t.Errorf("%s: %+v", code, got)
		}
	}
	plain := s.get("/user/alice/")
	if got := plain.header["Set-Cookie"]; len(got) != 2 || plain.header["Content-Type"] != nil || plain.header["Keep-Alive"] != nil || plain.header["Proxy-Authenticate"] != nil {
		t.Errorf("headers: %v", plain.header)
	}
}

// D22, D25: what is answered without a server, and what passes whatever it is called.
func TestD22D25OtherAnswers(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	s.route("/user/dead", "http://127.0.0.1:1", `"user": "dead"`)
	for _, c := range []struct {
		line, accept string
		status       int
		kind, retry  string
	}{
		{"GET /nowhere HTTP/1.1", "text/html", 404, "text/html; charset=utf-8", ""},
		{"GET /nowhere HTTP/1.1", "application/json", 404, "application/json", ""},
		{"GET /user/dead/ HTTP/1.1", "text/html,application/json;q=0.1", 503, "text/html; charset=utf-8", "5"},
		{"GET /user/dead/api/contents HTTP/1.1", "*/*", 503, "application/json", "5"},
		{"POST /user/dead/api HTTP/1.1", "", 503, "application/json", "5"},
		{"CONNECT hub.example:443 HTTP/1.1", "", 405, "text/html; charset=utf-8", ""},
		{"OPTIONS * HTTP/1.1", "", 200, "", ""},
		{"PROPFIND /user/alice/ HTTP/1.1", "", 200, "text/plain; charset=utf-8", ""},
		{"GET /_chp_healthz HTTP/1.1", "", 200, "application/json", ""},
		{"POST /_chp_healthz HTTP/1.1", "", 200, "application/json", ""},
		{"GET /_chp_healthz?x HTTP/1.1", "", 404, "text/html; charset=utf-8", ""},
	} {
		got := s.ask(c.line, "Accept: "+c.accept, "Connection: close")
		if got.status != c.status || got.header.Get("Content-Type") != c.kind || got.header.Get("Retry-After") != c.retry {
			t.Errorf("%s as %q: %d %v", c.line, c.accept, got.status, got.header)
		}
	}
	if got := s.get("/_chp_healthz"); got.body != `{"status":"OK"}` {
		t.Errorf("health: %s", got.body)
	}
}

// The hub away is told in a friendly page, and a server that runs is reached as before.
func TestTheHubAwayCutsNobody(t *testing.T) {
	s, up := newStage(t, Options{DefaultTarget: "http+unix://%2Fnonexistent%2Fhub.sock", DefaultUID: -1}), newServer(t, hello)
	s.alice(up.URL)
	got := s.get("/hub/home", "Accept: text/html")
	if got.status != 503 || got.header.Get("Retry-After") != "5" || !strings.Contains(got.body, "JupyterHub is away") {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := s.get("/user/alice/x"); got.body != "hello from /user/alice/x" {
		t.Errorf("alice is cut: %+v", got)
	}
}

// D24: cookies of a login gone round in circles pass, and an endless head is refused cheaply.
func TestD24LargeHeadsPassBothWays(t *testing.T) {
	s := newStage(t, Options{})
	large := strings.Repeat("x", 64<<10)
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Large", r.Header.Get("X-Large")) })
	s.alice(up.URL)
	if got := s.get("/user/alice/", "X-Large: "+large); got.header.Get("X-Large") != large {
		t.Errorf("%d", got.status)
	}
	if got := s.get("/user/alice/", "X-Large: "+strings.Repeat("x", 200<<10)); got.status != 431 {
		t.Errorf("an endless head: %d", got.status)
	}
}

// An error target renders the pages for people, with the original status, without cookies and without the query.
func TestErrorTarget(t *testing.T) {
	pages := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "page for %s", r.URL)
	})
	s := newStage(t, Options{ErrorTarget: pages.URL + "/hub/error"})
	s.route("/user/dead", "http://127.0.0.1:1", `"user": "dead"`)
	got := s.get("/user/dead/x?token=secret", "Accept: text/html", "Cookie: a=secret")
	if got.status != 503 || got.body != "page for /hub/error/503?url=%2Fuser%2Fdead%2Fx" || field(pages.head(t), "Cookie") != nil {
		t.Errorf("%d %s", got.status, got.body)
	}
	pages.Close()
	if got := s.get("/user/dead/x", "Accept: text/html"); got.status != 503 || !strings.Contains(got.body, "does not answer") {
		t.Errorf("without it: %d %s", got.status, got.body)
	}
}

// One address may not take every connection.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	cr := newCrowd(func() trust { return trust{prefix("10.0.0.0/8")} }, func() int { return 2 }, 100, func() {})
	enter := func(from string) net.Conn {
		c, ok := cr.enter(fromAddr(from))
		if !ok {
			return nil
		}
		return c
	}
	first := enter("203.0.113.9")
	if enter("203.0.113.9") == nil || enter("203.0.113.9") != nil || enter("203.0.113.10") == nil {
		t.Error("the limit is not two of one address")
	}
	if enter("2001:db8::1") == nil || enter("2001:db8::2") == nil || enter("2001:db8::3") != nil {
		t.Error("one IPv6 network is not one client")
	}
	first.Close()
	first.Close()
	if enter("203.0.113.9") == nil || enter("203.0.113.9") != nil {
		t.Error("a closed connection is not counted out once")
	}
	for range 50 {
		if enter("10.1.2.3") == nil || enter("127.0.0.1") == nil {
			if cr.count() < 100 {
				t.Fatal("a trusted proxy is limited")
			}
		}
	}
	if enter("127.0.0.1") != nil {
		t.Error("the limit of all is not a hundred")
	}
}
