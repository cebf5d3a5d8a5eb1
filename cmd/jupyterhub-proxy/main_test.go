package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/proxy/client"
)

// The test binary is the program, when it is told so.
const asProgram = "TEST_AS_JUPYTERHUB_PROXY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// house is where a program runs: its doors, which outlive it as systemd's do, its configuration and its state.
type house struct {
	t         *testing.T
	dir       string
	http, api *os.File
	public    string
	client    *client.Client
	notified  *net.UnixConn
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "jhm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{t: t, dir: dir, client: client.New(filepath.Join(dir, "api"), "secret")}
	h.http, h.public = h.door("tcp", "127.0.0.1:0")
	h.api, _ = h.door("unix", filepath.Join(dir, "api"))
	h.notified, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.notified.Close() })
	h.configure("")
	return h
}

func (h *house) door(network, addr string) (*os.File, string) {
	h.t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Close()
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

func (h *house) configure(toml string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "jupyterhub.toml"), []byte(toml), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// program is one life of the program.
type program struct {
	*exec.Cmd
	said *strings.Builder
}

// start starts the program as systemd does.
func (h *house) start(args ...string) *program {
	h.t.Helper()
	args = append([]string{"-c", `export LISTEN_PID=$$; exec "$0" "$@"`, os.Args[0], "--config", h.dir, "--state-file", filepath.Join(h.dir, "routes.json")}, args...)
	p := &program{exec.CommandContext(h.t.Context(), "/bin/sh", args...), &strings.Builder{}}
	p.Env = append(os.Environ(), asProgram+"=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:api", "NOTIFY_SOCKET="+filepath.Join(h.dir, "notify"), tokenVariable+"=secret")
	p.ExtraFiles = []*os.File{h.http, h.api}
	p.Stderr = p.said
	if err := p.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	return p
}

// await waits until the program has told systemd something.
func (h *house) await(word string) {
	h.t.Helper()
	h.notified.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		n, err := h.notified.Read(buf)
		if err != nil {
			h.t.Fatalf("waiting for %s: %v", word, err)
		}
		if strings.Contains(string(buf[:n]), word) {
			return
		}
	}
}

func (h *house) get(path string) string {
	h.t.Helper()
	res, err := http.Get("http://" + h.public + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

func (h *house) route(to *httptest.Server) {
	h.t.Helper()
	err := h.client.Add(h.t.Context(), hub.Route{Spec: "/user/alice/", Target: to.URL, UID: hub.NoUID, Server: hub.ServerRef{User: "alice"}})
	if err != nil {
		h.t.Fatal(err)
	}
}

// The table outlives kill -9, and no connection is refused in between: the door is systemd's.
func TestKilledAndStartedAgain(t *testing.T) {
	alice := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }))
	defer alice.Close()
	h := newHouse(t)
	p := h.start("--default-target", alice.URL)
	h.await("READY=1")
	h.route(alice)
	if got := h.get("/user/alice/x"); got != "200 /user/alice/x" {
		t.Fatal(got)
	}
	p.Process.Signal(syscall.SIGKILL)
	p.Wait()

	early := make(chan string)
	go func() { early <- h.get("/user/alice/y") }()
	h.start("--default-target", "")
	h.await("READY=1")
	if got := <-early; got != "200 /user/alice/y" {
		t.Error(got)
	}
	if got := h.get("/nowhere"); !strings.HasPrefix(got, "404 ") {
		t.Error(got)
	}
}

// SIGTERM ends in order, with status 0.
func TestEndsInOrder(t *testing.T) {
	h := newHouse(t)
	p := h.start()
	h.await("READY=1")
	p.Process.Signal(syscall.SIGTERM)
	h.await("STOPPING=1")
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.said)
	}
}

// A reload takes over what is good, and refuses what is not, saying where.
func TestReload(t *testing.T) {
	h := newHouse(t)
	p := h.start()
	h.await("READY=1")
	h.configure("[proxy]\ntrusted_proxies = [\"10.0.0.0/8\"]\n")
	for _, check := range []bool{true, false} {
		if got, err := h.client.Reload(t.Context(), check); err != nil || len(got) != 1 || !strings.Contains(got[0], "proxy.trusted_proxies") {
			t.Errorf("check %v: %q, %v", check, got, err)
		}
	}
	if got, err := h.client.Reload(t.Context(), false); err != nil || len(got) != 0 {
		t.Errorf("again: %q, %v", got, err)
	}
	h.configure("[proxy]\ntls_certificate = \"/nonexistent/cert.pem\"\ntls_key = \"/nonexistent/key.pem\"\n")
	if _, err := h.client.Reload(t.Context(), true); hub.KindOf(err) != hub.Invalid || !strings.Contains(err.Error(), "jupyterhub.toml:2: proxy.tls_certificate: ") {
		t.Errorf("no certificate: %v", err)
	}
	h.configure("[proxy]\ntrusted_proxies = [\"everyone\"]\nnonsense = 1\n")
	if _, err := h.client.Reload(t.Context(), false); hub.KindOf(err) != hub.Invalid || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two mistakes: %v", err)
	}
	p.Process.Signal(syscall.SIGHUP)
	h.await("RELOADING=1")
	h.await("READY=1")
	if got := h.get("/_chp_healthz"); got != `200 {"status":"OK"}` {
		t.Error(got)
	}
}

// A start with a mistake ends with a sentence.
func TestMistakesEndTheStart(t *testing.T) {
	for name, c := range map[string]struct{ toml, want string }{
		"configuration": {"[proxy]\nnonsense = 1\n", "nonsense"},
		"certificate":   {"[proxy]\ntls_certificate = \"/nonexistent/c\"\ntls_key = \"/nonexistent/k\"\n", "has to be able to read both files"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.configure(c.toml)
			p := h.start()
			if err := p.Wait(); p.ProcessState.ExitCode() != 1 || !strings.Contains(p.said.String(), c.want) {
				t.Errorf("%v\n%s", err, p.said)
			}
		})
	}
}

// On TCP the API wants a token, since every local user can knock there.
func TestTheAPIOnTCPWantsAToken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := peers(t.Context(), l, ""); err == nil || !strings.Contains(err.Error(), tokenVariable) {
		t.Errorf("got %v", err)
	}
	if who, err := peers(t.Context(), l, "secret"); err != nil || who != nil {
		t.Errorf("with a token: %v, %v", who, err)
	}
}
