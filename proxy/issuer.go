package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// ACME says from whom certificates are got (RFC 8555). Naming domains agrees to the authority's terms.
type ACME struct {
	Domains   []string
	Email     string // where the authority may write to; "": nowhere
	Directory string // the authority's address; "": Let's Encrypt
	Roots     string // file with the roots that the authority's own certificate leads to; "": the system's
	Cache     string // directory that keeps the account and the certificates
}

// Times of an issuer. Authorities limit how often one may fail: Let's Encrypt to five times an hour for a name.
const (
	firstRetry  = 2 * time.Minute // longer than autocert remembers a failure
	longRetry   = time.Hour
	lookAgain   = 12 * time.Hour
	expiresSoon = 14 * 24 * time.Hour // autocert renews 30 days before the end
)

// issuer gets certificates and renews them. Handshakes never wait for an authority: they are served what is there.
type issuer struct {
	acme    ACME
	manager *autocert.Manager
	ready   map[string]*atomic.Bool // by domain; whether there is a certificate
}

func newIssuer(a ACME) (*issuer, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: handshakeTime,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if a.Roots != "" {
		pem, err := os.ReadFile(a.Roots)
		if err != nil {
			return nil, fmt.Errorf("read the roots of the certificate authority: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the roots of the certificate authority: %s holds no certificate in PEM", a.Roots)
		}
	}
	client := &acme.Client{DirectoryURL: cmp.Or(a.Directory, autocert.DefaultACMEDirectory), UserAgent: "jupyterhub-proxy",
		HTTPClient: &http.Client{Transport: newOrders(transport)}}
	i := &issuer{acme: a, ready: map[string]*atomic.Bool{}}
	for _, d := range a.Domains {
		name, err := idna.Lookup.ToASCII(d)
		if err != nil {
			return nil, fmt.Errorf("get a certificate for %s: %w", d, err)
		}
		i.ready[name] = new(atomic.Bool)
		if _, err := os.Stat(filepath.Join(a.Cache, name)); err == nil {
			i.ready[name].Store(true) // in the cache; whether it is still good, run sees in a moment
		}
	}
	ours := autocert.HostWhitelist(a.Domains...)
	i.manager = &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Cache), Email: a.Email, Client: client,
		// An authority that looks at a port may name it, even 80.
		HostPolicy: func(ctx context.Context, host string) error { return ours(ctx, hostAt(host, 0)) }}
	i.manager.HTTPHandler(nil) // from here on it answers HTTP-01, too
	return i, nil
}

// certificate is a tls.Config's GetCertificate. Nil without an error leaves the choice to the files.
func (i *issuer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Contains(hello.SupportedProtos, acme.ALPNProto) {
		return i.manager.GetCertificate(hello)
	}
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		name = i.acme.Domains[0] // asked without a name only where there are no files
	}
	if ready := i.ready[name]; ready == nil || !ready.Load() {
		return nil, nil
	}
	return i.get(name)
}

// get returns the certificate of a domain: the one at hand, or that in the cache, or else a new one, which takes its time.
// It is always an elliptic one, which every browser of the last ten years takes.
func (i *issuer) get(domain string) (*tls.Certificate, error) {
	return i.manager.GetCertificate(&tls.ClientHelloInfo{ServerName: domain,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
}

// run gets all certificates and looks after them until ctx ends. What autocert is in the middle of then ends by itself.
func (i *issuer) run(ctx context.Context, log zerolog.Logger, now func() time.Time) {
	var all sync.WaitGroup
	for domain, ready := range i.ready {
		all.Go(func() { i.tend(ctx, domain, ready, log, now) })
	}
	all.Wait()
}

func (i *issuer) tend(ctx context.Context, domain string, ready *atomic.Bool, log zerolog.Logger, now func() time.Time) {
	retry, pause := firstRetry, time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		cert, err := i.get(domain)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error().Str("domain", domain).Err(err).Str("again", retry.String()).Msg("no certificate for a domain")
			pause.Reset(retry)
			retry = min(2*retry, longRetry)
			continue
		case !ready.Swap(true):
			log.Info().Str("domain", domain).Time("until", cert.Leaf.NotAfter).Msg("a certificate for a domain")
		case cert.Leaf.NotAfter.Sub(now()) < expiresSoon:
			log.Error().Str("domain", domain).Time("until", cert.Leaf.NotAfter).Msg("the certificate of a domain ends and is not renewed")
		}
		retry = firstRetry
		pause.Reset(lookAgain)
	}
}

// keep lets the issuer of the ring in force work, until ctx ends.
func (c *certificates) keep(ctx context.Context) {
	for ctx.Err() == nil {
		work, stop := context.WithCancel(ctx)
		var one sync.WaitGroup
		if i := issuerOf(c.ring.Load()); i != nil {
			one.Go(func() { i.run(work, c.log, c.now) })
		}
		select {
		case <-ctx.Done():
		case <-c.changed:
		}
		stop() // one that asks an authority at the moment is not waited for
		go one.Wait()
	}
}
