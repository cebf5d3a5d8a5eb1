package proxy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each way of passing requests on that configurable-http-proxy has an option for (C.1), by what the upstream then sees.
func TestManners(t *testing.T) {
	spoofed := "X-Forwarded-For: 9.9.9.9"
	for name, c := range map[string]struct {
		manners Manners
		target  string // behind the upstream's address
		ask     string
		line    string   // what the upstream is asked
		has     []string // header lines
		lacks   []string
	}{
		"as ever": {Manners{}, "/pre", "/user/alice/x?q", "GET /pre/user/alice/x?q HTTP/1.1",
			[]string{"Host: hub.example", "X-Forwarded-For: 127.0.0.1", "X-Scheme: http"}, []string{"9.9.9.9"}},
		"--no-x-forward": {Manners{KeepForwarded: true}, "", "/user/alice/x", "GET /user/alice/x HTTP/1.1",
			[]string{spoofed}, []string{"X-Scheme", "X-Real-Ip", "127.0.0.1\r\n", InsecureHeader}},
		"--no-prepend-path":   {Manners{NoTargetPath: true}, "/pre", "/user/alice/x", "GET /user/alice/x HTTP/1.1", nil, nil},
		"--no-include-prefix": {Manners{NoPrefix: true}, "/pre", "/user/%61lice/x%2Fy?q", "GET /pre/x%2Fy?q HTTP/1.1", nil, nil},
		"the prefix itself":   {Manners{NoPrefix: true}, "", "/user/alice", "GET / HTTP/1.1", nil, nil},
		"--change-origin":     {Manners{TargetHost: true}, "", "/user/alice/x", "GET /user/alice/x HTTP/1.1", nil, []string{"\r\nHost: hub.example"}},
		"--custom-header": {Manners{Headers: http.Header{"X-Site": {"physics"}, "Accept": {"text/plain"}}}, "", "/user/alice/x", "GET /user/alice/x HTTP/1.1",
			[]string{"X-Site: physics", "Accept: text/plain"}, []string{"text/html"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, alice := newStage(t, Options{Manners: c.manners}), newServer(t, hello)
			s.alice(alice.URL + c.target)
			if got := s.get(c.ask, spoofed, "Accept: text/html", InsecureHeader+": 1"); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			head := alice.head(t)
			all := strings.Join(head, "\r\n") + "\r\n"
			if head[0] != c.line {
				t.Errorf("the upstream was asked %s, want %s", head[0], c.line)
			}
			for _, want := range c.has {
				if !strings.Contains(all, want+"\r\n") {
					t.Errorf("no %s in\n%s", want, all)
				}
			}
			for _, wrong := range c.lacks {
				if strings.Contains(all, wrong) {
					t.Errorf("%q in\n%s", wrong, all)
				}
			}
		})
	}
}

// A redirect to the target's own address leads to the public one, and no other does.
func TestRedirectsAreRewritten(t *testing.T) {
	s := newStage(t, Options{Manners: Manners{RewriteHost: true, RewriteProto: "https"}})
	alice := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		if to == "" {
			to = "http://" + r.Context().Value(http.LocalAddrContextKey).(interface{ String() string }).String() + "/user/alice/lab"
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	s.alice(alice.URL)
	for ask, want := range map[string]string{
		"/user/alice/": "https://hub.example:8443/user/alice/lab",
		"/user/alice/?to=http://elsewhere.example/lab": "http://elsewhere.example/lab",
		"/user/alice/?to=/user/alice/lab":              "/user/alice/lab",
	} {
		if got := s.get(ask, "Host: hub.example:8443").header.Get("Location"); got != want {
			t.Errorf("%s leads to %s, want %s", ask, got, want)
		}
	}
}

// --proxy-timeout: an upstream that takes a request and never answers it is as good as away.
func TestAnswersHaveALimitWhenOneIsSet(t *testing.T) {
	s := newStage(t, Options{Manners: Manners{AnswerIn: 50 * time.Millisecond}})
	never := make(chan struct{})
	alice := newServer(t, func(http.ResponseWriter, *http.Request) { <-never })
	defer close(never)
	s.alice(alice.URL)
	if got := s.get("/user/alice/"); got.status != 503 {
		t.Errorf("a request is answered %d", got.status)
	}
	refused := s.raw("GET /user/alice/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if got := readReply(t, refused); got.status != 503 || !refused.Close {
		t.Errorf("a WebSocket is answered %d, and the connection goes on: %v", got.status, !refused.Close)
	}
}

// --timeout: a client that neither says nor takes anything is dropped without an answer. WebSockets may be quiet.
func TestQuietClientsAreDroppedWhenALimitIsSet(t *testing.T) {
	s := newStage(t, Options{Quiet: 100 * time.Millisecond})
	never := make(chan struct{})
	alice := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			<-never
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
	defer close(never)
	s.alice(alice.URL)
	ws := s.dial()
	fmt.Fprint(ws, "GET /user/alice/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	eventually(t, "the tunnel is open", func() bool { return s.p.tunnels.count() == 1 })

	c := s.dial()
	fmt.Fprint(c, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, err := io.ReadAll(c); err == nil && len(got) > 0 {
		t.Errorf("the client was told %q", got)
	}
	if s.p.tunnels.count() != 1 { // which is older than what was dropped
		t.Error("the WebSocket was dropped as well")
	}
}

// --error-path: pages out of a directory, by status.
func TestErrorPagesFromADirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"404.html": "nothing here", "error.html": "something is wrong"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStage(t, Options{Manners: Manners{ErrorPath: dir}})
	s.route("/away", "http://127.0.0.1:1", "")
	for path, want := range map[string]string{"/nowhere": "404 nothing here", "/away": "503 something is wrong"} {
		if got := s.get(path); fmt.Sprint(got.status, " ", got.body) != want || got.header.Get("Content-Security-Policy") != "" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// Without a token the API is closed, unless the one who starts the proxy says that it is open.
func TestAnOpenAPI(t *testing.T) {
	for open, want := range map[bool]int{true: 200, false: 403} {
		s := newStage(t, Options{APIPeers: []int64{}, APIOpen: open})
		if got := s.call("GET", "/api/routes", ""); got.status != want {
			t.Errorf("open %v: %d", open, got.status)
		}
	}
}
