package main

import (
	"context"
	"strings"
	"testing"

	"jupyterhubd/hub"
	"jupyterhubd/hub/varlink"
)

// stack plays a stack that asks for a password and then for a code.
func stack() map[string]varlink.Handler {
	step := func(r *varlink.Request, s hub.Step) error { return r.Reply(map[string]any{"step": s}) }
	return map[string]varlink.Handler{
		"Begin": func(_ context.Context, r *varlink.Request) error {
			var in struct {
				User       string `json:"user"`
				RemoteHost string `json:"remote_host"`
				TTY        string `json:"tty"`
			}
			if err := r.Decode(&in); err != nil {
				return err
			}
			if in.User == "root" {
				return hub.Errorf(hub.Forbidden, "The user name or the password is wrong, or this account may not log in here.")
			}
			return step(r, hub.Step{Prompts: []hub.Prompt{{Text: "Password: "}}})
		},
		"Answer": func(_ context.Context, r *varlink.Request) error {
			var in struct {
				Answers []string `json:"answers"`
			}
			if err := r.Decode(&in); err != nil {
				return err
			}
			switch in.Answers[0] {
			case "s3cret with spaces ":
				return step(r, hub.Step{Messages: []string{"A code was sent."}, Prompts: []hub.Prompt{{Text: "Code: ", Echo: true}}})
			case "123456":
				return step(r, hub.Step{Messages: []string{"Last login: never"}, Account: &hub.Account{Name: "alice", UID: 1000, Home: "/home/alice", Groups: []string{"alice", "staff"}}})
			case "old":
				return hub.Errorf(hub.Expired, "The password has expired.")
			}
			return hub.Errorf(hub.Forbidden, "The user name or the password is wrong, or this account may not log in here.")
		},
	}
}

func TestCheckLoginHoldsTheWholeConversation(t *testing.T) {
	m := newMachine(t, "")
	m.varlink("pam.sock", varlink.Authenticator, stack())
	m.app.in = strings.NewReader("s3cret with spaces \n123456\n")
	compare(t, m.run("check-login", "ALICE"), `
Password: A code was sent.
Code: Last login: never
alice may log in: uid 1000, home /home/alice, groups alice staff
[0]
`)
}

func TestCheckLoginThatIsRefused(t *testing.T) {
	m := newMachine(t, "")
	m.varlink("pam.sock", varlink.Authenticator, stack())
	m.app.in = strings.NewReader("wrong\n")
	compare(t, m.run("check-login", "alice"), `
Password: jupyterhub: error: The user name or the password is wrong, or this account may not log in here.
jupyterhub: hint: why is in the journal: journalctl -u 'jupyterhub-pam@*' -n 20
[1]
`)
	m.app.in = strings.NewReader("old")
	compare(t, m.run("check-login", "alice"), `
Password: jupyterhub: error: The password has expired.
jupyterhub: hint: the login page would ask alice for a new password now
[1]
`)
	compare(t, m.run("check-login", "root"), `
jupyterhub: error: The user name or the password is wrong, or this account may not log in here.
jupyterhub: hint: why is in the journal: journalctl -u 'jupyterhub-pam@*' -n 20
[1]
`)
	m.app.in = strings.NewReader("")
	compare(t, m.run("check-login", "alice"), `
Password: jupyterhub: error: read the answer: EOF
[1]
`)
}
