package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// serviceURL tells jupyterhub-singleuser, and what is built like it, where to listen.
const serviceURL = "JUPYTERHUB_SERVICE_URL"

// portMark is what stands for the port in a command line.
const portMark = "{port}"

// tries is how many ports are tried when somebody else is quicker.
const tries = 5

// outcome is how the command ended: with a status, or by a signal.
type outcome struct {
	code int
	by   syscall.Signal
}

// overTCP runs a command that can listen at a port alone, and stands in for it at the Unix socket. It returns when the
// command has ended.
func overTCP(ctx context.Context, socket string, argv, env []string) (outcome, error) {
	signals := listen()
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return outcome{code: exitUsage}, err
		}
		p, err := start(withPort(argv, port), withURL(env, port))
		if err != nil {
			return outcome{code: exitCommandGone}, fmt.Errorf("%s cannot be run: %w", argv[0], err)
		}
		a := attendant{relay: relay{tables: kernelTables(), uid: os.Getuid(), port: port}, socket: socket}
		err = a.attend(ctx, p, signals)
		if try == tries || !a.tooLate(err) {
			return p.outcome(), err
		}
		fmt.Fprintf(os.Stderr, "jupyterhub-exec: somebody else was quicker at port %d, trying another one\n", port)
	}
}

// attendant looks after one run of the command.
type attendant struct {
	relay
	socket string
	asked  bool        // it was told to end
	opened atomic.Bool // it listened, and could be reached
}

// attend relays, and passes signals on, until the program has ended.
func (a *attendant) attend(ctx context.Context, p *program, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	relayed := make(chan error, 1)
	go func() { relayed <- a.run(ctx) }()
	for {
		select {
		case s := <-signals:
			a.asked = a.asked || ends(s)
			_ = p.command.Process.Signal(s) // one that has just ended needs none, ignoring
		case err := <-relayed: // a server that cannot be reached is of no use
			cancel()
			_ = p.command.Process.Signal(syscall.SIGTERM) // likewise
			<-p.ended
			return err
		case <-p.ended:
			cancel()
			if err := <-relayed; !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
	}
}

// tooLate reports whether the run came to nothing because a stranger has the port.
func (a *attendant) tooLate(err error) bool {
	if a.asked || a.opened.Load() {
		return false
	}
	who, _ := a.tables.ownerOf(a.port, a.uid) // what cannot be read changes nothing, ignoring
	return who == stranger || errors.Is(err, errStranger)
}

// run makes the socket once the program listens, so that a socket which is there means a server which answers.
func (a *attendant) run(ctx context.Context) error {
	if err := a.await(ctx); err != nil {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.socket, Net: "unix"})
	if err != nil {
		return err
	}
	defer l.Close()
	// Who may reach it is said by the directory that it is in.
	if err := os.Chmod(a.socket, 0o666); err != nil {
		return err
	}
	a.opened.Store(true)
	return a.serve(ctx, l)
}

// freePort returns a port of 127.0.0.1 at which nobody listens just now.
func freePort() (uint16, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

func withPort(argv []string, port uint16) []string {
	all := make([]string, len(argv))
	for i, a := range argv {
		all[i] = strings.ReplaceAll(a, portMark, strconv.Itoa(int(port)))
	}
	return all
}

// withURL says in the environment where to listen. The hub said the path.
func withURL(env []string, port uint16) []string {
	u := url.URL{Path: "/"}
	all := make([]string, 0, len(env)+1)
	for _, variable := range env {
		value, is := strings.CutPrefix(variable, serviceURL+"=")
		if !is {
			all = append(all, variable)
			continue
		}
		if said, err := url.Parse(value); err == nil {
			u = *said
		}
	}
	u.Scheme, u.Host = "http", net.JoinHostPort(loopback.String(), strconv.Itoa(int(port)))
	return append(all, serviceURL+"="+u.String())
}
