package system

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"jupyterhubd/hub/client"
	"jupyterhubd/test/testbed"
)

// program is somebody's program: no browser, no cookies, a token.
type program struct {
	s     *stage
	http  *http.Client
	token client.Token
}

func (s *stage) program(user string) *program {
	s.t.Helper()
	token, err := s.hub.NewToken(s.ctx, user, client.TokenRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.Transport()
	s.t.Cleanup(transport.CloseIdleConnections)
	return &program{s, &http.Client{Transport: transport}, token}
}

// asks returns what a server answers to the token in the header Authorization, and in a URL as scripts of pages send it that open WebSockets.
func (p *program) asks(path string) (statuses [2]int) {
	p.s.t.Helper()
	for i, header := range []http.Header{{"Authorization": {"Bearer " + p.token.Value}}, {"Sec-Fetch-Mode": {"websocket"}}} {
		url := testbed.URL + strings.TrimPrefix(path, "/")
		if i == 1 {
			url += "?token=" + p.token.Value
		}
		r, err := http.NewRequestWithContext(p.s.ctx, http.MethodGet, url, nil)
		if err != nil {
			p.s.t.Fatal(err)
		}
		r.Header = header
		res, err := p.http.Do(r)
		if err != nil {
			p.s.t.Fatal(err)
		}
		res.Body.Close()
		statuses[i] = res.StatusCode
	}
	return statuses
}

// listens opens a WebSocket to a server's events, and returns a function that waits for its end and tells with which code.
func (p *program) listens(server string) func() websocket.StatusCode {
	p.s.t.Helper()
	url := "ws" + strings.TrimPrefix(testbed.URL, "http") + strings.TrimPrefix(server, "/") + "api/events/subscribe"
	c, _, err := websocket.Dial(p.s.ctx, url, &websocket.DialOptions{HTTPClient: p.http, HTTPHeader: http.Header{"Authorization": {"token " + p.token.Value}}})
	if err != nil {
		p.s.t.Fatalf("%s listens to %s: %v", p.token.User, server, err)
	}
	p.s.t.Cleanup(func() { _ = c.CloseNow() }) // its other end may be gone, ignoring
	return func() websocket.StatusCode {
		p.s.t.Helper()
		ctx, done := context.WithTimeout(p.s.ctx, patience)
		defer done()
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return websocket.CloseStatus(err)
			}
		}
	}
}

// Vulnerability: jupyterhub-singleuser believes for five minutes what the hub said of a token, and in a WebSocket for ever.
// Attack: bob's and mallory's programs, with whom alice's server is shared, go on in it: with a token that was revoked, and with one that is
// good, after the share is taken back; in a header, in a URL, and in WebSockets that are open.
// Verified: with a real server and its own cache, the WebSockets are closed and the tokens refused at once; bob's other program and what is
// his alone notice nothing; and when alice shares again his program is in.
func TestTokensEndAtOnce(t *testing.T) {
	s := onStage(t)
	s.start(alice)
	for _, guest := range []string{"bob", "mallory"} {
		if _, err := s.hub.Share(s.ctx, alice, client.ShareRequest{User: guest, Scopes: []string{"access:servers"}}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := s.hub.UnshareAll(context.WithoutCancel(s.ctx), alice); err != nil {
			t.Error(err)
		}
	})
	const server, path = "/user/alice/", "/user/alice/api/kernels"
	old, his, mallorys := s.program("bob"), s.program("bob"), s.program("mallory")
	sees := func(p *program, want int) {
		t.Helper()
		if got := p.asks(path); got != [2]int{want, want} {
			t.Errorf("%s with token %s gets %v, want %d", p.token.User, p.token.ID, got, want)
		}
	}
	for _, p := range []*program{old, his, mallorys} {
		sees(p, 200)
	}
	ends, hisEnds, mallorysEnds := old.listens(server), his.listens(server), mallorys.listens(server)

	if err := s.hub.DeleteToken(s.ctx, "bob", old.token.ID); err != nil {
		t.Fatal(err)
	}
	if code := ends(); code != websocket.StatusPolicyViolation {
		t.Errorf("the WebSocket of a revoked token ends with %d", code)
	}
	sees(old, 403)
	sees(his, 200)

	if err := s.hub.Unshare(s.ctx, alice, client.ShareRequest{User: "bob"}); err != nil {
		t.Fatal(err)
	}
	if code := hisEnds(); code != websocket.StatusPolicyViolation {
		t.Errorf("bob's WebSocket ends with %d when the share is taken back", code)
	}
	sees(his, 403)
	sees(mallorys, 200)
	if _, err := s.hub.Share(s.ctx, alice, client.ShareRequest{User: "bob", Scopes: []string{"access:servers"}}); err != nil {
		t.Fatal(err)
	}
	sees(s.program("bob"), 200)

	if err := s.hub.DeleteToken(s.ctx, "mallory", mallorys.token.ID); err != nil {
		t.Fatal(err)
	}
	if code := mallorysEnds(); code != websocket.StatusPolicyViolation {
		t.Errorf("mallory's WebSocket ends with %d", code)
	}
	sees(mallorys, 403)
}
