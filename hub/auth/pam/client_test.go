package pam

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/varlink"
)

// The double of the porter's tests keeps the house's rules for authenticators; behind a socket it has to look the same.
func TestClientKeepsTheRulesOfAuthenticators(t *testing.T) {
	double := authtest.NewDouble()
	client := &Client{Path: serve(t, handlers(double))}
	authtest.Run(t, client, authtest.DoubleCast())
}

func TestAccount(t *testing.T) {
	client := &Client{Path: serve(t, handlers(authtest.NewDouble()))}
	if a, err := client.Account(t.Context(), "ALICE"); err != nil || a.Name != "alice" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := client.Account(t.Context(), "nobody-knows"); hub.KindOf(err) != hub.NotFound {
		t.Error(err)
	}
}

func TestADoorThatIsAwayIsUnavailable(t *testing.T) {
	client := &Client{Path: filepath.Join(t.TempDir(), "none")}
	_, _, err := client.Begin(t.Context(), "alice", "")
	if hub.KindOf(err) != hub.Unavailable || hub.TextOf(err) != away || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := client.Account(t.Context(), "alice"); hub.KindOf(err) != hub.Unavailable {
		t.Error(err)
	}
}

func TestADoorThatAnswersNonsenseIsUnavailable(t *testing.T) {
	for what, answer := range map[string]any{
		"nothing":                 struct{}{},
		"neither":                 map[string]any{"step": hub.Step{Messages: []string{"hello"}}},
		"both":                    map[string]any{"step": hub.Step{Prompts: []hub.Prompt{{}}, Account: &hub.Account{Name: "root"}}},
		"an account without name": map[string]any{"step": hub.Step{Account: &hub.Account{}}},
	} {
		say := func(_ context.Context, r *varlink.Request) error { return r.Reply(answer) }
		client := &Client{Path: serve(t, map[string]varlink.Handler{"Begin": say, "Account": say})}
		if _, step, err := client.Begin(t.Context(), "alice", ""); hub.KindOf(err) != hub.Unavailable || step.Account != nil {
			t.Errorf("%s: %+v, %v", what, step, err)
		}
		if a, err := client.Account(t.Context(), "alice"); hub.KindOf(err) != hub.Unavailable {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
}

func TestADoorThatHangsUpIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "door")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // as systemd does over MaxConnections=
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.Close()
		}
	}()
	_, _, err = (&Client{Path: path}).Begin(t.Context(), "alice", "")
	if hub.KindOf(err) != hub.Unavailable || hub.TextOf(err) != away {
		t.Error(err)
	}
}

func TestCheckService(t *testing.T) {
	etc, vendor := t.TempDir(), t.TempDir()
	for _, path := range []string{etc + "/jupyterhub", vendor + "/login"} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"jupyterhub": "", "login": "", "gone": "install it again", "": "not the name",
		"../jupyterhub": "not the name", "..": "not the name"} {
		err := checkService(name, []string{etc, vendor})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// serve is a door in the test's directory, with one interface.
func serve(t *testing.T, methods map[string]varlink.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "door")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := varlink.Service{Interfaces: []varlink.Interface{{Name: varlink.Authenticator, Methods: methods}}}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		if err := s.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

type conversationKey struct{}

// handlers put an authenticator behind the interface. Which conversation a call belongs to is known by its peer, since the
// suite's calls carry their connection's.
func handlers(double *authtest.Double) map[string]varlink.Handler {
	return authtest.Behind(double)
}
