package compat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

// configurable-http-proxy's command, and ours under its name.
const chpName = "configurable-http-proxy"

// realCHP is the command of the real configurable-http-proxy 5.3.0, from npm; test/bench/references fetches it.
func realCHP(t *testing.T) []string {
	t.Helper()
	leftOut(t)
	program := filepath.Join(testbed.Environment("bench"), "chp/node_modules/.bin", chpName)
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Skipf("%v: test/bench/references chp fetches the real one, for which Node 20 has to be there", err)
	}
	return []string{node, program}
}

// ourCHP builds our proxy under that name.
func ourCHP(t *testing.T) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), chpName)
	if out, err := exec.Command("go", "build", "-o", program, "jupyterhubd/cmd/jupyterhub-proxy").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{program}
}

// peer is a proxy with the command line and API of configurable-http-proxy, at work. Its API is a Unix socket.
type peer struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	public string // address
	said   *spoken
	api    *http.Client
	up     *upstream
	ended  chan struct{}
	limit  time.Duration // for an answer that may never come
}

const peerToken = "between-hub-and-proxy"

// startPeer starts a proxy at a port that is free. DIR and UP in its arguments are a directory of its own and its upstream's address.
// The port can be gone before it is taken: then another one is.
func startPeer(t *testing.T, command []string, args ...string) *peer {
	t.Helper()
	for range 5 {
		if p := tryPeer(t, command, args); p != nil {
			return p
		}
	}
	t.Fatalf("%s did not find a port", command)
	return nil
}

func tryPeer(t *testing.T, command []string, args []string) *peer {
	t.Helper()
	dir, err := os.MkdirTemp("", "chp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	free := listen(t)
	p := &peer{t: t, dir: dir, public: free.Addr().String(), said: new(spoken), up: newUpstream(t), ended: make(chan struct{}), limit: answerLimit}
	free.Close()
	_, port, _ := net.SplitHostPort(p.public)
	all := append(command[1:len(command):len(command)], "--ip=127.0.0.1", "--port", port, "--api-socket", dir+"/api")
	for _, arg := range args {
		all = append(all, strings.NewReplacer("DIR", dir, "UP", p.up.addr).Replace(arg))
	}
	p.cmd = exec.Command(command[0], all...)
	p.cmd.Env = append(os.Environ(), "CONFIGPROXY_AUTH_TOKEN="+peerToken)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.api = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", dir+"/api")
	}}}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", command, p.said)
		}
	})
	if p.awaitDoors() {
		return p
	}
	return nil
}

// awaitDoors waits until both doors are open, and reports whether the public one is this program's.
func (p *peer) awaitDoors() bool {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for {
		res, err := http.Get("http://" + p.public + "/_chp_healthz")
		if err == nil {
			res.Body.Close()
			if c, err := net.Dial("unix", p.dir+"/api"); err == nil {
				c.Close()
				return !strings.Contains(p.said.String(), "EADDRINUSE")
			}
		}
		select {
		case <-look.C:
		case <-p.ended:
			return false
		case <-deadline:
			p.t.Fatalf("no doors after a minute:\n%s", p.said)
		}
	}
}

// call uses the API and tells the answer as "STATUS BODY".
func (p *peer) call(method, path, body string) string {
	p.t.Helper()
	return p.callAs("token "+peerToken, method, path, body)
}

// Limits for an answer: one that is expected, and one that is known not to come.
const (
	answerLimit  = 20 * time.Second
	silenceLimit = 500 * time.Millisecond
)

func (p *peer) callAs(who, method, path, body string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), p.limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://api"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", who)
	res, err := p.api.Do(r)
	if err != nil {
		return "no answer"
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", string(text)))
}

// status is call's answer without the body.
func (p *peer) status(method, path, body string) string {
	p.t.Helper()
	status, _, _ := strings.Cut(p.call(method, path, body), " ")
	return status
}

// route leads a path to the upstream.
func (p *peer) route(path string) {
	p.t.Helper()
	p.routeTo(path, "http://"+p.up.addr)
}

func (p *peer) routeTo(path, target string) {
	p.t.Helper()
	if got := p.call("POST", "/api/routes"+path, fmt.Sprintf(`{"target": %q}`, target)); got != "201" {
		p.t.Fatalf("POST %s: %s", path, got)
	}
}

