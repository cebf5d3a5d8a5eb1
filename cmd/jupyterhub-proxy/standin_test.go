package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// chp is one life of the program under configurable-http-proxy's name, behind Unix sockets in a directory.
type chp struct {
	*exec.Cmd
	dir  string
	said *strings.Builder // on the standard error
	told io.ReadCloser    // the standard output
}

// chpCommand prepares the program under its other name.
func chpCommand(t *testing.T, args ...string) *chp {
	t.Helper()
	dir, err := os.MkdirTemp("", "chp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Symlink(os.Args[0], filepath.Join(dir, chpName)); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	c := &chp{exec.CommandContext(t.Context(), filepath.Join(dir, chpName), args...), dir, &strings.Builder{}, nil}
	c.Env = append(os.Environ(), asProgram+"=1", tokenVariable+"=secret")
	c.Stderr = c.said
	return c
}

// startCHP starts it and waits until it listens.
func startCHP(t *testing.T, args ...string) *chp {
	t.Helper()
	c := chpCommand(t, append([]string{"--socket=DIR/public", "--api-socket", "DIR/api"}, args...)...)
	c.start(t)
	return c
}

func (c *chp) start(t *testing.T) {
	t.Helper()
	c.begin(t)
	c.await(t, " ") // whatever it says first: then its doors are open
}

func (c *chp) begin(t *testing.T) {
	t.Helper()
	var err error
	if c.told, err = c.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
}

// await reads the standard output until it has said something, and returns all of it.
func (c *chp) await(t *testing.T, words string) string {
	t.Helper()
	var all strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(all.String(), words) {
		n, err := c.told.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			t.Fatalf("it ended before it said %q: %s\n%s", words, &all, c.said)
		}
	}
	go io.Copy(io.Discard, c.told)
	return all.String()
}

// ask sends a request to one of the sockets, over TLS to "https:SOCKET".
func (c *chp) ask(t *testing.T, socket, method, path, body string) string {
	t.Helper()
	scheme, name, ok := strings.Cut(socket, ":")
	if !ok {
		scheme, name = "http", socket
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(c.dir, name))
		}}}
	r, err := http.NewRequestWithContext(t.Context(), method, scheme+"://hub.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "token secret")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(text))
}

// The program serves, is edited, tells its process id and its metrics, forgets its table at its end, and cleans up behind itself.
func TestStandingIn(t *testing.T) {
	alice := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) }))
	defer alice.Close()
	c := startCHP(t, "--default-target", alice.URL, "--metrics-socket=DIR/metrics", "--pid-file", "DIR/pid", "--change-origin")
	host, _ := url.Parse(alice.URL)
	if got := c.ask(t, "public", "GET", "/x", ""); got != "200 "+host.Host+"/x" {
		t.Error(got)
	}
	if got := c.ask(t, "api", "POST", "/api/routes/user/alice", `{"target": "`+alice.URL+`/a"}`); got != "201 " {
		t.Error(got)
	}
	if got := c.ask(t, "public", "GET", "/user/alice/y", ""); got != "200 "+host.Host+"/a/user/alice/y" {
		t.Error(got)
	}
	if got := c.ask(t, "metrics", "GET", "/metrics", ""); !strings.Contains(got, "\napi_route_add 1\n") || !strings.Contains(got, `requests_proxy{status="200"} 2`) {
		t.Error(got)
	}
	if pid, err := os.ReadFile(filepath.Join(c.dir, "pid")); string(pid) != fmt.Sprint(c.Process.Pid) {
		t.Errorf("the pid file says %q, %v", pid, err)
	}
	if info, err := os.Stat(filepath.Join(c.dir, "api")); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("everybody may use the API: %v, %v", info, err)
	}
	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, c.said)
	}
	for _, left := range []string{"pid", "public", "api", "metrics"} {
		if _, err := os.Stat(filepath.Join(c.dir, left)); err == nil {
			t.Errorf("%s is left behind", left)
		}
	}
}

