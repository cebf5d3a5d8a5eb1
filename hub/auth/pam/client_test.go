package pam

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/authtest"
	"jupyterhubd/hub/varlink"
)

// The double of the porter's tests keeps the house's rules for authenticators; behind a socket it has to look the same.
func TestClientKeepsTheRulesOfAuthenticators(t *testing.T) {
	client := New(serve(t, behind(authtest.NewDouble())))
	authtest.Run(t, client, authtest.DoubleCast())
}

func TestAccount(t *testing.T) {
	client := New(serve(t, behind(authtest.NewDouble())))
	if a, err := client.Account(t.Context(), "ALICE"); err != nil || a.Name != "alice" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := client.Account(t.Context(), "nobody-knows"); hub.KindOf(err) != hub.NotFound {
		t.Error(err)
	}
}

func TestADoorThatIsAwayIsUnavailable(t *testing.T) {
	client := New(filepath.Join(t.TempDir(), "none"))
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
		"nothing":                   struct{}{},
		"neither":                   map[string]any{"step": hub.Step{Messages: []string{"hello"}}},
		"both":                      map[string]any{"step": hub.Step{Prompts: []hub.Prompt{{}}, Account: &hub.Account{Name: "root"}}},
		"a state that is no object": map[string]any{"step": hub.Step{Account: &hub.Account{Name: "alice"}, AuthState: []byte(`["x"]`)}},
		"an account without name":   map[string]any{"step": hub.Step{Account: &hub.Account{}}},
	} {
		say := func(_ context.Context, r *varlink.Request) error { return r.Reply(answer) }
		client := New(serve(t, func() map[string]varlink.Handler { return map[string]varlink.Handler{"Begin": say, "Account": say} }))
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
	_, _, err = New(path).Begin(t.Context(), "alice", "")
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

// serve is a door in the test's directory. Every connection gets handlers of its own, as every process behind the real
// door has one conversation.
func serve(t *testing.T, handlers func() map[string]varlink.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "door")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			s := varlink.Service{Interfaces: []varlink.Interface{{Name: varlink.Authenticator, Methods: handlers()}}}
			serving.Go(func() { _ = s.ServeConn(t.Context(), c) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return path
}

// behind puts an authenticator behind the interface.
func behind(double *authtest.Double) func() map[string]varlink.Handler {
	return func() map[string]varlink.Handler {
		var c authtest.Conversation
		return map[string]varlink.Handler{
			"Begin": func(ctx context.Context, r *varlink.Request) error {
				var in struct {
					User string `json:"user"`
					Host string `json:"remote_host"`
					TTY  string `json:"tty"`
				}
				if err := r.Decode(&in); err != nil {
					return err
				}
				begun, step, err := double.Begin(ctx, in.User, in.Host)
				if err != nil {
					return err
				}
				c = begun
				return r.Reply(map[string]any{"step": step})
			},
			"Answer": func(ctx context.Context, r *varlink.Request) error {
				var in struct {
					Answers []string `json:"answers"`
				}
				if err := r.Decode(&in); err != nil {
					return err
				}
				step, err := c.Answer(ctx, in.Answers)
				if err != nil {
					return err
				}
				return r.Reply(map[string]any{"step": step})
			},
			"Account": func(ctx context.Context, r *varlink.Request) error {
				var in struct {
					Name string `json:"name"`
				}
				if err := r.Decode(&in); err != nil {
					return err
				}
				a, err := double.Account(ctx, in.Name)
				if err != nil {
					return err
				}
				return r.Reply(map[string]any{"account": a})
			},
		}
	}
}
