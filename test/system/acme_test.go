package system

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"jupyterhubd/test/testbed"
)

// Where a certificate authority of the tests listens inside a bed: Pebble, with a name server that knows every name as this
// machine's.
const (
	pebbleAddress    = "127.0.0.1:14000"
	pebbleManagement = "127.0.0.1:15000"
	pebbleNames      = "127.0.0.1:8053"
	pebbleDir        = "/run/pebble"
)

// pebble runs an authority until the play ends, or the next one begins. It looks for TLS-ALPN-01 at the port given and for
// HTTP-01 at 80.
func (s *stage) pebble(tlsPort int) {
	s.t.Helper()
	programs := testbed.Environment("pebble-v2.10.1")
	if _, err := os.Stat(filepath.Join(programs, "pebble")); err != nil {
		s.t.Skipf("the authority is not there, test/testbed/pebble builds it: %v", err)
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": pebbleAddress, "managementListenAddress": pebbleManagement,
		"certificate": pebbleDir + "/cert.pem", "privateKey": pebbleDir + "/key.pem",
		"httpPort": 80, "tlsPort": tlsPort, "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.run("sh", "-c", "systemctl stop play-pebble.service play-names.service 2>/dev/null || true")
	s.run("mkdir", "--parents", pebbleDir)
	s.put(pebbleDir+"/config.json", string(config), 0o644)
	s.run("sh", "-c", `cd "$1" && [ -e cert.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 `+
		`-subj /CN=authority -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null && chmod 0644 cert.pem`, "sh", pebbleDir)
	s.run("systemd-run", "--quiet", "--collect", "--unit=play-names", filepath.Join(programs, "pebble-challtestsrv"), "-defaultIPv4=127.0.0.1",
		"-defaultIPv6=", "-dnsserver="+pebbleNames, "-http01=", "-https01=", "-tlsalpn01=", "-doh=", "-management=127.0.0.1:8055")
	s.run("systemd-run", "--quiet", "--collect", "--unit=play-pebble", "--setenv=PEBBLE_VA_NOSLEEP=1",
		filepath.Join(programs, "pebble"), "-strict", "-config", pebbleDir+"/config.json", "-dnsserver", pebbleNames)
	s.t.Cleanup(func() {
		// Its successor's start may have stopped it.
		_, _ = s.Run(s.t.Context(), "systemctl", "stop", "play-pebble.service", "play-names.service")
	})
	s.eventually("the authority answers", func() bool { _, err := s.authority(); return err == nil })
}

// authority returns the root of the certificates that Pebble gives; it makes another at each start.
func (s *stage) authority() (*x509.CertPool, error) {
	transport := s.Transport()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	resp, err := (&http.Client{Transport: transport}).Get("https://" + pebbleManagement + "/roots/0")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	root, err := io.ReadAll(resp.Body)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(root) {
		err = errors.New("no root")
	}
	return pool, err
}

// listening opens more ports of the proxy until the play ends.
func (s *stage) listening(ports ...int) {
	s.t.Helper()
	var lines bytes.Buffer
	for _, port := range ports {
		fmt.Fprintf(&lines, "ListenStream=127.0.0.1:%d\n", port)
	}
	s.afterwards("systemctl", "restart", "jupyterhub-proxy.socket")
	s.dropped("/etc/systemd/system/jupyterhub-proxy.socket.d/50-play.conf", "[Socket]\n"+lines.String())
	s.run("systemctl", "restart", "jupyterhub-proxy.socket")
}

// shows does a handshake at port 443 and returns the certificate, if it is one that the roots vouch for.
func (s *stage) shows(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	raw, err := s.Dial(s.ctx, "tcp", "127.0.0.1:443")
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}})
	if err := c.HandshakeContext(s.ctx); err != nil {
		return nil, err
	}
	if got := c.ConnectionState(); got.NegotiatedProtocol != "h2" {
		return nil, fmt.Errorf("%s is spoken", got.NegotiatedProtocol)
	}
	return c.ConnectionState().PeerCertificates[0], nil
}

// got waits until the proxy has a certificate of the authority for a name.
func (s *stage) got(name string, roots *x509.CertPool) (cert *x509.Certificate) {
	s.t.Helper()
	s.eventually("a certificate for "+name, func() bool {
		var err error
		cert, err = s.shows(name, roots)
		return err == nil
	})
	return cert
}

// A certificate is asked of a real authority by a line of configuration, by each of the two ways in which the authority can
// look whose name it is. It outlives the proxy, which does not ask again; and the plain port sends everybody to https.
func TestCertificatesByACME(t *testing.T) {
	s := onStage(t)
	s.pebble(443)
	s.listening(443, 80)
	const config = "[proxy]\nacme_domains = [%q]\nacme_email = \"admin@example.org\"\nacme_directory = \"https://" + pebbleAddress +
		"/dir\"\nacme_roots = \"" + pebbleDir + "/cert.pem\"\n"
	s.afterwards("rm", "--recursive", "/var/lib/jupyterhub-proxy/acme")
	s.configure(fmt.Sprintf(config, "hub.example.org"))
	roots, err := s.authority()
	if err != nil {
		t.Fatal(err)
	}
	first := s.got("hub.example.org", roots)
	if _, err := s.shows("evil.example.org", roots); err == nil {
		t.Error("a name that nobody configured has a certificate")
	}
	s.run("systemctl", "restart", "jupyterhub-proxy.service")
	if again := s.got("hub.example.org", roots); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("another certificate was asked for after a restart")
	}
	if out := s.run("curl", "--silent", "--include", "http://127.0.0.1/hub/login?a=b", "--header", "Host: hub.example.org"); !bytes.Contains([]byte(out),
		[]byte("Location: https://hub.example.org/hub/login?a=b\r\n")) {
		t.Errorf("the plain port answers\n%s", out)
	}

	s.pebble(9) // where nobody listens, so that HTTP-01 is what is left
	if roots, err = s.authority(); err != nil {
		t.Fatal(err)
	}
	s.configure(fmt.Sprintf(config, "lab.example.org"))
	s.got("lab.example.org", roots)
	if mode := s.run("stat", "--format=%a %U", "/var/lib/jupyterhub-proxy/acme"); mode != "700 jupyterhub-proxy" {
		t.Errorf("what the authority gave is kept in a directory with %s", mode)
	}
}
