package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Vulnerability: alice owns the directory of her server's socket. Attack: she puts a symbolic link to bob's socket there, and
// the proxy reads bob's files for her (D20). Verified: the one who listens is asked for before the first byte, and a
// stranger gets nothing, neither by request nor by WebSocket.
func TestD20StrangersAtASocketGetNothing(t *testing.T) {
	s := newStage(t, Options{})
	bob, target := unixServer(t, hello)
	me := os.Getuid()
	link := filepath.Join(shortDir(t), "s")
	if err := os.Symlink(bob.Listener.Addr().String(), link); err != nil {
		t.Fatal(err)
	}
	s.route("/user/bob", target, fmt.Sprintf(`"user": "bob", "uid": %d`, me))
	s.route("/user/alice", unixTarget(link), fmt.Sprintf(`"user": "alice", "uid": %d`, me+1))
	if got := s.get("/user/bob/x"); got.body != "hello from /user/bob/x" {
		t.Errorf("bob's own: %+v", got)
	}
	bob.head(t)
	if got := s.get("/user/alice/x"); got.status != 503 {
		t.Errorf("through the link: %+v", got)
	}
	if res := s.raw(handshake("/user/alice/ws")); res.StatusCode != 503 {
		t.Errorf("a WebSocket through the link: %s", res.Status)
	}
	if len(bob.heads) > 0 {
		t.Error("bob's server heard of it")
	}
}

// A socket whose queue is full is a crowd, not an absence.
func TestFullSocketsAreWaitedFor(t *testing.T) {
	s := newStage(t, Options{})
	l := listen(t, "unix", filepath.Join(shortDir(t), "s"))
	fillQueue(t, l)
	s.alice(unixTarget(l.Addr().String()))
	got := make(chan reply)
	go func() { got <- s.get("/user/alice/") }()
	go http.Serve(l, http.HandlerFunc(hello))
	if r := <-got; r.status != 200 {
		t.Errorf("%d", r.status)
	}
}

