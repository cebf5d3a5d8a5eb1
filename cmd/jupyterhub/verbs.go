package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// answer is what a verb has to say: a value for programs, and for people a table, or a sentence.
type answer struct {
	value any
	head  []string
	rows  [][]string
	text  string
}

// said is the answer of a verb that did something: nothing for people, who see by the exit status that it is done.
func said(value any) answer { return answer{value: value} }

// verb is a command that asks the hub.
type verb struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	names                     lister // completes the first argument; nil for nothing
	more                      later  // completes those behind it; nil for nothing
	slow                      bool   // may take longer than a hub that answers does
	ask                       func(ctx context.Context, h *client.Client, args []string) (answer, error)
}

// noun is a command of commands: jupyterhub users list.
func noun(use, short, example string, verbs ...*cobra.Command) *cobra.Command {
	long := short + ". What may be done is what the hub lets the caller's own account do; root may everything."
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return errors.New(cmd.CommandPath() + " needs a verb")
	}}
	cmd.SuggestionsMinimumDistance = nearEnough
	cmd.AddCommand(verbs...)
	return cmd
}

// command makes a verb's command, which prints JSON if it is asked to.
func (a *app) command(v verb) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: v.use, Short: v.short, Long: v.long, Example: v.example, Args: v.args, ValidArgsFunction: a.completes(v.names, v.more),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			return orSeeList(cmd, a.answer(cmd.Context(), v, args, asJSON))
		})}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, in the API's own shapes")
	return cmd
}

// orSeeList says of what is not there where one sees what is.
func orSeeList(cmd *cobra.Command, err error) error {
	var failed *failure
	if hub.KindOf(err) != hub.NotFound || errors.As(err, &failed) {
		return err
	}
	for _, list := range cmd.Parent().Commands() {
		if list.Name() == "list" {
			return hinted(err, "%s %s shows what there is", cmd.Parent().CommandPath(), list.Use)
		}
	}
	return err
}

func (a *app) answer(ctx context.Context, v verb, args []string, asJSON bool) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	defer h.Close()
	var said answer
	ask := func(ctx context.Context) (err error) {
		said, err = v.ask(ctx, h, args)
		return err
	}
	if v.slow {
		err = ask(ctx)
	} else {
		err = a.within(ctx, ask)
	}
	switch {
	case err != nil:
		return err
	case asJSON:
		return a.printJSON(said.value)
	}
	a.printAnswer(said)
	return nil
}

func (a *app) printAnswer(said answer) {
	a.printf("%s", said.text)
	if said.head == nil {
		return
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(said.head, "\t"))
	for _, row := range said.rows {
		for i, cell := range row {
			row[i] = tame(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
}

// tame keeps what others chose, such as a group's name or a token's note, from moving the cursor or ending the line.
func tame(text string) string {
	for _, c := range text {
		if !strconv.IsPrint(c) {
			return strconv.Quote(text)
		}
	}
	return orDash(text)
}

// serverOf reads USER or USER/SERVER.
func serverOf(text string) hub.ServerRef {
	user, server, _ := strings.Cut(text, "/")
	return hub.ServerRef{User: user, Server: server}
}

func moment(t client.Time) string { return since(t.Time) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

func words(list []string) string { return strings.Join(list, " ") }
