package pam

import (
	"bytes"
	"context"
	"errors"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// The doors as the units have them.
const (
	LoginDoor  = "/run/jupyterhub/pam.sock"
	PasswdDoor = "/run/jupyterhub/passwd.sock" // the same conversation, at whose end an expired password is changed
)

// terminal is PAM_TTY: what the modules and their logs say instead of a terminal's name, as sshd's is "ssh".
const terminal = "jupyterhub"

// away is told to people when the door does not answer; the reason is in the chain, for the log.
const away = "Logging in does not work just now. Please try again in a moment."

// Client begins conversations at one door.
type Client struct {
	path string
}

// New returns a client of the door whose socket is at path.
func New(path string) *Client { return &Client{path} }

// Begin opens a conversation for the user name as it was typed. The conversation is to be closed, whatever the outcome of
// its steps; it is nil when an error is returned.
//
// Errors: Forbidden, with the one sentence for everybody who is refused; Expired, when the password is right and must be
// changed at the passwd door; Unavailable.
func (c *Client) Begin(ctx context.Context, user, remoteHost string) (interface {
	Answer(ctx context.Context, answers []string) (hub.Step, error)
	Close() error
}, hub.Step, error) {
	conn, err := varlink.Dial(ctx, c.path)
	if err != nil {
		return nil, hub.Step{}, &hub.Error{Kind: hub.Unavailable, Text: away, Err: err}
	}
	t := &conversation{conn}
	step, err := t.call(ctx, "Begin", struct {
		User       string `json:"user"`
		RemoteHost string `json:"remote_host"`
		TTY        string `json:"tty"`
	}{user, remoteHost, terminal})
	if err != nil {
		_ = conn.Close()
		return nil, hub.Step{}, err
	}
	return t, step, nil
}

// Account looks a name up and asks root's rules: NotFound where there is no such account, Forbidden where the rules do not
// admit it, with the reason.
func (c *Client) Account(ctx context.Context, name string) (hub.Account, error) {
	conn, err := varlink.Dial(ctx, c.path)
	if err != nil {
		return hub.Account{}, &hub.Error{Kind: hub.Unavailable, Text: away, Err: err}
	}
	defer conn.Close()
	return look(ctx, conn, "Account", name)
}

// look calls a method that looks an account up.
func look(ctx context.Context, conn *varlink.Conn, method, name string) (hub.Account, error) {
	var out struct {
		Account hub.Account `json:"account"`
	}
	err := conn.Call(ctx, varlink.Authenticator+"."+method, struct {
		Name string `json:"name"`
	}{name}, &out)
	if err != nil {
		return hub.Account{}, err
	}
	if out.Account.Name == "" {
		return hub.Account{}, broken(errors.New("the door answered with an account without a name"))
	}
	return out.Account, nil
}

// conversation is one connection to the door.
type conversation struct {
	conn *varlink.Conn
}

// Answer gives one answer for each prompt of the last step.
func (t *conversation) Answer(ctx context.Context, answers []string) (hub.Step, error) {
	return t.call(ctx, "Answer", struct {
		Answers []string `json:"answers"`
	}{answers})
}

// Close hangs up; the process behind the door ends.
func (t *conversation) Close() error { return t.conn.Close() }

// call makes one step. A step that neither asks nor ends would leave its user before an empty page.
func (t *conversation) call(ctx context.Context, method string, in any) (hub.Step, error) {
	var out struct {
		Step hub.Step `json:"step"`
	}
	if err := t.conn.Call(ctx, varlink.Authenticator+"."+method, in, &out); err != nil {
		if hub.KindOf(err) == hub.Unavailable && hub.TextOf(err) == "" {
			return hub.Step{}, broken(err)
		}
		return hub.Step{}, err
	}
	if state := bytes.TrimSpace(out.Step.AuthState); len(state) > 0 && state[0] != '{' {
		return hub.Step{}, broken(errors.New("the door answered with an auth_state that is no object"))
	}
	if ended := out.Step.Account != nil; ended == (len(out.Step.Prompts) > 0) || ended && out.Step.Account.Name == "" {
		return hub.Step{}, broken(errors.New("the door answered with neither a question nor an account"))
	}
	return out.Step, nil
}

func broken(err error) error { return &hub.Error{Kind: hub.Unavailable, Text: away, Err: err} }