// Only --state-file keeps the table over a restart.
func TestTheTableIsForgottenUnlessItIsKept(t *testing.T) {
	for _, kept := range []bool{false, true} {
		dir := t.TempDir()
		args := []string{}
		if kept {
			args = append(args, "--state-file", dir+"/routes")
		}
		first := startCHP(t, args...)
		first.ask(t, "api", "POST", "/api/routes/user/alice", `{"target": "http://127.0.0.1:1"}`)
		first.Process.Kill()
		first.Wait()
		second := startCHP(t, args...)
		if got := second.ask(t, "api", "GET", "/api/routes", ""); strings.Contains(got, "/user/alice") != kept {
			t.Errorf("kept %v: %s", kept, got)
		}
	}
}

// A socket that a dead program left is replaced; a living one's is not.
func TestSocketsThatWereLeft(t *testing.T) {
	c := chpCommand(t, "--socket", "DIR/public", "--api-socket", "DIR/api")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.dir + "/public", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	c.start(t)
	second := chpCommand(t, "--socket", c.dir+"/public", "--api-socket=DIR/api")
	if err := second.Run(); second.ProcessState.ExitCode() != 1 || !strings.Contains(second.said.String(), "another program listens at "+c.dir+"/public") {
		t.Errorf("%v\n%s", err, second.said)
	}
}

// What systemd hands over under the names http and api is used.
func TestDoorsOfSystemd(t *testing.T) {
	h := newHouse(t)
	c := &chp{exec.CommandContext(t.Context(), "/bin/sh", "-c", `export LISTEN_PID=$$; exec "$0" --port=1`, os.Args[0]), h.dir, &strings.Builder{}, nil}
	c.Env = append(os.Environ(), asProgram+"=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:api", tokenVariable+"=secret")
	c.ExtraFiles, c.Stderr = []*os.File{h.http, h.api}, c.said
	c.start(t)
	if got := h.get("/_chp_healthz"); got != `200 {"status":"OK"}` {
		t.Error(got)
	}
	if got := c.ask(t, "api", "GET", "/api/routes", ""); got != "200 {}" {
		t.Error(got)
	}
}

// A wrong command line ends the program with 1, one sentence on the standard error, and what to do.
func TestWrongCommandLines(t *testing.T) {
	dir := t.TempDir()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	noise := filepath.Join(dir, "noise")
	if err := os.WriteFile(noise, []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--bogus":                   "unknown flag: --bogus; --help",
		"--ip":                      "flag needs an argument: --ip",
		"stray":                     `unexpected argument "stray"`,
		"--port=http":               "a port is a number",
		"--port=70000":              "a port is a number",
		"--timeout 5s":              "a number of milliseconds",
		"--custom-header nocolon":   "a colon was expected",
		"--custom-header :x":        "a colon was expected",
		"--log-level loud":          "none of debug, info, warn and error",
		"--socket a --port 1":       "--socket cannot be used with --ip or --port",
		"--api-socket a --api-ip 1": "--api-socket cannot be used",
		"--error-target http://h --error-path /tmp": "exclude each other",
		"--redirect-port 80":                        "needs a certificate: give --ssl-key and --ssl-cert",
		"--ssl-key k":                               "--ssl-key and --ssl-cert go together",
		"--ssl-protocol SSLv3":                      "is not served",
		"--protocol-rewrite ftp":                    "neither http nor https",
		"--trusted-proxy everyone":                  "an address, a network",
		"--default-target ftp://h --socket " + dir + "/p --api-socket " + dir + "/a":                         "leads nowhere",
		"--error-target h --socket " + dir + "/p --api-socket " + dir + "/a":                                 "leads nowhere",
		"--ssl-key /nonexistent --ssl-cert /nonexistent --socket " + dir + "/p --api-socket " + dir + "/a":   "no such file",
		"--ssl-key " + noise + " --ssl-cert " + noise + " --socket " + dir + "/p --api-socket " + dir + "/a": "failed to find",
		"--client-ssl-ca " + noise:                                              "holds no certificate",
		"--api-ssl-key /nonexistent --api-ssl-cert /nonexistent":                "no such file",
		"--ip 127.0.0.1 --port " + port + " --api-socket " + dir + "/api":       "--ip and --port say where to listen instead",
		"--socket " + dir + "/p --api-ip 127.0.0.1 --api-port " + port:          "--api-ip and --api-port say",
		"--socket /nonexistent/p --api-socket " + dir + "/api":                  "--socket says where",
		"--socket " + dir + "/p --api-socket " + dir + "/api --pid-file /none/": "give --pid-file a place",
	} {
		t.Run(args, func(t *testing.T) {
			c := chpCommand(t, strings.Fields(args)...)
			if err := c.Run(); c.ProcessState.ExitCode() != 1 || !strings.Contains(c.said.String(), want) || strings.Count(c.said.String(), "\n") != 1 {
				t.Errorf("%v, want %q:\n%s", err, want, c.said)
			}
		})
	}
}

