package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"jupyterhubd/test/testbed"
)

// people are who may log in, in this order; USERS=5 adds user4 and user5.
var people = []string{"alice", "bob", "mallory"}

func main() {
	port := flag.Int("port", 8000, "port on 127.0.0.1 of this host")
	users := flag.Int("users", 1, "how many people have an account")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Stdout, *port, *users); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is the demo from boot to end. That it is asked to end is no error.
func run(ctx context.Context, out io.Writer, port, users int) (err error) {
	if users < 1 || users > 1000 {
		return fmt.Errorf("USERS=%d: there are 1 to 1000", users)
	}
	// Taken first: a port that is somebody else's is better known before a minute has passed.
	probe, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return fmt.Errorf("PORT=%d: %w; another one is as good: make demo PORT=9000", port, err)
	}
	probe.Close()
	fmt.Fprintln(out, "Booting a throw-away machine; nothing else on this host changes.")
	var installing strings.Builder // of interest when it goes wrong
	bed, err := testbed.Boot(ctx, testbed.Options{Users: more(users), Log: &installing})
	if ctx.Err() != nil {
		return end(bed)
	}
	if err != nil {
		fmt.Fprint(out, installing.String())
		return err
	}
	defer func() { err = errors.Join(err, end(bed)) }()
	if err := open(ctx, out, bed, port, users); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// open leads the port into the machine, says so, and shows what the journal gets from then on, until the end.
func open(ctx context.Context, out io.Writer, bed *testbed.Bed, port, users int) error {
	if err := bed.AwaitHub(ctx); err != nil {
		return err
	}
	addr, err := bed.Forward(ctx, loopback(port), "127.0.0.1:8000")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nJupyterHub is at http://%s/  user: %s  password: %s\n", addr, people[0], bed.Password(people[0]))
	for _, name := range append(names(users)[1:], "admin") {
		fmt.Fprintf(out, "  and for %s: %s\n", name, bed.Password(name))
	}
	fmt.Fprint(out, "Ctrl-C ends it and leaves nothing behind. Until then, this is the journal of its daemons:\n\n")
	return bed.FollowOn(ctx, func(line string) bool {
		fmt.Fprintln(out, line)
		return true
	})
}

func end(bed *testbed.Bed) error {
	if bed == nil {
		return nil
	}
	return bed.End()
}

func names(users int) []string {
	all := append(people[:len(people):len(people)], more(users)...)
	return all[:users]
}

// more is the people who are not in every bed anyway.
func more(users int) (names []string) {
	for i := len(people) + 1; i <= users; i++ {
		names = append(names, "user"+strconv.Itoa(i))
	}
	return names
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
