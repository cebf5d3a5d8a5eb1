package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/rs/zerolog"

	"jupyterhubd/hub"
)

// DefaultConfigDir is where root keeps the configuration of all daemons.
const DefaultConfigDir = "/etc/jupyterhub"

// Exit codes of Main.
const (
	exitGood  = 0
	exitBad   = 1
	exitUsage = 2
)

// Program is what a main says of its daemon.
type Program struct {
	Name  string                               // as in the journal: "jupyterhub-proxy"
	Doors map[string]string                    // FileDescriptorName= to the socket unit that says so
	Flags func(*flag.FlagSet)                  // declares further flags; may be nil
	Run   func(context.Context, *Daemon) error // works until the context ends; nil is a good end

	// CommandLine reads the arguments of a program that has a command line of somebody else's, in the place of our flags. It
	// returns the logger, or done with the exit code when the program ends there. Nil for all others.
	CommandLine func(args []string, stdout, stderr io.Writer) (log zerolog.Logger, code int, done bool)
}

// Daemon is the running program as systemd sees it. Its methods may be called from any goroutine.
type Daemon struct {
	ConfigDir string         // from --config
	Log       zerolog.Logger // to the journal, or to a terminal

	program Program
	journal bool                  // our standard error is the journal's
	files   map[string][]*os.File // what systemd handed over, by name

	reloading sync.Mutex // one reload at a time; guards reload
	reload    func(context.Context) error
}

// Main runs the program until it ends or a signal asks it to, and returns the exit code: 0 after a good end, 1 after an
// error of Run (told to the journal line by line, the first line in `systemctl status`), 2 for a wrong command line.
func Main(p Program) int {
	d := &Daemon{program: p}
	if code, done := d.parse(os.Args[1:], os.Stdout, os.Stderr); done {
		return code
	}
	d.files = takeFiles()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := d.live(ctx, stop); err != nil {
		d.complain(err)
		return exitBad
	}
	return exitGood
}

// parse reads the flags into d; done means that the program ends here with the code.
func (d *Daemon) parse(args []string, stdout, stderr io.Writer) (code int, done bool) {
	if d.program.CommandLine != nil {
		d.Log, code, done = d.program.CommandLine(args, stdout, stderr)
		return code, done
	}
	fs := flag.NewFlagSet(d.program.Name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&d.ConfigDir, "config", DefaultConfigDir, "directory of jupyterhub.toml and jupyterhub.toml.d")
	debug := fs.Bool("debug", false, "log more")
	version := fs.Bool("version", false, "print the version and exit")
	if d.program.Flags != nil {
		d.program.Flags(fs)
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitGood, true
	case err != nil:
		return exitUsage, true
	case fs.NArg() > 0:
		fmt.Fprintf(stderr, "%s: unexpected argument %q\n", d.program.Name, fs.Arg(0))
		return exitUsage, true
	case *version:
		fmt.Fprintf(stdout, "%s %s\n", d.program.Name, hub.Version)
		return exitGood, true
	}
	level := zerolog.InfoLevel
	if *debug {
		level = zerolog.DebugLevel
	}
	d.journal = os.Getenv("JOURNAL_STREAM") != ""
	d.Log = newLogger(stderr, d.journal).Level(level)
	return 0, false
}

// live runs the work, with the signals beside it.
func (d *Daemon) live(ctx context.Context, stop func()) error {
	work, end := context.WithCancel(ctx)
	defer end()
	// Caught before the work can say that it is ready: a hangup that nobody catches ends a process.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	var beside sync.WaitGroup
	beside.Go(func() { d.reloadOnHangup(work, hangups) })
	beside.Go(func() {
		<-work.Done()
		stop() // from here on a second signal kills
		d.notify("STOPPING=1")
	})
	err := d.program.Run(work, d)
	end()
	beside.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// complain tells why the program ends. The mistakes of a configuration come as one error of many lines.
func (d *Daemon) complain(err error) {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	d.Status("%s", lines[0])
	for _, line := range lines {
		d.Log.Error().Str("err", line).Msg("cannot go on")
	}
}
