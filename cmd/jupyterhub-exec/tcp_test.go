package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/hub/credential"
)

// part says what this test binary plays when it is started once more: jupyterhub-exec itself, or the command that it runs.
const part = "JUPYTERHUB_EXEC_PART"

func TestMain(m *testing.M) {
	switch os.Getenv(part) {
	case "exec":
		os.Setenv(part, "command")
		main()
	case "command":
		os.Exit(play(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// play is a program that knows ports alone: it tells every visitor what it was told itself, and once asked to end it ends as
// its first argument says.
func play(args []string) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if args[0] == "gone" {
		return 3
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s %s", args[1], os.Getenv(serviceURL))
			c.Close()
		}
	}()
	<-signals
	if args[0] == "crash" {
		return dieBy(syscall.SIGSEGV)
	}
	return 7
}

// played starts jupyterhub-exec with such a program behind a socket.
func played(t *testing.T, how string) (cmd *exec.Cmd, socket string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tcp") // an address has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	env := unit(t, whole(t, credential.Environment{serviceURL: "http://127.0.0.1:8888/user/alice/"}))
	cmd = exec.CommandContext(t.Context(), self, "--socket", socket, "--tcp", "--", self, how, "{port}")
	cmd.Env, cmd.Stderr = append(env, part+"=exec"), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, socket
}

// says returns what the program says to a visitor, once it can be reached.
func says(t *testing.T, socket string) string {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			defer c.Close()
			text, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

func TestAProgramThatKnowsPortsAloneIsReachedAtItsSocket(t *testing.T) {
	cmd, socket := played(t, "well")
	said := says(t, socket)
	port, told, _ := strings.Cut(said, " ")
	if told != "http://127.0.0.1:"+port+"/user/alice/" {
		t.Errorf("the program says %q", said)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestItEndsAsTheProgramEnds(t *testing.T) {
	cmd, _ := played(t, "gone")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("a program that ends with 3: %v", err)
	}
	cmd, socket := played(t, "crash")
	says(t, socket)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGSEGV {
		t.Errorf("a program that crashes: %v", err)
	}
}

// served relays to a program at a port that serves each connection, and returns the socket.
func served(t *testing.T, uid int, serve func(net.Conn)) (socket string, r relay) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	dir, err := os.MkdirTemp("", "tcp")
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	r = relay{tables: kernelTables(), uid: uid, port: l.Addr().(*net.TCPAddr).AddrPort().Port()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.serve(ctx, near) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		l.Close()
		os.RemoveAll(dir)
	})
	return near.Addr().String(), r
}

// What a visitor says arrives whole, its end is passed on, and what is answered after that arrives whole as well.
func TestEachDirectionEndsByItself(t *testing.T) {
	socket, _ := served(t, os.Getuid(), func(c net.Conn) {
		defer c.Close()
		text, _ := io.ReadAll(c)
		_, _ = c.Write(append(text, text...))
	})
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			text := bytes.Repeat([]byte{byte(n)}, n<<15)
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = c.Write(text)
			_ = c.(*net.UnixConn).CloseWrite()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, append(text, text...)) {
				t.Errorf("%d bytes were answered by %d, %v", len(text), len(got), err)
			}
		})
	}
	all.Wait()
}

// Vulnerability: a port belongs to whoever is first, and the relay carries the tokens of its user's visitors.
// Attack: mallory's program listens where alice's should.
// Verified: the connection is closed, and not one byte has been said to mallory.
func TestAStrangerAtThePortHearsNothing(t *testing.T) {
	heard := make(chan []byte, 1)
	socket, r := served(t, os.Getuid()+1, func(c net.Conn) {
		defer c.Close()
		text, _ := io.ReadAll(c)
		heard <- text
	})
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("Authorization: token secret"))
	_ = c.(*net.UnixConn).CloseWrite()
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("mallory answered %q", got)
	}
	if got := <-heard; len(got) > 0 {
		t.Errorf("mallory heard %q", got)
	}
	if err := r.await(t.Context()); !errors.Is(err, errStranger) {
		t.Errorf("waiting for the port: %v", err)
	}
}

// A connection that nobody has accepted yet is whose listener it waits at.
func TestAConnectionThatWaitsBelongsToTheListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends := [2]netip.AddrPort{c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()}
	for uid, want := range map[int]error{os.Getuid(): nil, os.Getuid() + 1: errStranger} {
		r := relay{tables: kernelTables(), uid: uid, port: ends[1].Port()}
		if err := r.own(ends[0], ends[1]); !errors.Is(err, want) {
			t.Errorf("for uid %d: %v, want %v", uid, err, want)
		}
	}
}

func TestTheAddressIsSaidOnceWithItsPath(t *testing.T) {
	for _, play := range []struct{ env, want []string }{
		{nil, []string{"JUPYTERHUB_SERVICE_URL=http://127.0.0.1:81/"}},
		{[]string{"A=b", "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:8888/user/a%20b/"}, []string{"A=b", "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:81/user/a%20b/"}},
		{[]string{"JUPYTERHUB_SERVICE_URL=::", "A=b"}, []string{"A=b", "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:81/"}},
	} {
		if got := withURL(play.env, 81); strings.Join(got, "\n") != strings.Join(play.want, "\n") {
			t.Errorf("of %q came %q", play.env, got)
		}
	}
	if got := withPort([]string{"rserver", "--www-port={port}", "{port}{port}"}, 81); strings.Join(got, " ") != "rserver --www-port=81 8181" {
		t.Errorf("the command became %q", got)
	}
}
