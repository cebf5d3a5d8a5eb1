package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/youmark/pkcs8"

	"jupyterhubd/hub"
)

// ReadKeyPair reads a certificate's files, and decrypts the key when it is encrypted.
func ReadKeyPair(c Certificate) (tls.Certificate, error) {
	chain, err := os.ReadFile(c.Chain)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the certificate: %w", err)
	}
	key, err := os.ReadFile(c.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the private key: %w", err)
	}
	if key, err = decryptKey(key, c.Passphrase); err != nil {
		return tls.Certificate{}, hub.Errorf(hub.Invalid, "the private key %s: %w", c.Key, err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, hub.Errorf(hub.Invalid, "the certificate %s with the key %s: %w", c.Chain, c.Key, err)
	}
	return pair, nil
}

// decryptKey returns a file's private key in the clear, in PEM: as PKCS #8 encrypts it (RFC 8018), or as older versions of
// OpenSSL did.
func decryptKey(text []byte, passphrase string) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return text, nil // whoever reads it says what is wrong
	}
	//lint:ignore SA1019 it is weak, and what people have
	legacy := x509.IsEncryptedPEMBlock(block)
	if !legacy && block.Type != "ENCRYPTED PRIVATE KEY" {
		return text, nil
	}
	if passphrase == "" {
		return nil, fmt.Errorf("it is encrypted: its passphrase has to be given")
	}
	if legacy {
		//lint:ignore SA1019 as above
		der, err := x509.DecryptPEMBlock(block, []byte(passphrase))
		if err != nil {
			return nil, fmt.Errorf("decrypt it: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(passphrase))
	if err != nil {
		return nil, fmt.Errorf("decrypt it: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
