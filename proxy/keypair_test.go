package proxy

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

// A private key may be encrypted, as OpenSSL does it now and as it did; without its passphrase the error says what is missing.
func TestEncryptedKeys(t *testing.T) {
	dir := t.TempDir()
	c, _ := certificate(t, dir)
	text, err := os.ReadFile(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	now, err := pkcs8.MarshalPrivateKey(key, []byte("sesame"), nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err := x509.EncryptPEMBlock(rand.Reader, "PRIVATE KEY", block.Bytes, []byte("sesame"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"PKCS 8": {Type: "ENCRYPTED PRIVATE KEY", Bytes: now}, "OpenSSL's own": before} {
		sealed := Certificate{Chain: c.Chain, Key: filepath.Join(dir, "sealed"), Passphrase: "sesame"}
		write(t, sealed.Key, pem.EncodeToMemory(b))
		if _, err := ReadKeyPair(sealed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		sealed.Passphrase = "wrong"
		if _, err := ReadKeyPair(sealed); err == nil {
			t.Errorf("%s: a wrong passphrase opens it", name)
		}
		sealed.Passphrase = ""
		if _, err := ReadKeyPair(sealed); err == nil || !strings.Contains(err.Error(), "passphrase has to be given") {
			t.Errorf("%s without a passphrase: %v", name, err)
		}
	}
}
