package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub/config"
	"jupyterhubd/idleculler"
)

// options reads a command line over the defaults.
func options(t *testing.T, args ...string) (idleculler.Options, string, error) {
	t.Helper()
	var o overrides
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.declare(fs)
	err := fs.Parse(dashed(args))
	c := fromConfig(config.Default().Culler)
	o.apply(&c)
	return c, o.url, err
}

func TestCommandLinesOfThePythonProgram(t *testing.T) {
	o, url, err := options(t, "--timeout=3600", "--cull_users=True", "--max-age", "1d", "--cull-admin-users=false", "--remove_named_servers",
		"--cull-named-servers", "False", "--concurrency=5", "--api_page_size", "100", "--url=http://127.0.0.1:8081/hub/api", "--cull_every=0")
	switch {
	case err != nil:
		t.Fatal(err)
	case o.Timeout != time.Hour, o.MaxAge != 24*time.Hour, !o.CullUsers, o.CullAdminUsers, !o.RemoveNamedServers, o.CullNamedServers,
		!o.CullDefaultServers, o.Concurrency != 5, o.PageSize != 100, url != "http://127.0.0.1:8081/hub/api":
		t.Errorf("read as %+v, %s", o, url)
	}
}

func TestWithoutFlagsTheConfigurationHolds(t *testing.T) {
	o, _, err := options(t)
	if err != nil || o.Timeout != time.Hour || !o.CullDefaultServers || o.CullUsers || o.RequestTimeout != time.Minute || o.Concurrency != 10 {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--cull-every=300":     "systemctl edit jupyterhub-idle-culler.timer",
		"--ssl-enabled=True":   "no such thing",
		"--timeout=soon":       "is no span of time",
		"--timeout=-5":         "is no span of time",
		"--cull-users=perhaps": "say true or false",
		"--concurrency=-1":     "say a whole number",
		"--cull-usrs":          "not defined",
	} {
		if _, _, err := options(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
}

func TestTheTokenIsSystemdsCredentialOrTheEnvironments(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"JUPYTERHUB_API_TOKEN": "from the environment"}
	get := func(k string) string { return env[k] }
	if got, err := token(get); err != nil || got != "from the environment" {
		t.Errorf("got %q, %v", got, err)
	}
	env["CREDENTIALS_DIRECTORY"] = dir // a unit with other credentials than ours
	if got, err := token(get); err != nil || got != "from the environment" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("from systemd\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	if got, err := token(get); err != nil || got != "from systemd" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := token(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "jupyterhub token") {
		t.Errorf("got %v", err)
	}
}

func TestTheHubIsWhereTheConfigurationSays(t *testing.T) {
	c := config.Default()
	c.Hub.BaseURL = "/jupyter/"
	t.Setenv("JUPYTERHUB_API_URL", "")
	if got := address("", c); got != "http://127.0.0.1:8081/jupyter/hub/api" {
		t.Errorf("got %s", got)
	}
	t.Setenv("JUPYTERHUB_API_URL", "http://other/hub/api")
	if got := address("", c); got != "http://other/hub/api" {
		t.Errorf("got %s", got)
	}
	if got := address("http://flag/", c); got != "http://flag/" {
		t.Errorf("got %s", got)
	}
}

// Vulnerability: whoever does nothing is never asked for, so a server outlives its account. Verified: each pass has the hub look at
// accounts before it looks for the idle, and goes on whatever comes of it. Another hub does not know the question, and is not blamed.
func TestAPassLooksAtAccounts(t *testing.T) {
	for _, c := range []struct {
		status       int
		answer, said string
	}{
		{http.StatusOK, `{"checked": 3, "ended": 2}`, `"users":2,"message":"accounts that may not be used any more have lost their servers"`},
		{http.StatusOK, `{"checked": 3, "ended": 0}`, ""},
		{http.StatusNotFound, `{"status": 404, "message": "Not Found"}`, ""},
		{http.StatusServiceUnavailable, `{"status": 503, "message": "the door is away"}`, "accounts cannot be looked at, ignoring"},
	} {
		var asked []string
		hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Header.Get("Authorization")+" "+r.Method+" "+r.URL.Path)
			w.Header().Set("Content-Type", "application/json")
			if r.Method == "POST" {
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
				return
			}
			io.WriteString(w, `{"items": [], "_pagination": {"offset": 0, "limit": 200, "total": 0, "next": null}}`)
		}))
		log, err := aPass(t, hub.URL+"/hub/api")
		hub.Close()
		if err != nil || len(asked) < 2 || asked[0] != "token secret POST /hub/api/accounts/check" || !strings.HasSuffix(asked[1], "GET /hub/api/users") {
			t.Errorf("%d: asked for %q, %v", c.status, asked, err)
		}
		if !strings.Contains(log, c.said) || strings.Contains(log, "accounts") != (c.said != "") {
			t.Errorf("%d %s: the journal has\n%s", c.status, c.answer, log)
		}
	}
}

// aPass is one over a hub at that address, and what the journal has of it.
func aPass(t *testing.T, url string) (log string, err error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.MainFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Setenv("JUPYTERHUB_API_TOKEN", "secret")
	var journal bytes.Buffer
	err = run(t.Context(), &daemon.Daemon{ConfigDir: dir, Log: zerolog.New(&journal)}, overrides{url: url})
	return journal.String(), err
}
