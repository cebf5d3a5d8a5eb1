package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests below play systemd: they start this test binary again as a daemon, with sockets, a notification socket and a
// watchdog, and listen to what it says.
const playedRole = "DAEMON_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(playedRole)
	if role == "" {
		os.Exit(m.Run())
	}
	os.Exit(Main(Program{
		Name:  "jupyterhub-test",
		Doors: map[string]string{"door": "jupyterhub-test.socket"},
		Run:   roles[role],
	}))
}

var roles = map[string]func(context.Context, *Daemon) error{
	// greet serves one line a connection.
	"greet": func(ctx context.Context, d *Daemon) error {
		l, err := d.Listener("door")
		if err != nil {
			return err
		}
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				fmt.Fprintln(c, "good day")
				c.Close()
			}
		}()
		d.OnReload(func(context.Context) error { return nil })
		d.Ready("serving\nalice")
		return d.Watchdog(ctx, func(context.Context) error { return nil })
	},
	// hangup is told to reload before anything else.
	"hangup": func(ctx context.Context, d *Daemon) error {
		d.OnReload(func(context.Context) error { return nil })
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	},
	"ill": func(ctx context.Context, d *Daemon) error {
		return d.Watchdog(ctx, func(context.Context) error {
			d.Status("asked")
			return errors.New("the main loop hangs")
		})
	},
	"mistaken": func(context.Context, *Daemon) error {
		return errors.New("jupyterhub.toml:3: hub.base_url: no\njupyterhub.toml:7: spawner.cmd: no")
	},
	"answer": func(_ context.Context, d *Daemon) error {
		c, err := d.Conn()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c, "one answer")
		return err
	},
}

// played is a daemon under a systemd that the test plays.
type played struct {
	cmd     *exec.Cmd
	notices chan string
	errors  *strings.Builder
}

// play starts a role with the files as sockets of the given names, as systemd does: from descriptor 3 on.
func play(t *testing.T, role, names string, files ...*os.File) *played {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &played{notices: make(chan string, 1000), errors: new(strings.Builder)}
	go func() {
		buf := make([]byte, 4096)
		for n, err := l.Read(buf); err == nil; n, err = l.Read(buf) {
			p.notices <- string(buf[:n])
		}
	}()
	// The shell becomes the daemon, so that LISTEN_PID is right.
	p.cmd = exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	p.cmd.Env = append(os.Environ(), playedRole+"="+role, "NOTIFY_SOCKET="+path, "JOURNAL_STREAM=1:1", "WATCHDOG_USEC=90000",
		fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+names)
	p.cmd.ExtraFiles = files
	p.cmd.Stderr = p.errors
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// hear waits for a notification that contains the text.
func (p *played) hear(t *testing.T, text string) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case said := <-p.notices:
			if strings.Contains(said, text) {
				return said
			}
		case <-late:
			t.Fatalf("never heard %q; standard error: %s", text, p.errors)
		}
	}
}

func door(t *testing.T) (addr string, file *os.File) {
	t.Helper()
	addr = filepath.Join(t.TempDir(), "door")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	file, err = l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return addr, file
}

func TestDaemonServesTheDoorThatSystemdHandsOver(t *testing.T) {
	addr, file := door(t)
	p := play(t, "greet", "door", file)
	if said := p.hear(t, "READY=1"); said != "READY=1\nSTATUS=serving alice" {
		t.Errorf("said %q: a status has to stay on one line", said)
	}
	p.hear(t, "WATCHDOG=1")

	c, err := net.Dial("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(c).ReadString('\n'); line != "good day\n" {
		t.Errorf("the door answered %q", line)
	}

	p.cmd.Process.Signal(syscall.SIGHUP)
	if said := p.hear(t, "RELOADING=1"); !strings.Contains(said, "\nMONOTONIC_USEC=") {
		t.Errorf("said %q without the time", said)
	}
	p.hear(t, "READY=1")

	p.cmd.Process.Signal(syscall.SIGTERM)
	p.hear(t, "STOPPING=1")
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("a stop that was asked for is a good end, got %v: %s", err, p.errors)
	}
	if _, err := os.Stat(addr); err != nil {
		t.Errorf("the socket's file belongs to its unit and has to stay: %v", err)
	}
}

