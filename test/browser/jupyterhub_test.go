package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

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

// The real JupyterHub starts our proxy as its own, and somebody works there: the login, the page of the start, JupyterLab, a cell.
func TestJupyterHubOnOurProxy(t *testing.T) {
	program := filepath.Join(testbed.Environment("singleuser-6.1.1"), "bin/jupyterhub")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: make environments", err)
	}
	x := (&house{t: t, url: peer(t, program) + "/"}).open(1280, 800)
	x.visit("")
	x.types("#username_input", "carol")
	x.types("#password_input", "x")
	x.presses("#login_submit")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	x.writesCell("print(6 * 7)")
	if out := x.text(".jp-OutputArea-output pre"); out != "42" {
		t.Errorf("the cell prints %q", out)
	}
}

// peer runs a JupyterHub until the play ends, and returns its address.
func peer(t *testing.T, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jh") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	proxy := filepath.Join(dir, "configurable-http-proxy")
	if out, err := exec.Command("go", "build", "-o", proxy, "jupyterhubd/cmd/jupyterhub-proxy").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	front, back := free(t), free(t)
	config := fmt.Sprintf(hubConfig, front, back, dir, proxy, url.PathEscape(dir+"/api"))
	if err := os.WriteFile(dir+"/config.py", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := exec.Command(program, "--config", dir+"/config.py"), new(spoken)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8"}
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
	testbed.Eventually(t, patience, "JupyterHub answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("JupyterHub ended:\n%s", said)
		default:
		}
		answer, err := http.Get("http://" + front + "/hub/health")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return "http://" + front
}

// free is an address at which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
