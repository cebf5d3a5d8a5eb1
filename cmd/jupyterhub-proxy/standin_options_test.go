package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// public opens a connection to the public door; a hang is a failure.
func (c *chp) public(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(c.dir, "public"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	return conn
}

// A client that rests for longer than --keep-alive-timeout is hung up on, after an answer and not in the middle of one.
func TestKeepAliveTimeout(t *testing.T) {
	c := startCHP(t, "--keep-alive-timeout", "200")
	conn := c.public(t)
	br := bufio.NewReader(conn)
	for range 2 {
		io.WriteString(conn, "GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("then: %v", err)
	}
}

// --ssl-protocol is the one that is spoken, at the public door and at the API's.
func TestOneProtocolOfTLS(t *testing.T) {
	cert, key := selfSigned(t, t.TempDir(), "public", "")
	for name, c := range map[string]struct{ twelve, thirteen bool }{"TLSv1_2": {true, false}, "TLSv1_3": {false, true}, "TLS": {true, true}} {
		p := startCHP(t, "--ssl-protocol", name, "--ssl-key", key, "--ssl-cert", cert, "--api-ssl-key", key, "--api-ssl-cert", cert)
		for version, want := range map[uint16]bool{tls.VersionTLS12: c.twelve, tls.VersionTLS13: c.thirteen} {
			for _, door := range []string{"public", "api"} {
				conn, err := tls.Dial("unix", filepath.Join(p.dir, door), &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
				if err == nil {
					conn.Close()
				}
				if (err == nil) != want {
					t.Errorf("%s, %s, by the %s door: %v", name, tls.VersionName(version), door, err)
				}
			}
		}
	}
}

// --ssl-request-cert asks clients for a certificate of --ssl-ca's, and --ssl-reject-unauthorized serves nobody without one. What
// targets are told does not depend on it.
func TestCertificatesOfClients(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir, "public", "")
	aliceCert, aliceKey := selfSigned(t, dir, "alice", "")
	malloryCert, malloryKey := selfSigned(t, dir, "mallory", "")
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer up.Close()
	asks := func(c *chp, files ...string) (line string, asked bool) {
		pair := tls.Certificate{}
		if files != nil {
			var err error
			if pair, err = tls.LoadX509KeyPair(files[0], files[1]); err != nil {
				t.Fatal(err)
			}
		}
		config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &pair, nil
		}
		conn := tls.Client(c.public(t), config)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		said, _ := io.ReadAll(conn) // a refusal comes with the first read
		line, _, _ = strings.Cut(string(said), "\r\n")
		return line, asked
	}
	const served = "HTTP/1.1 200 OK"
	for _, c := range []struct {
		more                   []string
		asked                  bool
		nobody, alice, mallory string
	}{
		{nil, false, served, served, served},
		{[]string{"--ssl-request-cert"}, true, served, served, served},
		{[]string{"--ssl-reject-unauthorized"}, false, served, served, served}, // of what nobody is asked for
		{[]string{"--ssl-request-cert", "--ssl-reject-unauthorized"}, true, "", served, ""},
	} {
		p := startCHP(t, append([]string{"--ssl-key", key, "--ssl-cert", cert, "--ssl-ca", aliceCert, "--default-target", up.URL}, c.more...)...)
		for who, one := range map[string]struct {
			files []string
			want  string
		}{"nobody": {nil, c.nobody}, "alice": {[]string{aliceCert, aliceKey}, c.alice}, "mallory": {[]string{malloryCert, malloryKey}, c.mallory}} {
			if got, asked := asks(p, one.files...); got != one.want || asked != c.asked {
				t.Errorf("%q: %s is told %q, not %q, and asked for a certificate: %t", c.more, who, got, one.want, asked)
			}
		}
	}
}

// Metrics are served at --metrics-ip and --metrics-port, to whoever asks and nothing but them, and nowhere without a port.
func TestMetricsAtAPort(t *testing.T) {
	begin := func(args ...string) (c *chp, said string) {
		c = chpCommand(t, append([]string{"--socket=DIR/public", "--api-socket=DIR/api", "--metrics-ip", "127.0.0.2"}, args...)...)
		c.begin(t)
		return c, c.await(t, "Proxy API at")
	}
	c, said := begin("--metrics-port", "0") // any that is free
	_, rest, ok := strings.Cut(said, "Serve metrics at ")
	at, _, _ := strings.Cut(rest, "\n")
	if !ok || !strings.HasPrefix(at, "127.0.0.2:") {
		t.Fatalf("it says %q", said)
	}
	if got := c.ask(t, "public", "GET", "/nowhere", ""); !strings.HasPrefix(got, "404 ") {
		t.Error(got)
	}
	for _, c := range []struct {
		method, path string
		status       int
		holds        string
	}{
		{"GET", "/metrics", 200, "\nrequests_proxy{status=\"404\"} 1\n"},
		{"POST", "/metrics", 405, ""},
		{"GET", "/", 404, ""},
		{"GET", "/api/routes", 404, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+at+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != c.status || !strings.Contains(string(text), c.holds) {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, text)
		}
	}
	if _, said := begin(); strings.Contains(said, "metrics") {
		t.Errorf("without a port it says %q", said)
	}
	_, port, _ := net.SplitHostPort(at)
	second := chpCommand(t, "--socket=DIR/public", "--api-socket=DIR/api", "--metrics-ip", "127.0.0.2", "--metrics-port", port)
	if err := second.Run(); err == nil || !strings.Contains(second.said.String(), "--metrics-ip and --metrics-port say where to listen instead") {
		t.Errorf("at a port that is taken: %v, %s", err, second.said)
	}
}
