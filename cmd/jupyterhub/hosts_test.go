package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for names, and its key, and returns the lines of [proxy] that name them.
func (m *stage) certificate(names ...string) string {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		m.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(m.at(file), pem.EncodeToMemory(block), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	return "tls_certificate='" + m.at("cert.pem") + "'\ntls_key='" + m.at("key.pem") + "'\n"
}

// Hosts of users want a certificate that is good for all of them. Who ends TLS elsewhere is not asked for one.
func TestCheckConfigMissesAWildcardCertificate(t *testing.T) {
	for name, tt := range map[string]struct {
		proxy  func(*stage) string
		misses bool
	}{
		"a wildcard":    {func(m *stage) string { return m.certificate("hub.example.org", "*.hub.example.org") }, false},
		"the hub's own": {func(m *stage) string { return m.certificate("hub.example.org") }, true},
		"a deeper one":  {func(m *stage) string { return m.certificate("*.example.org") }, true},
		"ACME":          {func(*stage) string { return "acme_domains=['hub.example.org']\n" }, true},
		"both": {func(m *stage) string {
			return m.certificate("*.hub.example.org") + "acme_domains=['hub.example.org']\n"
		}, false},
		"somebody else's": {func(*stage) string { return "" }, false},
	} {
		m := newMachine(t, "")
		m.write("jupyterhub.toml", "[hub]\nsubdomain_host='https://hub.example.org'\n[authenticator]\nallow_all=true\n[proxy]\n"+tt.proxy(m))
		if got := m.run("check-config"); strings.Contains(got, "no certificate is good for the hosts of users") != tt.misses {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDoctorMissesAWildcardRecord(t *testing.T) {
	const told = "the DNS knows no somebody.hub.example.org: add a record *.hub.example.org that leads to this machine"
	m := newMachine(t, "[hub]\nsubdomain_host='https://hub.example.org'\n[authenticator]\nallow_all=true\n")
	if got := m.run("doctor"); !strings.Contains(got, told) {
		t.Errorf("without a record: %s", got)
	}
	m.app.resolve = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
	if got := m.run("doctor"); strings.Contains(got, "DNS") {
		t.Errorf("with a record: %s", got)
	}
}
