package main

import (
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
	code, err := run(os.Args[1:], os.Environ(), syscall.Exec)
	if err != nil {
		fmt.Fprintf(os.Stderr, "jupyterhub-exec: %v\n", err)
	}
	os.Exit(code)
}

// run returns when it was a witness, or when the command could not take the process over.
func run(args, environ []string, exec func(string, []string, []string) error) (int, error) {
	flags := flag.NewFlagSet("jupyterhub-exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	socket := flags.String("socket", "", "socket that the server will make; a stale one is removed")
	testimony := flags.String("witness", "", "file to write down in what the unit's limits did")
	if err := flags.Parse(args); err != nil {
		return exitUsage, err
	}
	if *testimony != "" {
		return testify(*testimony)
	}
	command := flags.Args()
	if len(command) == 0 || !filepath.IsAbs(command[0]) {
		return exitUsage, errors.New("the command to run must be named with its whole path")
	}
	env, err := identity(environ)
	if err != nil {
		return exitCredential, fmt.Errorf("the server's identity did not arrive: %w", err)
	}
	if *socket != "" {
		if err := removeSocket(*socket); err != nil {
			return exitUsage, err
		}
	}
	err = exec(command[0], command, env)
	return exitCommandGone, fmt.Errorf("%s cannot be run: %w", command[0], err)
}

func testify(path string) (int, error) {
	self, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return exitUsage, err
	}
	defer self.Close()
	if err := witness(path, "/sys/fs/cgroup", self); err != nil {
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
