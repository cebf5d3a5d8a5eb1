package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jupyterhubd/test/testbed"
)

// playedDemo makes this test program the demo.
const playedDemo = "DEMO_TEST_RUNS"

func TestMain(m *testing.M) {
	if os.Getenv(playedDemo) != "" {
		main()
		return
	}
	os.Exit(testbed.Main(m))
}

// started is a demo that runs, with its output line by line.
type started struct {
	*exec.Cmd
	port  int
	lines *bufio.Scanner
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	testbed.Needed(t)
	d := &started{port: freePort(t)}
	d.Cmd = exec.CommandContext(t.Context(), os.Args[0], append([]string{"--port", strconv.Itoa(d.port)}, args...)...)
	d.Env = append(os.Environ(), playedDemo+"=1")
	d.Stderr = os.Stderr
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.lines = bufio.NewScanner(out)
	return d
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// interrupt ends the demo as Ctrl-C does, and looks for what is left.
func (d *started) interrupt(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := d.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for d.lines.Scan() { // to the end of its output
	}
	if err := d.Wait(); err != nil {
		t.Errorf("being asked to end is no error: %v", err)
	}
	if left := testbed.Leftovers(d.Process.Pid); len(left) > 0 {
		t.Errorf("left on the host:\n%s", strings.Join(left, "\n"))
	}
	if c, err := net.Dial("tcp", loopback(d.port)); err == nil {
		c.Close()
		t.Error("somebody still listens at the demo's port")
	}
}

func TestDemoSaysWhereToGoAndAsWhom(t *testing.T) {
	t.Parallel()
	d := start(t, "--users", "4")
	line := regexp.MustCompile(fmt.Sprintf(`^JupyterHub is at http://127\.0\.0\.1:%d/  user: alice  password: [a-z0-9]{12}$`, d.port))
	said, others := "", ""
	for d.lines.Scan() && !strings.HasPrefix(d.lines.Text(), "Ctrl-C ends it") {
		if line.MatchString(d.lines.Text()) {
			said += d.lines.Text()
		}
		if strings.HasPrefix(d.lines.Text(), "  and for ") {
			others += d.lines.Text()
		}
	}
	if strings.Count(said, "JupyterHub is at") != 1 {
		t.Fatalf("said %q", said)
	}
	for _, name := range []string{"bob", "mallory", "user4", "admin"} {
		if !strings.Contains(others, name) {
			t.Errorf("no password for %s in %q", name, others)
		}
	}
	resp, err := http.Get("http://" + loopback(d.port) + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.Request.URL.Path != "/hub/login" || !strings.Contains(string(page), "password_input") {
		t.Errorf("a browser is led to %s: %v", resp.Request.URL, err)
	}
	http.DefaultClient.CloseIdleConnections()
	d.interrupt(t, os.Interrupt)
}

func TestDemoEndsWheneverItIsAsked(t *testing.T) {
	t.Parallel()
	for i, after := range []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second} {
		d := start(t)
		d.lines.Scan()      // "Booting"
		<-time.After(after) // at no event: that is the point
		d.interrupt(t, []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2])
	}
}

func TestDemoRefusesAPortThatIsTaken(t *testing.T) {
	testbed.Needed(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = run(t.Context(), io.Discard, l.Addr().(*net.TCPAddr).Port, 1)
	if err == nil || !strings.Contains(err.Error(), "address already in use; another one") {
		t.Errorf("said %v", err)
	}
}
