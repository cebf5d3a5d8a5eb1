package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"jupyterhubd/cmd/internal/daemon"
	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/auth/pam"
	"jupyterhubd/hub/auth/pam/conv"
	"jupyterhubd/hub/auth/pam/door"
	"jupyterhubd/hub/config"
)

// alarm ends the process, a little after the door has ended its connection. No module can outlive it, in whatever call of
// the operating system it is stuck. RuntimeMaxSec= of the unit says the same.
const alarm = 2*time.Minute + 10*time.Second

// hubUser is the system account that may call.
const hubUser = "jupyterhub"

func main() {
	time.AfterFunc(alarm, func() { os.Exit(1) })
	var change bool
	os.Exit(daemon.Main(daemon.Program{
		Name:  "jupyterhub-pam",
		Doors: map[string]string{"connection": "jupyterhub-pam.socket"},
		Flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&change, "passwd", false, "change an expired password after authenticating")
		},
		Run: func(ctx context.Context, d *daemon.Daemon) error { return run(ctx, d, change) },
	}))
}

// run serves the one connection. What is wrong with the machine is told to the caller in general words by the door, and to
// the journal in particular ones here.
func run(ctx context.Context, d *daemon.Daemon, change bool) error {
	// A core file or a debugger would see a password.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	c, err := d.Conn()
	if err != nil {
		return err
	}
	o, err := options(ctx, d.ConfigDir, change)
	if err != nil {
		return err
	}
	o.Report = func(user, remoteHost string, err error) {
		log := d.Log.With().Str("user", user).Str("client", remoteHost).Logger()
		switch {
		case err == nil:
			log.Info().Msg("admitted")
		case hub.KindOf(err) == hub.Unavailable:
			log.Error().Str("err", inner(err)).Msg("cannot log anybody in")
		default:
			log.Warn().Str("err", inner(err)).Msg("refused")
		}
	}
	return door.Serve(ctx, c, o)
}

// options translates root's configuration for the door. Where that is broken, every look-up says so.
func options(ctx context.Context, dir string, change bool) (door.Options, error) {
	nss := account.NSS{}
	caller, err := nss.UID(ctx, hubUser)
	if err != nil && hub.KindOf(err) != hub.NotFound {
		return door.Options{}, err
	}
	if err != nil {
		caller = 0 // without the hub's account nobody but root may call
	}
	settings, broken := configuration(dir)
	o := door.Options{Rules: rules(settings), Aliases: account.Aliases(settings.UsernameMap), Lookup: nss.Lookup, Caller: caller, Locked: nss.Locked,
		Stack: stack(settings, settings.Service, change), Guests: guests(settings, change)}
	if broken != nil {
		o.Lookup = func(context.Context, string) (hub.Account, error) {
			return hub.Account{}, &hub.Error{Kind: hub.Unavailable, Text: "logins are not set up", Err: broken}
		}
	}
	return o, nil
}

// configuration reads root's file and looks whether PAM is set up. With an error the rules admit nobody.
func configuration(dir string) (config.Authenticator, error) {
	c, err := config.Load(dir)
	if err != nil {
		return config.Authenticator{}, err
	}
	return c.Authenticator, pam.CheckService(c.Authenticator.Service)
}

func rules(a config.Authenticator) account.Rules {
	r := account.Rules{AllowAll: a.AllowAll, AllowedUsers: a.AllowedUsers, AllowedGroups: a.AllowedGroups, BlockedUsers: a.BlockedUsers,
		MinUID: a.MinUID, Guests: account.Guests{Names: a.GuestUsers, Groups: a.GuestGroups}, Names: account.Names(a.UsernamePattern)}
	if r.MinUID == 0 {
		r.MinUID = account.MinUID()
	}
	return r
}

// stack joins the door to one of PAM's services.
func stack(a config.Authenticator, service string, change bool) door.Stack {
	return door.Stack{Converse: converse(a, service, change), Standing: standing(service)}
}

// guests is the stack of who has no account. Without its file guests can neither come in nor be found to be gone.
func guests(a config.Authenticator, change bool) door.Stack {
	if err := pam.CheckGuestService(a.GuestService); err != nil {
		return door.Stack{
			Converse: func(string, string, string, door.Ask) (door.End, error) { return door.End{}, err },
			Standing: func(string) error { return err },
		}
	}
	return stack(a, a.GuestService, change)
}

func converse(a config.Authenticator, service string, change bool) door.Converse {
	hold := conv.Authenticate
	if change {
		hold = conv.Change
	}
	var variables []string
	if a.EnableAuthState {
		variables = a.AuthStateVariables
	}
	return func(user, remoteHost, tty string, ask door.Ask) (door.End, error) {
		r, err := hold(conv.Request{Service: service, User: user, RemoteHost: remoteHost, TTY: tty, Variables: variables}, ask)
		return door.End{Name: r.User, Messages: r.Messages, Variables: r.Variables}, err
	}
}

// standing joins the door to PAM's account phase. While the machine is closed to everybody (pam_nologin: it goes down, or is being
// repaired), that phase refuses everybody, and says nothing of any account.
func standing(service string) func(string) error {
	return func(user string) error {
		for _, closed := range []string{"/etc/nologin", "/run/nologin"} {
			if _, err := os.Stat(closed); err == nil {
				return hub.Errorf(hub.Unavailable, "%s is there: nobody may come in just now", closed)
			}
		}
		return conv.Standing(conv.Request{Service: service, User: user, TTY: "jupyterhub"})
	}
}

// inner is the reason without the sentence for people, if there is one.
func inner(err error) string {
	var e *hub.Error
	if errors.As(err, &e) && e.Err != nil && e.Err.Error() != "" {
		return e.Err.Error()
	}
	return err.Error()
}
