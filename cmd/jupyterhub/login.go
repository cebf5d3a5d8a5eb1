package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth/pam"
)

func (a *app) checkLoginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check-login USER",
		Short: "Log USER in here, as the hub would, and say how it went",
		Long: `Hold the conversation that the hub would hold with USER, on this terminal: root's rules, the PAM service, the account.
Nobody is logged in by it, but a wrong password counts with PAM modules that count them.`,
		Example: `  jupyterhub check-login alice`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completes(userNames, nil),
		RunE: did(func(cmd *cobra.Command, args []string) error { return a.checkLogin(cmd.Context(), args[0]) }),
	}
}

func (a *app) checkLogin(ctx context.Context, user string) error {
	talk, step, err := pam.New(a.places.pam).Begin(ctx, user, "localhost")
	if err == nil {
		defer talk.Close()
	}
	answers := a.answerer()
	for err == nil && step.Account == nil {
		var given []string
		if given, err = answers(step); err == nil {
			step, err = talk.Answer(ctx, given)
		}
	}
	switch hub.KindOf(err) {
	case hub.Forbidden:
		return hinted(err, "why is in the journal: journalctl -u 'jupyterhub-pam@*' -n 20")
	case hub.Expired:
		return hinted(err, "the login page would ask %s for a new password now", user)
	}
	if err != nil {
		return err
	}
	a.say(step.Messages)
	a.welcome(*step.Account)
	return nil
}

func (a *app) say(messages []string) {
	for _, m := range messages {
		a.printf("%s\n", m)
	}
}

// answerer asks a person for the answers of a step.
func (a *app) answerer() func(hub.Step) ([]string, error) {
	lines := bufio.NewReader(a.in)
	return func(s hub.Step) ([]string, error) {
		a.say(s.Messages)
		answers := make([]string, 0, len(s.Prompts))
		for _, p := range s.Prompts {
			fmt.Fprint(a.err, p.Text)
			line, err := a.readLine(lines, p.Echo)
			if err != nil {
				return nil, fmt.Errorf("read the answer: %w", err)
			}
			answers = append(answers, line)
		}
		return answers, nil
	}
}

// readLine reads an answer, without showing it where the prompt says so and there is a terminal to show it.
func (a *app) readLine(lines *bufio.Reader, echo bool) (string, error) {
	if f, ok := a.in.(*os.File); ok && !echo && term.IsTerminal(int(f.Fd())) {
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.err)
		return string(b), err
	}
	line, err := lines.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

func (a *app) welcome(acc hub.Account) {
	a.printf("%s may log in: uid %d, home %s, groups %s\n", acc.Name, acc.UID, acc.Home, strings.Join(acc.Groups, " "))
}
