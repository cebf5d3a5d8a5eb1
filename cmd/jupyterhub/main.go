package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"jupyterhubd/hub"
	"jupyterhubd/hub/account"
	"jupyterhubd/hub/auth/pam"
	"jupyterhubd/hub/config"
)

// Exit statuses.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, places: machine(), patience: patience, systemctl: systemctl, service: pam.CheckService, guestService: pam.CheckGuestService, account: account.NSS{}.Lookup, resolve: net.DefaultResolver.LookupHost}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is the program with everything that it touches.
type app struct {
	in        io.Reader // a terminal where answers are to be hidden
	out, err  io.Writer
	places    places
	patience  time.Duration // with the hub
	systemctl func(ctx context.Context, args ...string) ([]byte, error)
	service   func(name string) error // nil if PAM knows the service
	// guestService is service for the one of guests.
	guestService func(name string) error
	account      func(ctx context.Context, name string) (hub.Account, error)
	resolve      func(ctx context.Context, host string) ([]string, error) // as the DNS does
	status       int                                                      // what to exit with when nothing went wrong
}

// places is where things are on the machine.
type places struct {
	config string // directory of the configuration
	admin  string // sockets
	spawnd string //
	proxy  string //
	pam    string //
	units  string // where drop-ins are written
}

func machine() places {
	return places{
		config: config.DefaultDir,
		admin:  "/run/jupyterhub/admin.sock",
		spawnd: "/run/jupyterhub/spawnd.sock",
		proxy:  "/run/jupyterhub-proxy/api.sock",
		pam:    pam.LoginDoor,
		units:  "/etc/systemd/system",
	}
}

// run runs one command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	var failed *failure
	switch {
	case err == nil:
		return a.status
	case !errors.As(err, &failed):
		a.complain(usageError(root, args, err), usageHint(root, args))
		return exitUsage
	}
	a.complain(failed.err, failed.hint)
	return exitFailed
}

// complain prints an error of one or many lines, and what to do about it.
func (a *app) complain(err error, hint string) {
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		fmt.Fprintf(a.err, "jupyterhub: error: %s\n", line)
	}
	if hint == "" {
		hint = usualHint(err)
	}
	if hint != "" {
		fmt.Fprintf(a.err, "jupyterhub: hint: %s\n", hint)
	}
}

// failure is the error of a command that was understood, in contrast to a wrong command line.
type failure struct {
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// hinted adds what to do about an error.
func hinted(err error, format string, args ...any) error {
	return &failure{err: err, hint: fmt.Sprintf(format, args...)}
}

// usualHint answers for what goes wrong with every command that speaks to a daemon.
func usualHint(err error) string {
	switch {
	case errors.Is(err, os.ErrPermission):
		return "run it as root; members of group jupyterhub-admin may do what asks the hub alone, as far as their own hub account may"
	case hub.KindOf(err) == hub.Unavailable:
		return "systemctl status jupyterhub says whether it runs and why not"
	case hub.KindOf(err) == hub.Unauthenticated || hub.KindOf(err) == hub.Forbidden:
		return "root may do everything; others what their own hub account may"
	}
	return ""
}

// did makes a command's body out of a function, and a failure out of its error.
func did(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var failed *failure
		if err == nil || errors.As(err, &failed) {
			return err
		}
		return &failure{err: err}
	}
}
