package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// alone says that the test runs in a network namespace of its own.
const alone = "PROXY_TEST_ALONE"

// inNamespace runs a test once more, by itself, in a process without a network. It reports whether this is that process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) != "" {
		return true
	}
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		t.Skip("it needs a network of its own, which only root can make, with ip of iproute2")
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=0")
	again.Env = append(os.Environ(), alone+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		t.Skip("this machine lets nobody make a network")
	case err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// island is another machine: a network namespace, with a cable to this one that can be cut.
type island struct {
	t  *testing.T
	do chan func()
}

// Addresses at the cable's ends.
const (
	hereAddr  = "10.0.0.1"
	thereAddr = "10.0.0.2"
)

func newIsland(t *testing.T) *island {
	t.Helper()
	l := &island{t: t, do: make(chan func())}
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("make a network: %v", err)
		}
		tid <- unix.Gettid()
		for f := range l.do {
			f()
		}
	}()
	t.Cleanup(func() { close(l.do) })
	ip(t, "link set lo up")
	ip(t, fmt.Sprintf("link add cable type veth peer name cable netns %d", <-tid))
	ip(t, "addr add "+hereAddr+"/24 dev cable")
	ip(t, "link set cable up")
	l.at(func() {
		ip(t, "addr add "+thereAddr+"/24 dev cable")
		ip(t, "link set cable up")
	})
	return l
}

// at does something there.
func (l *island) at(f func()) {
	done := make(chan struct{})
	l.do <- func() { defer close(done); f() }
	<-done
}

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", line, err, out)
	}
}

// dial connects from there.
func (l *island) dial(addr string) (c net.Conn) {
	l.t.Helper()
	var err error
	l.at(func() { c, err = net.DialTimeout("tcp", addr, 30*time.Second) })
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// sink cuts the cable, and takes the machine away: nobody hears a word of it.
func (l *island) sink(all []net.Conn) {
	l.at(func() { ip(l.t, "link set cable down") })
	for _, c := range all {
		bare(c).SetLinger(0)
		c.Close()
	}
}

func (l *island) rise() { l.at(func() { ip(l.t, "link set cable up") }) }

// vanishing is how many clients come and go in the test below, and batch how many at one time.
func vanishing() (all, batch int) {
	if n, err := strconv.Atoi(os.Getenv("PROXY_SOAK")); err == nil {
		return n, 2000
	}
	return 80, 80
}

// Half of the clients close their connections, and half are gone without a word: the machine fell asleep, the train went into a
// tunnel. Whatever they were at (a WebSocket that is quiet, one that is being written to, a request that waits for its answer, half a
// request), the proxy finds out, lets the servers know, and has as many descriptors and as much memory as before.
func TestPeersThatVanish(t *testing.T) {
	if testing.Short() {
		t.Skip("the kernel takes seconds to find out")
	}
	if !inNamespace(t) {
		return
	}
	far := newIsland(t)
	s := &stage{t: t}
	var err error
	s.p, err = New(Options{APIPeers: []int64{0}, Grace: 10 * time.Millisecond,
		clients: keepalive{net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2}, 3 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	s.serveAt(listen(t, "tcp", hereAddr+":0"), listen(t, "unix", shortDir(t)+"/api"))
	_, port, _ := net.SplitHostPort(s.addr)
	there := net.JoinHostPort(hereAddr, port)
	up, conns := socketServer(t)
	s.alice(up.URL)
	waiting := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			<-r.Context().Done()
		}
	})
	s.route("/user/waiting", waiting.URL, "")
	begin := []func() (client, server net.Conn){
		func() (net.Conn, net.Conn) { return s.socket(far.dial(there), "/user/alice/ws"), <-conns },
		func() (net.Conn, net.Conn) {
			client, server := s.socket(far.dial(there), "/user/alice/ws"), <-conns
			io.WriteString(server, "\x81\x05hello") // and what comes later is never acknowledged
			return client, server
		},
		func() (net.Conn, net.Conn) {
			c := far.dial(there)
			io.WriteString(c, "GET /user/waiting/ HTTP/1.1\r\nHost: h\r\n\r\n")
			waiting.head(t)
			return c, nil
		},
		func() (net.Conn, net.Conn) {
			c := far.dial(there)
			io.WriteString(c, "POST /user/waiting/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
			waiting.head(t)
			return c, nil
		},
	}
	round := func(n int) {
		var gone, told []net.Conn
		for i := range n {
			client, server := begin[i%len(begin)]()
			if server != nil {
				told = append(told, server)
			}
			if i/len(begin)%2 == 0 {
				client.Close()
				continue
			}
			gone = append(gone, client)
		}
		far.sink(gone)
		for i, server := range told {
			if i%2 == 1 {
				io.WriteString(server, "\x81\x05hello")
			}
		}
		for _, server := range told {
			server.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := io.Copy(io.Discard, server); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("a server still has a WebSocket whose client is gone")
			}
			server.Close()
		}
		eventually(t, "nobody is left", func() bool { return s.p.crowd.count() == 0 })
		far.rise()
	}
	calm := func() (int, uint64) { return s.calm("/user/alice", "/user/waiting") }
	all, batch := vanishing()
	round(batch)
	files, heap := calm()
	for range all / batch {
		round(batch)
	}
	eventually(t, "the descriptors are back", func() bool { now, _ := calm(); return now <= files+files/20 })
	if _, now := calm(); now > heap+heap/20+1<<20 {
		t.Errorf("%d bytes of memory have become %d", heap, now)
	}
}
