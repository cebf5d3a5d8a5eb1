package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"

	"jupyterhubd/hub/config"
)

// somebody is the first label of a host that a user could have.
const somebody = "somebody"

// uncovered says whether the proxy ends TLS and has no certificate for the hosts of users.
func uncovered(c *config.Config) []string {
	at, err := url.Parse(c.Hub.SubdomainHost)
	if err != nil || at.Scheme != "https" || c.Proxy.TLSCertificate == "" && len(c.Proxy.TLSCertificates)+len(c.Proxy.ACMEDomains) == 0 {
		return nil // without TLS of ours somebody else ends it
	}
	pairs := map[string]string{c.Proxy.TLSCertificate: c.Proxy.TLSKey}
	maps.Copy(pairs, c.Proxy.TLSCertificates)
	for chain, key := range pairs {
		pair, err := tls.LoadX509KeyPair(chain, key)
		if err == nil && pair.Leaf.VerifyHostname(somebody+"."+at.Hostname()) == nil {
			return nil
		}
	}
	return []string{fmt.Sprintf("no certificate is good for the hosts of users below subdomain_host: name one for *.%s in tls_certificate; "+
		"acme_domains gets none, because authorities give wildcards by DNS-01 alone, which certbot, lego or acme.sh do", at.Hostname())}
}

// adrift says whether the DNS knows the hosts of users.
func (a *app) adrift(ctx context.Context, c *config.Config) []string {
	at, err := url.Parse(c.Hub.SubdomainHost)
	if err != nil || at.Hostname() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err = a.resolve(ctx, somebody+"."+at.Hostname())
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return []string{fmt.Sprintf("the DNS knows no %s: add a record *.%s that leads to this machine, for the hosts of users", somebody+"."+at.Hostname(), at.Hostname())}
	}
	return nil
}
