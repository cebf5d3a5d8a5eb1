package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// mob is a crowd of slow clients: each sends most of a large head, and the rest of it byte by byte. It is a process of its own, so that
// what it takes is not counted, and it has its own descriptors.
type mob struct {
	Addr       string
	Plain, TLS int // connections of HTTP/1
	Streams    int // of HTTP/2
	Head       int // bytes that come at once
}

const mobVariable = "PROXY_TEST_MOB"

func TestMain(m *testing.M) {
	if said := os.Getenv(mobVariable); said != "" {
		var one mob
		if err := json.Unmarshal([]byte(said), &one); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		one.gather()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// come starts the mob, and returns what waits until each of it has been there. It goes with the test.
func (m mob) come(t *testing.T) (there func()) {
	t.Helper()
	said, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), mobVariable+"="+string(said)), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return func() {
		t.Helper()
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "there\n" {
			t.Fatalf("the mob says %q, %v", line, err)
		}
	}
}

// gather is the mob's own process: it ends with its input.
func (m mob) gather() {
	var all sync.WaitGroup
	places := make(chan struct{}, 64)
	for kind, n := range map[string]int{"": m.Plain, "http/1.1": m.TLS, "h2": m.Streams} {
		for range n {
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				if c, err := m.begin(kind); err == nil {
					go dribble(c, kind)
				}
			})
		}
	}
	all.Wait()
	fmt.Println("there")
	io.Copy(io.Discard, os.Stdin)
}

// begin sends what comes at once. An error is a connection that was closed.
func (m mob) begin(protocol string) (net.Conn, error) {
	c, err := net.Dial("tcp", m.Addr)
	if err != nil {
		return nil, err
	}
	if protocol != "" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	}
	if protocol == "h2" {
		return c, m.beginStream(c)
	}
	_, err = io.WriteString(c, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n"+longFields(m.Head))
	return c, err
}

// longFields are field lines of so many bytes together. The last one has no end.
func longFields(bytes int) string {
	var b strings.Builder
	for i := 0; b.Len() < bytes; i++ {
		fmt.Fprintf(&b, "X-%d: %s\r\n", i, strings.Repeat("a", 4000))
	}
	return b.String() + "X-Last: "
}

func (m mob) beginStream(c net.Conn) error {
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return err
	}
	f := http2.NewFramer(c, c)
	if err := f.WriteSettings(); err != nil {
		return err
	}
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for i := 0; block.Len() < m.Head; i++ {
		fields.WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: strings.Repeat("~", 4000), Sensitive: true})
	}
	rest := block.Bytes()
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: rest[:16<<10]})
	for rest = rest[16<<10:]; err == nil && len(rest) > 0; rest = rest[min(len(rest), 16<<10):] {
		err = f.WriteContinuation(1, false, rest[:min(len(rest), 16<<10)])
	}
	return err
}

// dribble goes on with a head for as long as somebody listens.
func dribble(c net.Conn, protocol string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		<-tick.C
		var err error
		if protocol == "h2" {
			err = http2.NewFramer(c, nil).WriteContinuation(1, false, nil)
		} else {
			_, err = io.WriteString(c, "a")
		}
		if err != nil {
			c.Close()
			return
		}
	}
}
