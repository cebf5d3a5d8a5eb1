package proxy

import (
	"crypto/tls"
	"sync/atomic"
)

// certificates serves TLS with what was loaded last. Connections that are open keep what they began with.
type certificates struct {
	now atomic.Pointer[tls.Config] // nil: plain HTTP
}

// Certificate names the files of a certificate: the chain and its private key, in PEM. The zero Certificate is plain HTTP.
type Certificate struct {
	Chain, Key string
	Passphrase string // of an encrypted key
}

// readCertificate reads and checks the files, and returns how TLS is served with them: from 1.2 on, HTTP/2 where the browser
// can, and HTTP/1.1 for the rest of them and for every WebSocket (D11).
func readCertificate(c Certificate) (*tls.Config, error) {
	if c == (Certificate{}) {
		return nil, nil
	}
	pair, err := ReadKeyPair(c)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}, nil
}
