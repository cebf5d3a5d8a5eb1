package system

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"jupyterhubd/test/testbed"
)

// loaded is a proxy at work in a bed, with a server behind it that is this very program, and visitors who notice everything.
type loaded struct {
	*stage
	tls *tls.Config // nil: plain

	visitors sync.WaitGroup
	done     atomic.Int64 // requests answered
	mu       sync.Mutex   // guards failures
	failures []string
}

const loadPath = "/load/"

// load puts an echoing server behind the proxy, at a path of its own.
func (s *stage) load(config *tls.Config) *loaded {
	s.t.Helper()
	l := &loaded{stage: s, tls: config}
	const socket = "/run/play-load.sock"
	at := s.Path(socket)
	os.Remove(at)
	listener, err := net.Listen("unix", at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.Remove(at) })
	if err := os.Chmod(at, 0o666); err != nil {
		s.t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(echoing)}}
	server.Start()
	s.t.Cleanup(server.Close)
	s.table("POST", "routes"+loadPath, `{"target": "http+unix://`+strings.ReplaceAll(socket, "/", "%2F")+`"}`)
	s.t.Cleanup(func() { s.table("DELETE", "routes"+loadPath, "") })
	return l
}

// table asks the proxy's API as root, and returns the answer. What is put there is none of the hub's, which leaves it alone.
func (s *stage) table(method, call, body string) string {
	s.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.Dial(ctx, "unix", "/run/jupyterhub-proxy/api.sock")
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(context.WithoutCancel(s.ctx), method, "http://proxy"+path.Join("/api", call), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		s.t.Errorf("%s %s: %s %s, %v", method, call, answer.Status, text, err)
	}
	return string(text)
}

// echoing answers a request with its body, and a WebSocket's messages with themselves.
func echoing(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.Copy(w, r.Body) // whoever asked sees what is missing
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, text, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, text) != nil {
			return
		}
	}
}

// dial connects to the proxy's door.
func (l *loaded) dial(ctx context.Context) (net.Conn, error) {
	c, err := l.Dial(ctx, "tcp", strings.TrimSuffix(strings.TrimPrefix(testbed.URL, "http://"), "/"))
	if err != nil || l.tls == nil {
		return c, err
	}
	secure := tls.Client(c, l.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("shake hands: %w", err)
	}
	return secure, nil
}

func (l *loaded) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err.Error())
}

// visit lets n visitors post without a pause, each over one connection as long as that is not ended by the answer. They repeat
// nothing: whatever goes wrong counts. The returned function ends them and judges.
func (l *loaded) visit(n int) (end func()) {
	ctx, stop := context.WithCancel(l.ctx)
	for range n {
		l.visitors.Go(func() { l.visitor(ctx) })
	}
	return func() {
		l.t.Helper()
		stop()
		l.visitors.Wait()
		if len(l.failures) > 0 {
			l.t.Errorf("%d of %d requests failed, the first: %s", len(l.failures), l.done.Load(), l.failures[0])
		}
	}
}

func (l *loaded) visitor(ctx context.Context) {
	const body = "hello, are you still there?"
	request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", loadPath, len(body), body)
	for ctx.Err() == nil {
		c, err := l.dial(context.WithoutCancel(ctx))
		if err != nil {
			l.failed(err)
			continue
		}
		br := bufio.NewReader(c)
		for goOn := true; goOn && ctx.Err() == nil; {
			if goOn, err = post(c, br, request, body); err != nil {
				l.failed(err)
				break
			}
			l.done.Add(1)
		}
		c.Close()
	}
}

func post(c net.Conn, br *bufio.Reader, request, body string) (goOn bool, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	if _, err := io.WriteString(c, request); err != nil {
		return false, err
	}
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || string(got) != body) {
		err = fmt.Errorf("%s: %s", answer.Status, got)
	}
	return !answer.Close, err
}

// more waits until visitors have had many more answers.
func (l *loaded) more() {
	l.t.Helper()
	from := l.done.Load()
	l.eventually("the visitors are answered", func() bool { return l.done.Load() > from+500 })
}

// open opens n WebSockets.
func (l *loaded) open(n int, header http.Header) []*websocket.Conn {
	l.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) }}
	l.t.Cleanup(transport.CloseIdleConnections)
	all := make([]*websocket.Conn, n)
	for i := range all {
		c, _, err := websocket.Dial(l.ctx, "ws://localhost"+loadPath+"ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header})
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { c.CloseNow() })
		all[i] = c
	}
	return all
}

// alive lets something be said and answered over every WebSocket.
func (l *loaded) alive(all []*websocket.Conn) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	dropped := 0
	var first error
	for i, c := range all {
		text := fmt.Sprint("message ", i)
		err := c.Write(ctx, websocket.MessageText, []byte(text))
		var got []byte
		if err == nil {
			_, got, err = c.Read(ctx)
		}
		if err != nil || string(got) != text {
			dropped++
			first = errors.Join(first, err)
		}
	}
	if dropped > 0 {
		l.t.Errorf("%d of %d WebSockets are gone: %v", dropped, len(all), first)
	}
}

// closed waits until every WebSocket has been closed with a code.
func (l *loaded) closed(all []*websocket.Conn, code websocket.StatusCode) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	for _, c := range all {
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != code {
			l.t.Errorf("a WebSocket ends with %v, not with %d", err, code)
			return
		}
	}
}

// release reads how many of a measure's things there shall be; a release is looked at with more.
func release(few, many int) int {
	if os.Getenv("RELEASE") != "" {
		return many
	}
	return few
}
