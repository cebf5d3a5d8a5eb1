package system

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The tabs of a stopped server ask on. The hub is not needed to tell them, and is not asked: here it is away.
func TestStoppedServersAreToldWithoutTheHub(t *testing.T) {
	s := onStage(t)
	s.run("systemctl", "stop", "jupyterhub-hub.socket", "jupyterhub.service")
	s.afterwards("systemctl", "start", "jupyterhub-hub.socket", "jupyterhub.service")
	if got := s.visit("/user/alice/api/kernels"); !strings.HasPrefix(got, "424 ") || !strings.Contains(got, "no longer running at /user/alice/api/kernels") || !strings.Contains(got, "/hub/spawn/alice") {
		t.Errorf("a program is told %s", got)
	}
	if got := s.visit("/user/alice/lab"); !strings.HasPrefix(got, "503 ") || !strings.Contains(got, "JupyterHub is away") { // where it was sent
		t.Errorf("a person is told %s", got)
	}
}

// Bounds hold from a reload on. Whoever asks Alice's server too often is held back and then refused; Bob's is not hers.
func TestBoundsHoldFromAReload(t *testing.T) {
	s := onStage(t)
	s.mirrored("alice", "bob")
	s.start(alice)
	s.start(bob)
	s.configure("[proxy]\nrequest_rate_per_user = 1\n")
	const storm = `for i in $(seq 20); do curl --silent --output /dev/null --write-out '%{http_code} ' http://127.0.0.1:8000/user/alice/x & done; wait`
	got := s.run("sh", "-c", storm)
	if strings.Count(got, "200") < 2 || strings.Count(got, "503") < 1 || len(strings.Fields(got)) != 20 {
		t.Errorf("twenty at once are told %s", got)
	}
	if got := s.visit("/user/bob/x"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("bob's server is reached with %s", got)
	}
}

// Vulnerability: whoever asks most has what is everybody's.
// Attack: Mallory begins sixty requests to her two servers, and ends none.
// Verified: two are under way, all others are told at once to come again, and Bob, who asks on, is answered each time.
func TestAStormMovesNobodyElse(t *testing.T) {
	s := onStage(t)
	l := s.load(nil)
	s.configure("[proxy]\nmax_requests_per_user = 2\n")
	for path, user := range map[string]string{"/storm/mallory": "mallory", "/storm/mallory-second": "mallory", "/storm/bob": "bob"} {
		s.table("POST", "routes"+path, fmt.Sprintf(`{"target": "http+unix://%%2Frun%%2Fplay-load.sock", "user": %q}`, user))
		s.t.Cleanup(func() { s.table("DELETE", "routes"+path, "") })
	}
	bob := l.begin("/storm/bob")
	var under []*half
	for i := range 60 {
		h := l.begin([]string{"/storm/mallory", "/storm/mallory-second"}[i%2])
		answer := h.hear()
		if i < 2 && answer.StatusCode == http.StatusContinue { // the server waits for its body
			under = append(under, h)
		} else if i < 2 || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("the %d. request is told %s, %s", i+1, answer.Status, answer.Header)
		}
		if got := bob.hear(); got.StatusCode != http.StatusContinue {
			t.Fatalf("while %d are under way Bob is told %s", i+1, got.Status)
		}
		if got := bob.finish(); got.StatusCode != http.StatusOK {
			t.Fatalf("while %d are under way Bob is answered %s", i+1, got.Status)
		}
		bob.ask("/storm/bob")
	}
	for _, h := range under {
		if got := h.finish(); got.StatusCode != http.StatusOK {
			t.Errorf("a request that was under way is answered %s", got.Status)
		}
	}
}

// half is a connection with a request whose body waits until it is asked for.
type half struct {
	*loaded
	conn net.Conn
	br   *bufio.Reader
}

func (l *loaded) begin(path string) *half {
	l.t.Helper()
	c, err := l.dial(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		l.t.Fatal(err)
	}
	h := &half{l, c, bufio.NewReader(c)}
	h.ask(path)
	return h
}

func (h *half) ask(path string) {
	h.t.Helper()
	if _, err := fmt.Fprintf(h.conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", path); err != nil {
		h.t.Fatal(err)
	}
}

// hear reads the next answer, of whatever kind.
func (h *half) hear() *http.Response {
	h.t.Helper()
	answer, err := http.ReadResponse(h.br, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// finish sends the body and reads the answer.
func (h *half) finish() *http.Response {
	h.t.Helper()
	if _, err := io.WriteString(h.conn, "hello"); err != nil {
		h.t.Fatal(err)
	}
	return h.hear()
}
