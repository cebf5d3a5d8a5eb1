package daemon

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listening stands in for systemd: it takes notifications one by one, and closes what comes with them.
func listening(t *testing.T) (heard chan string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "jhd") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv(notifyVariable, path)
	heard = make(chan string, 100)
	go func() {
		text, oob := make([]byte, 4096), make([]byte, 4096)
		for {
			n, oobn, _, _, err := l.ReadMsgUnix(text, oob)
			if err != nil {
				return
			}
			heard <- string(text[:n]) + came(oob[:oobn])
		}
	}()
	return heard
}

// came says what the first descriptor of a notification holds, and closes all.
func came(oob []byte) (content string) {
	parts, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return ""
	}
	for _, part := range parts {
		fds, err := unix.ParseUnixRights(&part)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "came")
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
				b, _ := io.ReadAll(f) // what cannot be read is seen as missing
				content += " with " + string(b)
			}
			f.Close()
		}
	}
	return content
}

// What is stored is with systemd before Store returns, by a name, and systemd is told not to look at it: a process that ends before
// its last words are read is nobody's any more.
func TestStore(t *testing.T) {
	heard := listening(t)
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte("a tunnel"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &Daemon{files: map[string][]*os.File{"tunnels": {f}}}
	if err := d.Store("tunnels", []*os.File{f}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "FDSTORE=1\nFDNAME=tunnels\nFDPOLL=0 with a tunnel" {
		t.Errorf("systemd hears %q", got)
	}
	if got := <-heard; got != "BARRIER=1" {
		t.Errorf("then it hears %q", got)
	}
	if got := d.Stored("tunnels"); len(got) != 1 || len(d.Stored("tunnels")) != 0 {
		t.Errorf("stored are %v, once", got)
	}
	if got := <-heard; got != "FDSTOREREMOVE=1\nFDNAME=tunnels" {
		t.Errorf("after it was taken out systemd hears %q", got)
	}
}

// Who has been followed says so as its last word, when it is sure that it was heard, and leaves what its successor needs.
func TestSucceeded(t *testing.T) {
	heard := listening(t)
	t.Setenv("WATCHDOG_USEC", "30000000")
	d := &Daemon{}
	if got := strings.Join(d.Inherited(), " "); !strings.Contains(got, "NOTIFY_SOCKET=/") || !strings.Contains(got, "WATCHDOG_USEC=30000000") || strings.Contains(got, "PATH=") {
		t.Errorf("a successor inherits %s", got)
	}
	if err := d.Succeeded(4711); err != nil {
		t.Fatal(err)
	}
	if first, second := <-heard, <-heard; first != "MAINPID=4711" || second != "BARRIER=1" {
		t.Errorf("systemd hears %q and %q", first, second)
	}
	d.Status("ending")
	if len(heard) > 0 {
		t.Errorf("it goes on talking: %q", <-heard)
	}
	if err := d.Store("tunnels", []*os.File{os.Stdin}); err == nil {
		t.Error("what nobody takes is stored")
	}
	if err := d.Succeeded(1); err != nil {
		t.Errorf("without systemd nobody has to be told: %v", err)
	}
}
