package main

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/proxy"
)

// settings is the configuration in force, and how the proxy gets another one.
type settings struct {
	dir   string
	proxy *proxy.Proxy

	mu  sync.Mutex // one reload at a time; guards now
	now *config.Config
}

// load reads the configuration for the first time and returns the base URL.
func (s *settings) load() (baseURL string, err error) {
	c, err := config.Load(s.dir)
	if err != nil {
		return "", err
	}
	s.now = c
	return c.Hub.BaseURL, nil
}

// begin puts what load has read in force.
func (s *settings) begin(p *proxy.Proxy) error {
	s.proxy = p
	if err := p.Apply(translate(s.now)); err != nil {
		return certificateMistake(s.now, err)
	}
	return nil
}

// reload reads the configuration and the certificate again and puts them in force, or with check only says what would
// change. A mistake changes nothing.
func (s *settings) reload(_ context.Context, check bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := config.Load(s.dir)
	if err != nil {
		return nil, err
	}
	take := s.proxy.Apply
	if check {
		take = s.proxy.Check
	}
	if err := take(translate(next)); err != nil {
		return nil, certificateMistake(next, err)
	}
	var changes []string
	for _, c := range config.Changes(s.now, next, "proxy", "hub") {
		if strings.HasPrefix(c.Path, "proxy.") || c.Path == "hub.trusted_downstream_ips" {
			changes = append(changes, c.String())
		}
	}
	if !check {
		s.now = next
	}
	return changes, nil
}

// translate makes the proxy's settings of the configuration, whose values are checked.
func translate(c *config.Config) proxy.Settings {
	set := proxy.Settings{Certificate: proxy.Certificate{Chain: c.Proxy.TLSCertificate, Key: c.Proxy.TLSKey}}
	for _, s := range slices.Concat(c.Proxy.TrustedProxies, c.Hub.TrustedDownstreamIPs) {
		if p, err := netip.ParsePrefix(s); err == nil {
			set.Trusted = append(set.Trusted, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			a = a.Unmap()
			set.Trusted = append(set.Trusted, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return set
}

// certificateMistake says where the certificate is named that cannot be served.
func certificateMistake(c *config.Config, err error) error {
	at := c.Where("proxy.tls_certificate")
	return hub.Errorf(hub.Invalid, "%w", config.Mistakes{{File: at.File, Line: at.Line, Key: "proxy.tls_certificate",
		Text: err.Error() + "; user jupyterhub-proxy has to be able to read both files, and they have to belong together"}})
}
