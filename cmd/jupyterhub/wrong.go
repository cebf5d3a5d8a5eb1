package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// usageError says what a command wants, where cobra counts arguments.
func usageError(root *cobra.Command, args []string, err error) error {
	cmd, _, found := root.Find(args)
	counts := strings.HasPrefix(err.Error(), "accepts ") || strings.HasPrefix(err.Error(), "requires at least ")
	_, wants, some := strings.Cut(cmd.Use, " ")
	if found != nil || !counts || !some {
		return err
	}
	return errors.New(cmd.CommandPath() + " wants " + wants)
}

// usageHint answers for a wrong command line.
func usageHint(root *cobra.Command, args []string) string {
	cmd, rest, err := root.Find(args)
	if err != nil {
		cmd, rest = root, args
	}
	if cmd.HasSubCommands() && len(rest) > 0 {
		if near := cmd.SuggestionsFor(rest[0]); len(near) > 0 {
			return "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
		}
	}
	if cmd == root {
		return "jupyterhub --help lists what there is"
	}
	return cmd.CommandPath() + " --help shows how it is used"
}