// active returns a route's last activity.
func (p *peer) active(path string) time.Time {
	p.t.Helper()
	var all map[string]struct {
		At time.Time `json:"last_activity"`
	}
	_, body, _ := strings.Cut(p.call("GET", "/api/routes", ""), " ")
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		p.t.Fatalf("%v: %s", err, body)
	}
	return all[path].At
}

// say sends bytes over a new connection to the public door and returns the answer: "STATUS BODY". The answer to what was sent
// in one go can be a refusal, so the connection is not looked at for more.
func (p *peer) say(text string) string {
	p.t.Helper()
	res, body := p.hear(text)
	if res == nil {
		return body
	}
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", body))
}

func (p *peer) hear(text string) (*http.Response, string) {
	p.t.Helper()
	c, err := net.Dial("tcp", p.public)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(p.limit))
	io.WriteString(c, text)
	method, _, _ := strings.Cut(text, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return nil, "no answer"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, "an answer that does not end"
	case err != nil:
		return nil, "an answer that is cut"
	}
	return res, string(body)
}

// get asks for a path with more header lines, and returns only the status.
func (p *peer) get(path string, header ...string) string {
	p.t.Helper()
	status, _, _ := strings.Cut(p.say(request("GET", path, header...)), " ")
	return status
}

// request is a request of HTTP/1.1 without a body.
func request(method, path string, header ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: hub.example\r\n%s\r\n", method, path, strings.Join(append(header, ""), "\r\n"))
}

// seen asks for a path and returns what the upstream was asked: its request line, or the status when it was not asked.
func (p *peer) seen(path string, header ...string) string {
	p.t.Helper()
	status := p.get(path, header...)
	if head := p.up.last(); head != "" {
		line, _, _ := strings.Cut(head, "\r\n")
		return strings.TrimSuffix(line, " HTTP/1.1")
	}
	return status
}

// upstream is an upstream that keeps the heads it was sent, byte by byte, and answers by the path.
type upstream struct {
	addr string

	mu    sync.Mutex // guards heads
	heads []string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	l := listen(t)
	w := &upstream{addr: l.Addr().String()}
	server := &http.Server{Handler: w}
	go server.Serve(recorder{l, w})
	t.Cleanup(func() { server.Close() })
	return w
}

// last returns the head of the last request since it was last asked, or "".
func (w *upstream) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.heads) == 0 {
		return ""
	}
	head := w.heads[len(w.heads)-1]
	w.heads = nil
	return head
}

// field returns the values of a header in the last request, sorted out of it.
func field(head, name string) string {
	var values []string
	for _, line := range strings.Split(head, "\r\n")[1:] {
		if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(k, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return strings.Join(values, " | ")
}

// ServeHTTP answers by the last part of the path.
func (w *upstream) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch filepath.Base(r.URL.Path) {
	case "redirect":
		rw.Header().Set("Location", "http://"+w.addr+"/there")
		rw.WriteHeader(http.StatusFound)
	case "missing":
		io.Copy(io.Discard, r.Body)
		http.Error(rw, "missing", http.StatusNotFound)
	case "dies":
		rw.Header().Set("Content-Length", "100")
		io.WriteString(rw, "half of it")
		http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	case "silent":
		<-r.Context().Done()
	case "echo", "talks", "refuses":
		w.websocket(rw, r)
	case "404", "503":
		fmt.Fprintf(rw, "page for %s", r.URL.RequestURI())
	default:
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "hello %s", body)
	}
}

// websocket speaks in bytes: a proxy does not look at them.
func (w *upstream) websocket(rw http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "refuses") || r.Header.Get("Upgrade") == "" {
		http.Error(rw, "no", http.StatusForbidden)
		return
	}
	c, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if strings.HasSuffix(r.URL.Path, "talks") {
		io.WriteString(c, "\x81\x02hi")
	}
	io.Copy(c, buffered)
}

// recorder is a listener whose connections keep what they read up to the end of each head.
type recorder struct {
	net.Listener
	to *upstream
}

func (r recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recorded{Conn: c, to: r.to}, nil
}

type recorded struct {
	net.Conn
	to  *upstream
	got bytes.Buffer
}

func (c *recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.got.Write(p[:n])
	if end := bytes.Index(c.got.Bytes(), []byte("\r\n\r\n")); end >= 0 {
		c.to.mu.Lock()
		c.to.heads = append(c.to.heads, string(c.got.Next(end)))
		c.to.mu.Unlock()
		c.got.Reset()
	}
	return n, err
}
