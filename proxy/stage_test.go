package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// stage is a proxy at work: its public door on TCP, its API on a Unix socket whose peer, the test itself, may use it.
type stage struct {
	t    *testing.T
	p    *Proxy
	addr string // of the public door
	api  *http.Client
	stop func() error // stops serving and returns what Serve said

	public, private net.Listener
}

func newStage(t *testing.T, o Options) *stage {
	t.Helper()
	if o.APIPeers == nil {
		o.APIPeers = []int64{int64(os.Getuid())}
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Millisecond
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, p: p}
	s.serve()
	return s
}

func (s *stage) serve() {
	s.t.Helper()
	public := listen(s.t, "tcp", "127.0.0.1:0")
	sock := filepath.Join(shortDir(s.t), "api")
	s.serveAt(public, listen(s.t, "unix", sock))
}

// serveAt serves at listeners that are there.
func (s *stage) serveAt(public, private net.Listener) {
	s.t.Helper()
	s.public, s.private = public, private
	sock := private.Addr().String()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 2)
	go func() { ended <- s.p.Serve(ctx, public) }()
	go func() { ended <- s.p.ServeAPI(ctx, private) }()
	s.addr = public.Addr().String()
	s.api = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sock)
	}}}
	s.stop = sync.OnceValue(func() error {
		cancel()
		s.api.CloseIdleConnections()
		first, second := <-ended, <-ended
		if first != nil {
			return first
		}
		return second
	})
	s.t.Cleanup(func() {
		if err := s.stop(); err != nil {
			s.t.Errorf("serving ended with %v", err)
		}
	})
}

func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// shortDir is a directory whose path leaves room for a socket's name: t.TempDir can be too long for sun_path.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jhp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// route adds a route as the hub does: through the API.
func (s *stage) route(path, target, data string) {
	s.t.Helper()
	if data != "" {
		data = "," + data
	}
	if got := s.call("POST", "/api/routes"+path, fmt.Sprintf(`{"target": %q%s}`, target, data)); got.status != 201 {
		s.t.Fatalf("POST %s: %d %s", path, got.status, got.body)
	}
}

func (s *stage) alice(target string) {
	s.t.Helper()
	s.route("/user/alice", target, `"user": "alice", "server_name": ""`)
}

type reply struct {
	status int
	header http.Header
	body   string
}

// call uses the API.
func (s *stage) call(method, path, body string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://api"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.api.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return readReply(s.t, res)
}

func readReply(t *testing.T, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(body)}
}

// get asks the public door, as a browser without a memory: no redirects followed, one connection a request.
func (s *stage) get(path string, header ...string) reply {
	s.t.Helper()
	return s.ask("GET "+path+" HTTP/1.1", append(header, "Connection: close")...)
}

// ask sends a request line and header lines as they are, and returns the answer.
func (s *stage) ask(line string, header ...string) reply {
	s.t.Helper()
	head := line + "\r\n"
	if !hasHost(header) {
		header = append(header, "Host: hub.example")
	}
	res := s.raw(head + strings.Join(header, "\r\n") + "\r\n\r\n")
	return readReply(s.t, res)
}

func hasHost(header []string) bool {
	for _, h := range header {
		if strings.HasPrefix(strings.ToLower(h), "host:") {
			return true
		}
	}
	return false
}

// raw sends bytes over a new connection and reads one answer.
func (s *stage) raw(bytes string) *http.Response {
	s.t.Helper()
	c := s.dial()
	if _, err := io.WriteString(c, bytes); err != nil {
		s.t.Fatal(err)
	}
	method, _, _ := strings.Cut(bytes, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

func (s *stage) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a hang is a failure, not a wait
	return c
}

// server is a user's server that tells what it was asked.
type server struct {
	*httptest.Server
	heads chan string // raw heads, as they came over the wire
}

// newServer starts an upstream that records heads and answers with h.
func newServer(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	return serverOn(t, listen(t, "tcp", "127.0.0.1:0"), h)
}

func serverOn(t *testing.T, l net.Listener, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{heads: make(chan string, 100)}
	s.Server = &httptest.Server{Listener: recording{l, s.heads}, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// unixServer is a server on a Unix socket, with the target that leads there.
func unixServer(t *testing.T, h http.HandlerFunc) (*server, string) {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	return serverOn(t, listen(t, "unix", path), h), unixTarget(path)
}

func unixTarget(path string) string { return "http+unix://" + url.PathEscape(path) }

// head returns the next request's head as it was sent, line by line.
func (s *server) head(t *testing.T) []string {
	t.Helper()
	select {
	case h := <-s.heads:
		return strings.Split(strings.TrimSuffix(h, "\r\n\r\n"), "\r\n")
	case <-time.After(10 * time.Second):
		t.Fatal("the server was not asked")
		return nil
	}
}

// recording is a listener whose connections report the heads of requests.
type recording struct {
	net.Listener
	heads chan string
}

func (l recording) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: c, heads: l.heads}, nil
}

type recordedConn struct {
	net.Conn
	heads chan string
	seen  bytes.Buffer
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.Write(p[:n])
	if end := bytes.Index(c.seen.Bytes(), []byte("\r\n\r\n")); end >= 0 {
		select {
		case c.heads <- string(c.seen.Next(end + 4)):
		default:
		}
		c.seen.Reset()
	}
	return n, err
}

// field returns the values of a header in a recorded head.
func field(head []string, name string) []string {
	var values []string
	for _, line := range head[1:] {
		if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(k, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello from "+r.URL.Path) }

// data makes the data of a route.
func routeData(t *testing.T, s string) map[string]json.RawMessage {
	t.Helper()
	var d map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// eventually waits for a state that something else brings about and that cannot be awaited otherwise.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not so in time: %s", what)
		case <-tick.C:
		}
	}
}

type ctx = context.Context

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// fromAddr is a connection that says where it comes from.
func fromAddr(a string) net.Conn { return farConn{addr: &net.TCPAddr{IP: net.ParseIP(a)}} }

type farConn struct {
	net.Conn
	addr net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.addr }
func (c farConn) Close() error         { return nil }
