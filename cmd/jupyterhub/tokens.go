package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"jupyterhubd/hub/client"
)

func (a *app) tokensCommand() *cobra.Command {
	add := a.tokenCommand()
	add.Use, add.Example = "add [USER]", strings.ReplaceAll(add.Example, "jupyterhub token", "jupyterhub tokens add")
	return noun("tokens", "List, show, make and revoke tokens of users", "  jupyterhub tokens list alice", a.tokensList(), a.tokensShow(), add, a.tokensRemove())
}

var tokenHead = []string{"ID", "NOTE", "CREATED", "ACTIVE", "EXPIRES", "FOR", "SCOPES"}

func tokenLine(t client.Token) []string {
	return []string{t.ID, t.Note, moment(t.Created), moment(t.LastActivity), moment(t.ExpiresAt), t.OAuthClient, words(t.Scopes)}
}

func (a *app) tokensList() *cobra.Command {
	return a.command(verb{
		use: "list USER", short: "List a user's tokens, never their values", args: cobra.ExactArgs(1), names: userNames,
		example: "  jupyterhub tokens list alice",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			list, err := h.Tokens(ctx, args[0])
			out := answer{value: list, head: tokenHead}
			for _, t := range list {
				out.rows = append(out.rows, tokenLine(t))
			}
			return out, err
		},
	})
}

func (a *app) tokensShow() *cobra.Command {
	return a.command(verb{
		use: "show USER ID", short: "Show a token: what it opens, and when it was used", args: cobra.ExactArgs(2), names: userNames, more: firstOnly(tokensOf),
		example: "  jupyterhub tokens show alice a5",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			t, err := h.Token(ctx, args[0], args[1])
			return answer{value: t, head: tokenHead, rows: [][]string{tokenLine(t)}}, err
		},
	})
}

func (a *app) tokensRemove() *cobra.Command {
	return a.command(verb{
		use: "remove USER ID...", short: "Revoke tokens", args: cobra.MinimumNArgs(2), names: userNames, more: tokensOf,
		long:    "Revoke tokens. Revoking one that a server or service has revokes all that it has of this user.",
		example: "  jupyterhub tokens remove alice a5 a6",
		ask: func(ctx context.Context, h *client.Client, args []string) (answer, error) {
			for _, id := range args[1:] {
				if err := h.DeleteToken(ctx, args[0], id); err != nil {
					return answer{}, err
				}
			}
			return said(args[1:]), nil
		},
	})
}