// fillQueue connects until the listener's queue takes no more.
func fillQueue(t *testing.T, l net.Listener) {
	t.Helper()
	raw, err := l.(*net.UnixListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { shrinkQueue(int(fd)) })
	for {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
}

// Two routes with targets below one program: the target's own path goes in front.
func TestTargetsWithPaths(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.route("/services/x", up.URL+"/pre%2F/?k=v", `"service": "x"`)
	for target, want := range map[string]string{"/services/x/a%2F?q": "/pre%2F/services/x/a%2F?k=v&q", "/services/x": "/pre%2F/services/x?k=v"} {
		s.get(target)
		if got := up.head(t)[0]; got != "GET "+want+" HTTP/1.1" {
			t.Errorf("%s arrives as %q", target, got)
		}
	}
}

func TestHostRoutingAtTheDoor(t *testing.T) {
	s, alice, rest := newStage(t, Options{HostRouting: true}), newServer(t, hello), newServer(t, hello)
	s.route("/", rest.URL, `"hub": true`)
	s.route("/alice.hub.example/user/alice", alice.URL, `"user": "alice"`)
	s.get("/user/alice/", "Host: Alice.Hub.Example:8000")
	if got := alice.head(t); got[0] != "GET /user/alice/ HTTP/1.1" || field(got, "Host")[0] != "Alice.Hub.Example:8000" {
		t.Errorf("%q", got)
	}
	s.get("/user/alice/", "Host: bob.hub.example")
	rest.head(t)
}

// certificate writes a new self-signed certificate, for localhost or for the names given, and returns its files and a client
// that trusts it alone.
func certificate(t *testing.T, dir string, names ...string) (Certificate, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	if names == nil {
		names = []string{"localhost"}
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := Certificate{Chain: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	write(t, c.Chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, c.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return c, &tls.Config{RootCAs: pool, ServerName: names[0]}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// over is a client of the public door over TLS.
func (s *stage) over(config *tls.Config, h2 bool) *http.Client {
	tr := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: h2, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	}}
	if !h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// D11: browsers get HTTP/2, WebSockets HTTP/1.1, servers HTTP/1.1 in any case, and everybody is told https.
func TestD11TLS(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if wantsWebSocket(r) {
			echo(w, r)
			return
		}
		io.Copy(w, r.Body)
	})
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{true, false} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://localhost/user/alice/%2F//x?a;b", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Add("Cookie", "a=1")
		r.Header.Add("Cookie", "jupyterhub-hub-login=x; b=2")
		res, err := s.over(config, h2).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		head := up.head(t)
		if got := readReply(t, res); got.body != "body" || (res.ProtoMajor == 2) != h2 {
			t.Errorf("h2 %v: %s %+v", h2, res.Proto, got)
		}
		if strings.TrimPrefix(head[0], "body") != "POST /user/alice/%2F//x?a;b HTTP/1.1" || field(head, "X-Forwarded-Proto")[0] != "https" || field(head, "X-Forwarded-Port")[0] != "443" ||
			field(head, "Cookie")[0] != "a=1; b=2" || field(head, "Host")[0] != "localhost" {
			t.Errorf("h2 %v: arrives as %q", h2, head)
		}
	}
	c, _, err := websocket.Dial(t.Context(), "wss://localhost/user/alice/ws", &websocket.DialOptions{HTTPClient: s.over(config, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	says(t, c, "hello")
	if got := field(up.head(t), "X-Forwarded-Proto")[0]; got != "https" {
		t.Errorf("a WebSocket is told %s", got)
	}
}

// Over HTTP/2 nothing passes that HTTP/1 refuses.
func TestD11HTTP2IsNoWayAround(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*http.Request){
		"dots":               func(r *http.Request) { r.URL.Path = "/user/alice/../bob" },
		"encoded dots":       func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/user/alice/../bob", "/user/alice/%2e%2e/bob" },
		"space in the query": func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1" },
		"host with a path":   func(r *http.Request) { r.Host = "h/user/bob" },
		"host with a user":   func(r *http.Request) { r.Host = "u@h" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://localhost/user/alice/", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		res, err := s.over(config, true).Do(r)
		if err != nil {
			continue // net/http's client or server has refused it
		}
		if got := readReply(t, res); got.status != 400 || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %+v", name, res.Proto, got)
		}
	}
	if len(up.heads) > 0 {
		t.Errorf("it went upstream: %q", up.head(t))
	}
}

// TLS is 1.2 or later, and a plain request at its port is told so.
func TestTLSRefusesTheOldAndThePlain(t *testing.T) {
	s := newStage(t, Options{})
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if c, err := tls.Dial("tcp", s.addr, old); err == nil {
		t.Errorf("TLS %x is spoken", c.ConnectionState().Version)
	}
	if res := s.raw("GET / HTTP/1.1\r\nHost: h\r\n\r\n"); res.StatusCode != 400 {
		t.Errorf("a plain request: %s", res.Status)
	}
}

// A new certificate is taken over while everything goes on; a broken one changes nothing.
func TestCertificatesAreReplacedWithoutADrop(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, echo)
	s.alice(up.URL)
	dir := t.TempDir()
	cert, before := certificate(t, dir)
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := websocket.Dial(t.Context(), "wss://localhost/user/alice/ws", &websocket.DialOptions{HTTPClient: s.over(before, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()

	write(t, cert.Key, []byte("nonsense"))
	if s.p.Check(Settings{TLS: TLS{Certificates: []Certificate{cert}}}) == nil || s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}) == nil {
		t.Error("a broken key is taken")
	}
	if err := shake(s.addr, before); err != nil {
		t.Errorf("the old certificate is gone: %v", err)
	}
	_, after := certificate(t, dir)
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	if err := shake(s.addr, after); err != nil {
		t.Errorf("the new certificate is not served: %v", err)
	}
	says(t, c, "still there")
}

// shake does a handshake and leaves.
func shake(addr string, config *tls.Config) error {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err
	}
	return c.Close()
}

// A client that begins a handshake and falls silent holds nobody up.
func TestSlowHandshakesHoldNobodyUp(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		io.WriteString(s.dial(), "\x16\x03\x01")
	}
	if res, err := s.over(config, true).Get("https://localhost/user/alice/"); err != nil || res.StatusCode != 200 {
		t.Error(res, err)
	}
}
