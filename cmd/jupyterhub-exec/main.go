package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"jupyterhubd/hub/credential"
)

// Exit statuses, of sysexits.h and of the shell. Package launcher turns them into causes.
const (
	exitUsage       = 64
	exitCredential  = 78
	exitCommandGone = 127
)

// directoryVariable is where systemd says that the unit's credentials are.
const directoryVariable = "CREDENTIALS_DIRECTORY"

func main() {
	end, err := run(context.Background(), os.Args[1:], os.Environ(), syscall.Exec)
	if err != nil {
		fmt.Fprintf(os.Stderr, "jupyterhub-exec: %v\n", err)
	}
	if end.by != 0 {
		end.code = dieBy(end.by)
	}
	os.Exit(end.code)
}

// run returns when it was a witness, when the command could not take the process over, or when one that is relayed ended.
func run(ctx context.Context, args, environ []string, exec func(string, []string, []string) error) (outcome, error) {
	flags := flag.NewFlagSet("jupyterhub-exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	socket := flags.String("socket", "", "socket that the server will make; a stale one is removed")
	tcp := flags.Bool("tcp", false, "the command listens at a port, {port}; stand in for it at the socket")
	guest := flags.Bool("guest", false, "wait until the socket's directory is the user's")
	dollars := flags.Bool("dollars", false, "%24 in the command is a dollar sign, and %25 a percent sign")
	testimony := flags.String("witness", "", "file to write down in what the unit's limits did")
	if err := flags.Parse(args); err != nil {
		return outcome{code: exitUsage}, err
	}
	if *testimony != "" {
		code, err := testify(*testimony)
		return outcome{code: code}, err
	}
	command := flags.Args()
	if *dollars {
		command = withDollars(command)
	}
	switch {
	case len(command) == 0 || !filepath.IsAbs(command[0]):
		return outcome{code: exitUsage}, errors.New("the command to run must be named with its whole path")
	case (*tcp || *guest) && *socket == "":
		return outcome{code: exitUsage}, errors.New("--tcp and --guest go with --socket")
	}
	env, err := identity(environ)
	if err != nil {
		return outcome{code: exitCredential}, fmt.Errorf("the server's identity did not arrive: %w", err)
	}
	if *guest {
		if err := awaitOwn(filepath.Dir(*socket)); err != nil {
			return outcome{code: exitUsage}, fmt.Errorf("a guest's server: %w", err)
		}
	}
	if *socket != "" {
		if err := removeSocket(*socket); err != nil {
			return outcome{code: exitUsage}, err
		}
	}
	if *tcp {
		return overTCP(ctx, *socket, command, env)
	}
	err = exec(command[0], command, env)
	return outcome{code: exitCommandGone}, fmt.Errorf("%s cannot be run: %w", command[0], err)
}

// withDollars decodes a command: systemd is told of no dollar sign, since it does not always read those again that it wrote down.
func withDollars(command []string) []string {
	decode, plain := strings.NewReplacer("%24", "$", "%25", "%"), make([]string, len(command))
	for i, word := range command {
		plain[i] = decode.Replace(word)
	}
	return plain
}

func testify(path string) (int, error) {
	self, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return exitUsage, err
	}
	defer self.Close()
	if err := witness(path, os.Getenv("INVOCATION_ID"), "/sys/fs/cgroup", self); err != nil {
		return exitUsage, err
	}
	return 0, nil
}

// identity returns the environment of the server: the unit's own, and over it what the credential carries.
func identity(environ []string) ([]string, error) {
	var directory string
	own := make([]string, 0, len(environ))
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, directoryVariable+"="); ok {
			directory = value
			continue
		}
		if name, _, _ := strings.Cut(variable, "="); !credential.Allowed(name) {
			own = append(own, variable)
		}
	}
	if directory == "" {
		return nil, errors.New("the unit has no credentials")
	}
	b, err := read(filepath.Join(directory, credential.Name))
	if err != nil {
		return nil, err
	}
	variables, err := credential.Decode(b)
	if err != nil {
		return nil, err
	}
	for name, value := range variables {
		own = append(own, name+"="+value)
	}
	return own, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, credential.MaxSize+1))
}

// removeSocket removes what an earlier run of the same unit left: systemd restarts a unit without asking root's side. Only
// a socket is removed.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way of the server's socket: remove it", path)
	}
	return os.Remove(path)
}
