package main

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
	"jupyterhubd/proxy"
)

// settings is the configuration in force, and how the proxy gets another one.
type settings struct {
	dir   string
	acme  string // directory that keeps what an authority gave us
	proxy *proxy.Proxy

	mu  sync.Mutex // one reload at a time; guards now
	now *config.Config
}

// load reads the configuration for the first time and returns what it says of the hub.
func (s *settings) load() (config.Hub, error) {
	c, err := config.Load(s.dir)
	if err != nil {
		return config.Hub{}, err
	}
	s.now = c
	return c.Hub, nil
}

// begin puts what load has read in force.
func (s *settings) begin(p *proxy.Proxy) error {
	s.proxy = p
	if err := p.Apply(s.translate(s.now)); err != nil {
		return s.mistake(s.now, err)
	}
	return nil
}

// drain is how long connections may stay at a proxy that another has followed.
func (s *settings) drain() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.Proxy.DrainTimeout.Std()
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
	if err := take(s.translate(next)); err != nil {
		return nil, s.mistake(next, err)
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
func (s *settings) translate(c *config.Config) proxy.Settings {
	set := proxy.Settings{TLS: proxy.TLS{
		ACME: proxy.ACME{Domains: c.Proxy.ACMEDomains, Email: c.Proxy.ACMEEmail, Directory: c.Proxy.ACMEDirectory,
			Roots: c.Proxy.ACMERoots, Cache: s.acme},
		HSTS: c.Proxy.HSTSMaxAge.Std(), RedirectPort: int(c.Proxy.RedirectPort), RedirectTo: int(c.Proxy.RedirectToPort),
	}}
	if c.Proxy.TLSCertificate != "" {
		set.TLS.Certificates = append(set.TLS.Certificates, proxy.Certificate{Chain: c.Proxy.TLSCertificate, Key: c.Proxy.TLSKey})
	}
	for _, chain := range slices.Sorted(maps.Keys(c.Proxy.TLSCertificates)) {
		set.TLS.Certificates = append(set.TLS.Certificates, proxy.Certificate{Chain: chain, Key: c.Proxy.TLSCertificates[chain]})
	}
	set.Silence = c.Proxy.WebSocketSilence.Std()
	set.Bounds = proxy.Bounds{
		ClientConnections: int(c.Proxy.MaxConnectionsPerClient),
		ClientRate:        int(c.Proxy.RequestRatePerClient),
		UserRequests:      int(c.Proxy.MaxRequestsPerUser),
		UserWebSockets:    int(c.Proxy.MaxWebSocketsPerUser),
		UserRate:          int(c.Proxy.RequestRatePerUser),
		Memory:            int64(c.Proxy.SlowClientMemory),
	}
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

// mistake says where that is set which Apply or Check refused with err.
func (s *settings) mistake(c *config.Config, err error) error {
	key, remedy := "proxy.acme_roots", "user jupyterhub-proxy has to be able to read the file"
	for i, pair := range s.translate(c).TLS.Certificates {
		if s.proxy.Check(proxy.Settings{TLS: proxy.TLS{Certificates: []proxy.Certificate{pair}}}) == nil {
			continue
		}
		key, remedy = "proxy.tls_certificates", "user jupyterhub-proxy has to be able to read both files, and they have to belong together"
		if i == 0 && c.Proxy.TLSCertificate != "" {
			key = "proxy.tls_certificate"
		}
		break
	}
	at := c.Where(key)
	return hub.Errorf(hub.Invalid, "%w", config.Mistakes{{File: at.File, Line: at.Line, Key: key, Text: err.Error() + "; " + remedy}})
}
