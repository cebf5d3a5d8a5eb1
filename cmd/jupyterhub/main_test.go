package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// machine is a machine with a hub whose daemons a test plays.
type stage struct {
	t   *testing.T
	dir string
	app app
	out bytes.Buffer
}

func newMachine(t *testing.T, config string) *stage {
	t.Helper()
	t.Setenv("TZ", "UTC")
	m := &stage{t: t, dir: t.TempDir()}
	m.app = app{
		in: strings.NewReader(""), out: &m.out, err: &m.out,
		places: places{
			config: m.dir, admin: m.at("admin.sock"), spawnd: m.at("spawnd.sock"), proxy: m.at("proxy.sock"), pam: m.at("pam.sock"),
			units: m.at("units"),
		},
		patience:     30 * time.Second,
		systemctl:    func(context.Context, ...string) ([]byte, error) { return nil, errors.New("nobody asked for systemctl") },
		service:      func(string) error { return nil },
		guestService: func(string) error { return nil },
		account:      nss,
		resolve: func(_ context.Context, host string) ([]string, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
	}
	m.write("jupyterhub.toml", config)
	return m
}

// nss knows alice and bob, each by two names.
func nss(_ context.Context, name string) (hub.Account, error) {
	switch name {
	case "alice", "ALICE":
		return hub.Account{Name: "alice", UID: 1000}, nil
	case "bob", "BOB":
		return hub.Account{Name: "bob", UID: 1001}, nil
	case "0":
		return hub.Account{}, hub.Errorf(hub.Invalid, "0 is no name of an account")
	}
	return hub.Account{}, hub.Errorf(hub.NotFound, "there is no account %q", name)
}

func (m *stage) at(name string) string { return filepath.Join(m.dir, name) }

func (m *stage) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.at(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.at(name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// http plays a daemon that speaks HTTP on a socket. Answers are by method and request URI.
func (m *stage) http(socket string, answers map[string]string) {
	m.t.Helper()
	l, err := net.Listen("unix", m.at(socket))
	if err != nil {
		m.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, there := answers[r.Method+" "+r.RequestURI]
		if !there {
			m.t.Errorf("nobody was to ask %s for %s %s", socket, r.Method, r.RequestURI)
		}
		var refusal struct{ Status int }
		if json.Unmarshal([]byte(body), &refusal) == nil && refusal.Status > 0 {
			w.WriteHeader(refusal.Status)
		}
		io.WriteString(w, body)
	}))
	s.Listener = l
	s.Start()
	m.t.Cleanup(s.Close)
}

// varlink plays a helper behind a locked door.
func (m *stage) varlink(socket, name string, methods map[string]varlink.Handler) {
	m.t.Helper()
	l, err := net.Listen("unix", m.at(socket))
	if err != nil {
		m.t.Fatal(err)
	}
	s := varlink.Service{Interfaces: []varlink.Interface{{Name: name, Methods: methods}}}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(m.t.Context())
	go func() { done <- s.Serve(ctx, l) }()
	m.t.Cleanup(func() {
		cancel()
		<-done
	})
}

func says(v any) varlink.Handler {
	return func(_ context.Context, r *varlink.Request) error { return r.Reply(v) }
}

func refuses(err error) varlink.Handler {
	return func(context.Context, *varlink.Request) error { return err }
}

// run runs a command line and returns the terminal's picture of it, with DIR for the machine's directory.
func (m *stage) run(args ...string) string {
	m.t.Helper()
	m.out.Reset()
	m.app.status = 0
	status := m.app.run(m.t.Context(), args)
	fmt.Fprintf(&m.out, "[%d]\n", status)
	return strings.ReplaceAll(m.out.String(), m.dir, "DIR")
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	if got != strings.TrimPrefix(want, "\n") {
		t.Errorf("got\n%s\nwant%s", got, want)
	}
}

func TestWrongCommandLines(t *testing.T) {
	m := newMachine(t, "")
	compare(t, m.run("statsu"), `
jupyterhub: error: unknown command "statsu" for "jupyterhub"
jupyterhub: hint: did you mean jupyterhub status?
[2]
`)
	compare(t, m.run("backup"), `
jupyterhub: error: jupyterhub backup wants FILE
jupyterhub: hint: jupyterhub backup --help shows how it is used
[2]
`)
	compare(t, m.run("users", "lst"), `
jupyterhub: error: unknown command "lst" for "jupyterhub users"
jupyterhub: hint: did you mean jupyterhub users list?
[2]
`)
	compare(t, m.run("servers", "frobnicate"), `
jupyterhub: error: unknown command "frobnicate" for "jupyterhub servers"
jupyterhub: hint: jupyterhub servers --help shows how it is used
[2]
`)
	compare(t, m.run("edit", "alice", "--named", "--slice"), `
jupyterhub: error: --server, --named and --slice exclude each other
jupyterhub: hint: jupyterhub edit --help shows how it is used
[2]
`)
	compare(t, m.run("token", "--forever"), `
jupyterhub: error: unknown flag: --forever
jupyterhub: hint: jupyterhub token --help shows how it is used
[2]
`)
}

func TestEveryCommandHasExamplesAndHelp(t *testing.T) {
	m := newMachine(t, "")
	root := m.app.root()
	for _, cmd := range append(root.Commands(), commands(root)...) {
		if cmd.Name() != "version" && (!strings.Contains(cmd.Example, cmd.CommandPath()) || cmd.Long == "" && cmd.Parent() == root) {
			t.Errorf("%s has no example or no long help", cmd.CommandPath())
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: a line in a list has no full stop", cmd.CommandPath())
		}
	}
}

func TestVersion(t *testing.T) {
	compare(t, newMachine(t, "").run("version", "--json"), "{\n  \"api\": \"6.1.1\",\n  \"version\": \""+hub.Version+"\"\n}\n[0]\n")
	compare(t, newMachine(t, "").run("version"), "\njupyterhub "+hub.Version+" (API of JupyterHub 6.1.1)\n[0]\n")
}

func TestNobodyAnswers(t *testing.T) {
	m := newMachine(t, "")
	compare(t, m.run("token", "alice"), `
jupyterhub: error: cannot connect: dial unix DIR/admin.sock: connect: no such file or directory
jupyterhub: hint: systemctl status jupyterhub says whether it runs and why not
[1]
`)
}

// Programs can read what every command has to say, but for those that talk with a person or write a file.
func TestEveryCommandSpeaksJSON(t *testing.T) {
	talk := map[string]bool{"jupyterhub backup": true, "jupyterhub check-login": true, "jupyterhub edit": true}
	for _, cmd := range commands((&app{places: machine()}).root()) {
		if path := cmd.CommandPath(); (cmd.Flags().Lookup("json") != nil) == talk[path] {
			t.Errorf("%s: --json is there: %t", path, !talk[path])
		}
	}
}