func TestEarliestReloadIsNoEnd(t *testing.T) {
	p := play(t, "hangup", "")
	p.hear(t, "RELOADING=1")
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("ended with %v: %s", err, p.errors)
	}
}

func TestDaemonStartedByHandNamesItsSocketUnit(t *testing.T) {
	p := play(t, "greet", "")
	if err := p.cmd.Wait(); err == nil {
		t.Error("a daemon without its door ended well")
	}
	if !strings.Contains(p.errors.String(), "systemctl start jupyterhub-test.socket") {
		t.Errorf("said %q", p.errors)
	}
}

func TestListenerRefusesASecondSocketOfTheName(t *testing.T) {
	_, one := door(t)
	_, two := door(t)
	p := play(t, "greet", "door:door", one, two)
	if err := p.cmd.Wait(); err == nil || !strings.Contains(p.errors.String(), "2 sockets named") {
		t.Errorf("got %v, said %q", err, p.errors)
	}
}

func TestWatchdogIsNotPingedWithoutProof(t *testing.T) {
	p := play(t, "ill", "")
	for range 3 {
		if said := p.hear(t, "="); said != "STATUS=asked" {
			t.Errorf("said %q, though the work gave no sign of life", said)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	if !strings.Contains(p.errors.String(), `<3>no sign of life for the watchdog error="the main loop hangs"`) {
		t.Errorf("said %q", p.errors)
	}
}

// Between two pings no timer of Go's is left that would wake a daemon which has nothing to do: the kernel's clock rings, three
// times in what the watchdog waits.
func TestTheKernelRingsForTheWatchdog(t *testing.T) {
	_, file := door(t)
	p := play(t, "greet", "door", file)
	for range 3 {
		p.hear(t, "WATCHDOG=1")
	}
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	bells := 0
	for _, d := range descriptors {
		if info, _ := os.ReadFile(d); strings.Contains(string(info), "it_interval: (0, 30000000)") {
			bells++
		}
	}
	if bells != 1 {
		t.Errorf("%d of its descriptors ring every 30 ms", bells)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestEveryMistakeIsALineOfItsOwn(t *testing.T) {
	p := play(t, "mistaken", "")
	p.hear(t, "STATUS=jupyterhub.toml:3: hub.base_url: no")
	if p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != exitBad {
		t.Errorf("ended with %d", p.cmd.ProcessState.ExitCode())
	}
	want := "<3>cannot go on err=\"jupyterhub.toml:3: hub.base_url: no\"\n<3>cannot go on err=\"jupyterhub.toml:7: spawner.cmd: no\"\n"
	if p.errors.String() != want {
		t.Errorf("said %q, want %q", p.errors, want)
	}
}

func TestAcceptedConnectionIsTheFirstDescriptor(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	p := play(t, "answer", "connection", theirs)
	theirs.Close()
	if line, _ := bufio.NewReader(ours).ReadString('\n'); line != "one answer\n" {
		t.Errorf("answered %q: %s", line, p.errors)
	}
	p.cmd.Wait()
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		done bool
		out  string
	}{
		{[]string{"--version"}, exitGood, true, "jupyterhub-test "},
		{[]string{"--help"}, exitGood, true, "-config"},
		{[]string{"--nonsense"}, exitUsage, true, "nonsense"},
		{[]string{"stray"}, exitUsage, true, `unexpected argument "stray"`},
		{[]string{"--config", "/srv/etc"}, 0, false, ""},
	} {
		var out strings.Builder
		d := &Daemon{program: Program{Name: "jupyterhub-test"}}
		code, done := d.parse(c.args, &out, &out)
		if code != c.code || done != c.done || !strings.Contains(out.String(), c.out) {
			t.Errorf("%q: code %d, done %t, said %q", c.args, code, done, out.String())
		}
	}
}
