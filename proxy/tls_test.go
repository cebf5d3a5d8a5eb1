package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"
	"golang.org/x/net/http2"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(s string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), s)
}

// A certificate that certbot has renewed, by turning a link to another directory, is served without anybody being told; one
// that does not fit its key, as it is between two renames, is told of once and changes nothing.
func TestRenewedCertificatesAreFound(t *testing.T) {
	at, log := &clock{now: time.Now()}, &journal{}
	s, up := newStage(t, Options{Now: at.Now, Log: zerolog.New(log)}), newServer(t, echo)
	s.alice(up.URL)
	top, live := t.TempDir(), filepath.Join(t.TempDir(), "live")
	renew := func(name string) *tls.Config {
		dir := filepath.Join(top, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.RemoveAll(live+".new"), os.Symlink(dir, live+".new")); err != nil {
			t.Fatal(err)
		}
		_, config := certificate(t, dir)
		if err := os.Rename(live+".new", live); err != nil {
			t.Fatal(err)
		}
		return config
	}
	first := renew("first")
	cert := Certificate{Chain: filepath.Join(live, "cert.pem"), Key: filepath.Join(live, "key.pem")}
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := websocket.Dial(t.Context(), "wss://localhost/user/alice/ws", &websocket.DialOptions{HTTPClient: s.over(first, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()

	second := renew("second")
	at.pass(freshFor)
	if err := shake(s.addr, second); err != nil {
		t.Errorf("the new certificate is not served: %v", err)
	}
	write(t, cert.Key, []byte("nonsense"))
	for range 3 {
		at.pass(freshFor)
		if err := shake(s.addr, second); err != nil {
			t.Errorf("a broken key closes the door: %v", err)
		}
	}
	if n := log.count("is no good"); n != 1 {
		t.Errorf("the broken key is told of %d times", n)
	}
	third := renew("third")
	at.pass(freshFor)
	if err := shake(s.addr, third); err != nil {
		t.Errorf("after a broken key nothing is taken any more: %v", err)
	}
	says(t, c, "still there")
}

// Which certificate a browser gets, the name decides that it asks for; without one, or with a foreign one, it is the first.
func TestNamesChooseTheCertificate(t *testing.T) {
	s := newStage(t, Options{})
	var set TLS
	clients := map[string]*tls.Config{}
	for _, name := range []string{"hub.example", "lab.example"} {
		cert, config := certificate(t, t.TempDir(), name)
		set.Certificates, clients[name] = append(set.Certificates, cert), config
	}
	if err := s.p.Apply(Settings{TLS: set}); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"hub.example": "hub.example", "lab.example": "lab.example", "else.example": "hub.example", "": "hub.example"} {
		config := clients[want].Clone()
		config.ServerName, config.InsecureSkipVerify = asked, true
		c, err := tls.Dial("tcp", s.addr, config)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != want {
			t.Errorf("asked for %q it shows %s", asked, got)
		}
		c.Close()
	}
	if s.p.Check(Settings{TLS: TLS{Certificates: append(set.Certificates, Certificate{Chain: "/nowhere", Key: "/nowhere"})}}) == nil {
		t.Error("one of three is missing, and nobody is told")
	}
}

// Beside https, a plain port sends browsers there with the path that they asked for, and serves nothing.
func TestThePlainPortRedirects(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	cert, config := certificate(t, t.TempDir())
	tlsAt := s.second()
	port := tcpPort(addrOfListener(t, s.addr))
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}, RedirectPort: port, RedirectTo: 8443, HSTS: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"hub.example":      "https://hub.example:8443/user/alice/%2F//x?a=b",
		"hub.example:8000": "https://hub.example:8443/user/alice/%2F//x?a=b",
		"[::1]:80":         "https://[::1]:8443/user/alice/%2F//x?a=b",
	} {
		got := s.ask("POST /user/alice/%2F//x?a=b HTTP/1.1", "Host: "+host, "Content-Length: 0")
		if got.status != 308 || got.header.Get("Location") != want || got.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %d %v", host, got.status, got.header)
		}
	}
	for _, bad := range []string{"Host: evil@hub", "Host: a/b"} {
		if got := s.ask("GET / HTTP/1.1", bad); got.status != 400 {
			t.Errorf("%s: %d %v", bad, got.status, got.header)
		}
	}
	if len(up.heads) > 0 {
		t.Errorf("a plain request went upstream: %q", up.head(t))
	}
	s.addr = tlsAt
	res, err := s.over(config, true).Get("https://localhost/user/alice/")
	if err != nil {
		t.Fatal(err)
	}
	if got := readReply(t, res); got.status != 200 || got.header.Get("Strict-Transport-Security") != "max-age=3600" {
		t.Errorf("over https: %d %v", got.status, got.header)
	}
}

// second serves the world on a second address, as with another ListenStream=.
func (s *stage) second() string {
	l := listen(s.t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.p.Serve(ctx, l) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	return l.Addr().String()
}

func addrOfListener(t *testing.T, addr string) net.Addr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Plain HTTP has no port that redirects, whatever the settings say: it would lead nowhere.
func TestWithoutTLSNothingRedirects(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	if err := s.p.Apply(Settings{TLS: TLS{RedirectPort: tcpPort(addrOfListener(t, s.addr)), HSTS: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	if got := s.get("/user/alice/"); got.status != 200 || got.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// WebSockets over HTTP/2 (RFC 8441) are not offered, so browsers open a connection of HTTP/1.1 for each.
func TestExtendedConnectIsNotOffered(t *testing.T) {
	s := newStage(t, Options{})
	cert, config := certificate(t, t.TempDir())
	if err := s.p.Apply(Settings{TLS: TLS{Certificates: []Certificate{cert}}}); err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a hang is a failure
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("it begins with %v", frame)
	}
	if v, there := settings.Value(http2.SettingEnableConnectProtocol); there && v != 0 {
		t.Error("extended CONNECT is offered")
	}
}

// An issuer serves what it has and nothing else: a name that it was not told of, or has got nothing for yet, is left to the files.
func TestHandshakesDoNotWaitForAnAuthority(t *testing.T) {
	asked := make(chan struct{}, 10)
	authority := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := newStage(t, Options{})
	cert, config := certificate(t, t.TempDir())
	set := TLS{Certificates: []Certificate{cert}, ACME: ACME{Domains: []string{"hub.example"}, Directory: authority.URL, Cache: t.TempDir()}}
	if err := s.p.Apply(Settings{TLS: set}); err != nil {
		t.Fatal(err)
	}
	config.InsecureSkipVerify = true
	for _, name := range []string{"hub.example", "evil.example", ""} {
		config.ServerName = name
		if err := shake(s.addr, config); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if len(asked) > 0 {
		t.Error("a handshake asks the authority")
	}
}
