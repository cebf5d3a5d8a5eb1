package compat

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// JupyterHub brings the tests of how it uses its proxy. They pass with ours in its place. They have waits of their own that are
// short for a busy machine: what fails is asked once more.
func TestJupyterHubsOwnTestsOfItsProxy(t *testing.T) {
	t.Parallel()
	python := needs(t, "jupyterhub-6.1.1-tests", "python")
	args := []string{"-m", "pytest", "-q", "--last-failed", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=module",
		"-o", "asyncio_default_test_loop_scope=module", "-W", "ignore", "--pyargs", "jupyterhub.tests.test_proxy"}
	if !hasAddress(t) {
		args = append(args, "-k", "not bind_ip") // which asks for the address of this machine's name
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir, path := t.TempDir(), filepath.Dir(ourCHP(t)[0])+":"+filepath.Dir(python)+":/usr/bin:/bin"
	for again := false; ; again = true {
		cmd := exec.CommandContext(ctx, python, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+path, "HOME="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts hubs, proxies and servers
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		said, err := cmd.CombinedOutput()
		switch {
		case err == nil && strings.Contains(string(said), " passed"):
			return
		case again:
			t.Fatalf("%v\n%s", err, said)
		}
	}
}

func hasAddress(t *testing.T) bool {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		return false
	}
	addresses, err := net.DefaultResolver.LookupHost(t.Context(), name)
	return err == nil && len(addresses) > 0
}

// hubConfig is a JupyterHub that everybody may log in to, with our proxy, whose API is a Unix socket.
const hubConfig = `
c.JupyterHub.bind_url = "http://%s"
c.JupyterHub.hub_bind_url = "http://%s"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.db_url = "sqlite://"
c.Authenticator.allow_all = True
c.Spawner.args = ["--allow-root"]
c.SimpleLocalProcessSpawner.home_dir_template = "%[3]s/{username}"
c.ConfigurableHTTPProxy.command = ["%s"]
c.ConfigurableHTTPProxy.api_url = "http+unix://%s"
`

// The real JupyterHub starts our proxy as its own, and a user logs in through it, starts a server, and works with it.
func TestJupyterHubOnOurProxy(t *testing.T) {
	t.Parallel()
	program, proxy := needs(t, "singleuser-6.1.1", "jupyterhub"), ourCHP(t)[0]
	dir, err := os.MkdirTemp("", "jh") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	front, back := listen(t), listen(t)
	config := fmt.Sprintf(hubConfig, front.Addr(), back.Addr(), dir, proxy, url.PathEscape(dir+"/api"))
	if err := os.WriteFile(dir+"/config.py", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	front.Close()
	back.Close()
	cmd, said := exec.Command(program, "--config", dir+"/config.py"), new(spoken)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it stops its proxy and its servers
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("JupyterHub said:\n%s", said)
		}
	})
	v := &visitor{t: t, home: "http://" + front.Addr().String(), ended: ended}
	v.loginAndStart()
	v.work()
}

// visitor is a browser without a screen.
type visitor struct {
	t     *testing.T
	home  string
	jar   *cookiejar.Jar
	ended chan struct{} // the hub's end
}

// ask returns the status, the path where redirects led, and the body; 0 when there is no answer.
func (v *visitor) ask(method, path string, form url.Values) (status int, at, body string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.home+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := (&http.Client{Jar: v.jar}).Do(r)
	if err != nil {
		return 0, "", err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body) // what is cut is not what is looked for
	return res.StatusCode, res.Request.URL.Path, string(text)
}

// await asks for a path until it leads there with 200.
func (v *visitor) await(path, there string) string {
	v.t.Helper()
	look, deadline := time.NewTicker(100*time.Millisecond), time.After(2*time.Minute)
	defer look.Stop()
	for {
		status, at, body := v.ask(http.MethodGet, path, nil)
		if status == http.StatusOK && at == there {
			return body
		}
		select {
		case <-look.C:
		case <-v.ended:
			v.t.Fatal("JupyterHub ended")
		case <-deadline:
			v.t.Fatalf("%s leads to %s with %d: %.300s", path, at, status, body)
		}
	}
}

func (v *visitor) loginAndStart() {
	v.t.Helper()
	var err error
	if v.jar, err = cookiejar.New(nil); err != nil {
		v.t.Fatal(err)
	}
	v.await("/hub/login", "/hub/login")
	home, _ := url.Parse(v.home + "/hub/login")
	token := ""
	for _, c := range v.jar.Cookies(home) {
		if c.Name == "_xsrf" {
			token = c.Value
		}
	}
	if status, at, body := v.ask(http.MethodPost, "/hub/login?next=%2Fhub%2Fspawn", url.Values{"username": {"alice"}, "password": {"x"}, "_xsrf": {token}}); status != http.StatusOK || at == "/hub/login" {
		v.t.Fatalf("login: %d at %s: %.300s", status, at, body)
	}
}

// work asks for a page of the server, which sends through OAuth, and opens a WebSocket.
func (v *visitor) work() {
	v.t.Helper()
	if got := v.await("/user/alice/api", "/user/alice/api"); !strings.Contains(got, `"version"`) {
		v.t.Errorf("the server says %s", got)
	}
	v.await("/user/alice/lab", "/user/alice/lab")
	v.await("/user/alice/api/status", "/user/alice/api/status")
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(v.home, "http")+"/user/alice/api/events/subscribe", &websocket.DialOptions{HTTPClient: &http.Client{Jar: v.jar}})
	if err != nil {
		v.t.Error(err)
		return
	}
	defer c.CloseNow()
	go c.Read(ctx) // which is where the answer to a ping comes in
	if err := c.Ping(ctx); err != nil {
		v.t.Error(err)
	}
}
