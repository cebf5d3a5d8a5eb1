package main

import (
	"context"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/client"
	"jupyterhubd/hub/config"
)

func (a *app) tokenCommand() *cobra.Command {
	var expires string
	var asJSON bool
	r := client.TokenRequest{Note: "command-line generated"}
	cmd := &cobra.Command{
		Use:   "token [USER]",
		Short: "Make a token for a user and print it",
		Long: `Make a token for a user and print it. It may do what the user may, unless --scope says less, and holds for ever, unless
--expires-in says for how long. Without USER it is for the account that runs the command. The value cannot be read again;
the token page and DELETE /hub/api/users/USER/tokens/ID revoke it.`,
		Example: `  jupyterhub token alice
  jupyterhub token alice --expires-in 30d --scope 'read:users:activity!user=alice'
  curl -H "Authorization: token $(jupyterhub token)" http://127.0.0.1:8081/hub/api/user`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completes(userNames, nil),
		RunE: did(func(cmd *cobra.Command, args []string) error {
			user, err := whose(cmd.Context(), args)
			if err != nil {
				return err
			}
			seconds, err := spanOf(expires)
			if err != nil {
				return err
			}
			if seconds > 0 {
				r.ExpiresIn = &seconds
			}
			return a.within(cmd.Context(), func(ctx context.Context) error { return a.token(ctx, user, r, asJSON) })
		}),
	}
	cmd.Flags().StringVar(&expires, "expires-in", "", "`span` for which the token holds: seconds, or 12h, 30d; default for ever")
	cmd.Flags().StringArrayVar(&r.Scopes, "scope", nil, "a `scope` of the token instead of all its owner's; may be given again")
	cmd.Flags().StringVar(&r.Note, "note", r.Note, "`text` by which to know the token again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, in the API's own shape; the value is token")
	return cmd
}

func (a *app) token(ctx context.Context, user string, r client.TokenRequest, asJSON bool) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	defer h.Close()
	// Asking for the token of a user who does not exist is Forbidden, as if the user were somebody else's.
	if _, err := h.User(ctx, user); hub.KindOf(err) == hub.NotFound {
		return hinted(hub.Errorf(hub.NotFound, "No such user: %s", user), "users come to be known when they first log in; an admin can add them on the admin page")
	} else if err != nil {
		return err
	}
	t, err := h.NewToken(ctx, user, r)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(t)
	}
	a.printf("%s\n", t.Value)
	return nil
}

// whose is the user that the token is for: the one named, or whoever runs the command. Behind sudo that is not root.
func whose(ctx context.Context, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	uid := int64(os.Getuid())
	if sudo, err := strconv.ParseInt(os.Getenv("SUDO_UID"), 10, 64); err == nil && uid == 0 {
		uid = sudo
	}
	if uid == 0 {
		return "", hinted(hub.Errorf(hub.Invalid, "root has no account at the hub"), "say for whom: jupyterhub token USER")
	}
	acc, err := account.NSS{}.ByUID(ctx, uid)
	return acc.Name, err
}

// spanOf reads --expires-in in seconds; 0 means that it was not given.
func spanOf(text string) (seconds int64, err error) {
	if text == "" {
		return 0, nil
	}
	span := text
	if _, err := strconv.ParseUint(text, 10, 63); err == nil {
		span += "s"
	}
	d, err := config.ParseDuration(span)
	if seconds = int64(d.Std().Seconds()); err != nil || seconds < 1 {
		return 0, hub.Errorf(hub.Invalid, "--expires-in %q is no span of time; it wants seconds, or a number and s, m, h, d or w", text)
	}
	return seconds, nil
}
