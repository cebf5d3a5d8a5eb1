package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
)

// selfSigned writes a certificate that is its own authority, with its key encrypted by the passphrase, if there is one.
func selfSigned(t *testing.T, dir, name, passphrase string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	kind, secret := "PRIVATE KEY", []byte(nil)
	if passphrase != "" {
		kind, secret = "ENCRYPTED PRIVATE KEY", []byte(passphrase)
	}
	sealed, err := pkcs8.MarshalPrivateKey(private, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: kind, Bytes: sealed}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// All three sides speak TLS as JupyterHub's internal_ssl has it: the API serves only whom its authority knows, targets have to
// be known to theirs, and keys may be encrypted.
func TestTLSOnEverySide(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir, "public", "open sesame")
	apiCert, apiKey := selfSigned(t, dir, "api", "")
	aliceCert, aliceKey := selfSigned(t, dir, "alice", "")
	pair, err := tls.LoadX509KeyPair(aliceCert, aliceKey)
	if err != nil {
		t.Fatal(err)
	}
	alice := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello "+r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	alice.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	alice.StartTLS()
	defer alice.Close()
	target := strings.Replace(alice.URL, "127.0.0.1", "localhost", 1)

	for _, c := range []struct {
		authority, more string
		want            string
	}{
		{aliceCert, "", "200 hello api"},
		{apiCert, "", "503"},
		{apiCert, "--insecure", "200 hello api"},
	} {
		args := []string{"--ssl-key", key, "--ssl-cert", cert, "--client-ssl-key", apiKey, "--client-ssl-cert", apiCert, "--client-ssl-ca", c.authority, "--default-target", target}
		if c.more != "" {
			args = append(args, c.more)
		}
		p := chpCommand(t, append([]string{"--socket=DIR/public", "--api-socket", "DIR/api", "--api-ssl-key", apiKey, "--api-ssl-cert", apiCert,
			"--api-ssl-ca", apiCert, "--api-ssl-request-cert", "--api-ssl-reject-unauthorized"}, args...)...)
		p.Env = append(p.Env, publicPassphrase+"=open sesame")
		p.start(t)
		if got := p.ask(t, "https:public", "GET", "/", ""); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: %s", filepath.Base(c.authority), c.more, got)
		}
		if c.more == "" {
			p.refusesStrangers(t, apiCert, apiKey)
		}
	}
	wrong := chpCommand(t, "--socket=DIR/public", "--api-socket=DIR/api", "--ssl-key", key, "--ssl-cert", cert)
	if wrong.Run(); !strings.Contains(wrong.said.String(), "its passphrase has to be given") {
		t.Errorf("without a passphrase: %s", wrong.said)
	}
}

// refusesStrangers looks that the API wants a client's certificate, and takes the good one.
func (c *chp) refusesStrangers(t *testing.T, cert, key string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, certificates := range [][]tls.Certificate{{pair}, nil} {
		conn, err := tls.Dial("unix", filepath.Join(c.dir, "api"), &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
		answer := ""
		if err == nil {
			io.WriteString(conn, "GET /api/routes HTTP/1.1\r\nHost: localhost\r\nAuthorization: token secret\r\nConnection: close\r\n\r\n")
			all, _ := io.ReadAll(conn) // a refusal comes with the first read
			answer = string(all)
			conn.Close()
		}
		if got := strings.HasPrefix(answer, "HTTP/1.1 200"); got != (certificates != nil) {
			t.Errorf("with %d certificates: %q, %v", len(certificates), answer, err)
		}
	}
}
