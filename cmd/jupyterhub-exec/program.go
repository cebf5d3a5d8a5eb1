package main

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is the command as a child: where it has to be relayed to, it cannot take this process over.
type program struct {
	command *exec.Cmd
	ended   chan struct{} // closed when it has
}

// start starts it with this process's own standard streams.
func start(argv, env []string) (*program, error) {
	p := &program{
		command: &exec.Cmd{Path: argv[0], Args: argv, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr},
		ended:   make(chan struct{}),
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // how it ended is in its state
	}()
	return p, nil
}

// passed are the signals that somebody sends to a server and means its program.
func passed() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
}

// ends reports whether a signal asks a program to end.
func ends(s os.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
}

// listen returns the signals that are to be passed on, from now on.
func listen() chan os.Signal {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed()...)
	return signals
}

// outcome is how it ended. Only once it has.
func (p *program) outcome() outcome {
	state, _ := p.command.ProcessState.Sys().(syscall.WaitStatus)
	if state.Signaled() {
		return outcome{by: state.Signal()}
	}
	return outcome{code: state.ExitStatus()}
}

// dieBy ends this process by a signal, so that systemd tells of it what it would have told of the program. Go's runtime has
// handlers of its own, which the kernel is asked to forget. It returns the shell's status for where that does not do.
func dieBy(s syscall.Signal) (status int) {
	// The core of interest is the program's, and it has been dumped.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // a core of ours would say nothing of the program, ignoring
	var byDefault [4]uint64                                       // struct sigaction of the kernel, SIG_DFL and no flags
	const maskBytes = 8
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&byDefault)), 0, maskBytes, 0, 0) // else the exit status says it, ignoring
	runtime.LockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), s) // to this thread: it does not come back
	return 128 + int(s)
}
