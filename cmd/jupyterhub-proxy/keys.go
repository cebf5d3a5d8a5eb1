package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"jupyterhubd/hub"
	"jupyterhubd/proxy"
)

// Environment variables of configurable-http-proxy's with the passphrases of private keys.
const (
	publicPassphrase = "CONFIGPROXY_SSL_KEY_PASSPHRASE"
	apiPassphrase    = "CONFIGPROXY_API_SSL_KEY_PASSPHRASE"
)

// settings are what of the command line is read again at a reload: the public certificate, from its files.
func (l *line) settings() (proxy.Settings, error) {
	s := proxy.Settings{Trusted: l.trusted, Bounds: l.bounds, Silence: l.silence}
	if l.tls.cert == "" {
		return s, nil
	}
	demand, err := l.tls.clients()
	if err != nil {
		return s, err
	}
	s.TLS.Certificates = []proxy.Certificate{{Chain: l.tls.cert, Key: l.tls.key, Passphrase: os.Getenv(publicPassphrase)}}
	s.TLS.Adjust = func(c *tls.Config) {
		limit(c, l.tlsProtocol)
		demand(c)
	}
	return s, nil
}

// server is how a door with these keys speaks TLS; nil without keys.
func (k keys) server(passphrase, protocol string) (*tls.Config, error) {
	if k.cert == "" {
		return nil, nil
	}
	pair, err := proxy.ReadKeyPair(proxy.Certificate{Chain: k.cert, Key: k.key, Passphrase: os.Getenv(passphrase)})
	if err != nil {
		return nil, err
	}
	demand, err := k.clients()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	limit(config, protocol)
	demand(config)
	return config, nil
}

// clients is what clients of a door are asked for.
func (k keys) clients() (func(*tls.Config), error) {
	pool, err := readAuthorities(k.ca)
	if err != nil {
		return nil, err
	}
	return func(c *tls.Config) {
		switch {
		case k.ask && k.mustVerify:
			c.ClientAuth = tls.RequireAndVerifyClientCert
		case k.ask:
			c.ClientAuth = tls.RequestClientCert
		}
		c.ClientCAs = pool
	}, nil
}

// client is how https targets are spoken to; nil for the usual way.
func (k keys) client(insecure bool) (*tls.Config, error) {
	if k == (keys{ask: k.ask, mustVerify: k.mustVerify}) && !insecure {
		return nil, nil
	}
	pool, err := readAuthorities(k.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: pool, InsecureSkipVerify: insecure}
	if k.cert != "" {
		pair, err := proxy.ReadKeyPair(proxy.Certificate{Chain: k.cert, Key: k.key})
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authorities: %w; the file has to hold certificates in PEM", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, hub.Errorf(hub.Invalid, "%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// limit holds TLS to what --ssl-protocol says.
func limit(c *tls.Config, protocol string) {
	switch protocol {
	case "TLSv1_2":
		c.MaxVersion = tls.VersionTLS12
	case "TLSv1_3":
		c.MinVersion = tls.VersionTLS13
	}
}