// Options that can do nothing here are accepted, and say so.
func TestUselessOptionsWarn(t *testing.T) {
	c := startCHP(t, "--ssl-ciphers=RC4", "--ssl-allow-rc4", "--ssl-dhparam", "x", "--statsd-host", "h", "--statsd-port=1", "--statsd-prefix", "p",
		"--storage-backend", "configurable-http-proxy-redis-backend", "--error-path", "/nonexistent")
	c.Process.Kill()
	c.Wait() // whatever it says of itself, it has been read
	if got := c.said.String(); strings.Count(got, "does nothing") != 7 || !strings.Contains(got, "--state-file keeps it") || !strings.Contains(got, "error pages are plain") {
		t.Error(got)
	}
}

// The manual has every option, and the program every option of the manual.
func TestTheManualHasEveryOption(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/configurable-http-proxy.8")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), `\-`, "-")
	there := map[string]bool{"version": true, "help": true}
	for _, o := range new(line).options() {
		there[o.name] = true
		if !strings.Contains(text, "--"+o.name) {
			t.Errorf("the manual lacks --%s", o.name)
		}
	}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+)`).FindAllStringSubmatch(text, -1) {
		if !there[m[1]] {
			t.Errorf("the manual has --%s, which is not there", m[1])
		}
	}
}

// JupyterHub may start the program under its own name as well: it tells it where to listen.
func TestWhoStandsIn(t *testing.T) {
	for args, want := range map[string]bool{
		"/usr/bin/configurable-http-proxy":                        true,
		"jupyterhub-proxy --ip 127.0.0.1 --port=8000":             true,
		"jupyterhub-proxy --api-socket=/run/x":                    true,
		"jupyterhub-proxy --config /etc/jupyterhub":               false,
		"jupyterhub-proxy --default-target http://h --state-file": false,
	} {
		if got := standsIn(strings.Fields(args)); got != want {
			t.Errorf("%s: %v", args, got)
		}
	}
}

// --redirect-port leads to https, at any Host and at no other.
func TestRedirection(t *testing.T) {
	for _, c := range []struct {
		port       int
		host, want string
	}{
		{443, "hub.example:80", "https://hub.example/a?b"},
		{8443, "hub.example", "https://hub.example:8443/a?b"},
		{8443, "[::1]:8000", "https://[::1]:8443/a?b"},
		{443, "", ""},
		{443, "evil.example/@hub.example", ""},
	} {
		r := httptest.NewRequest("GET", "/a?b", nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		redirection(c.port).ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != c.want || (got == "") != (w.Code == 400) || got != "" && w.Code != 301 {
			t.Errorf("%+v: %d %s", c, w.Code, got)
		}
	}
}
