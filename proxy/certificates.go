package proxy

import (
	"crypto/tls"
	"errors"
	"os"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/acme"
)

// TLS says how the public door is encrypted. The zero TLS is plain HTTP.
type TLS struct {
	Certificates []Certificate     // the first is for clients that ask for no name, or for one that no certificate has
	ACME         ACME              // gets more of them; those of the files come after
	HSTS         time.Duration     // for which browsers shall insist on https; 0: they are not told
	RedirectPort int               // of a listener that stays plain, sends browsers to https and answers HTTP-01; 0: none
	RedirectTo   int               // port that browsers are sent to; 0: 443
	Adjust       func(*tls.Config) // changes how TLS is served; may be nil
}

// Certificate names the files of a certificate: the chain and its private key, in PEM. The zero Certificate is none.
type Certificate struct {
	Chain, Key string
	Passphrase string // of an encrypted key
}

func (t TLS) on() bool { return len(t.Certificates) > 0 || len(t.ACME.Domains) > 0 }

// freshFor is how long files are believed to be what they were.
const freshFor = time.Second

// certificates serves TLS with what was loaded last. Connections that are open keep what they began with.
type certificates struct {
	log zerolog.Logger
	now func() time.Time

	ring    atomic.Pointer[keyring] // nil: plain HTTP
	looked  atomic.Int64            // when the files were looked at, in Unix nanoseconds
	reading sync.Mutex              // one change of ring at a time
	changed chan struct{}           // holds one value when ring has another issuer than before
}

// keyring is what connections are served with; it never changes.
type keyring struct {
	tls    TLS
	seen   []stamp // of the files, as they were read
	config *tls.Config
	issuer *issuer // nil: no ACME
	hsts   string  // "" is not sent
}

// stamp tells one state of a file from another. A file that is replaced by a rename has another number.
type stamp struct {
	written time.Time
	size    int64
	file    os.FileInfo
}

func (s stamp) same(other stamp) bool {
	return s.written.Equal(other.written) && s.size == other.size &&
		(s.file == nil) == (other.file == nil) && (s.file == nil || os.SameFile(s.file, other.file))
}

// stamps looks at all files of a setting. One that is not there has a stamp, too.
func (t TLS) stamps() []stamp {
	var all []stamp
	for _, c := range t.Certificates {
		for _, path := range []string{c.Chain, c.Key} {
			var s stamp
			if info, err := os.Stat(path); err == nil {
				s = stamp{info.ModTime(), info.Size(), info}
			}
			all = append(all, s)
		}
	}
	return all
}

// newKeyring reads and checks the files: TLS from 1.2 on, HTTP/2 where the browser can, and HTTP/1.1 for the rest of them
// and for every WebSocket (D11). What it can of the ring before, it keeps: an issuer with the same settings, and the keys by
// which clients resume their sessions.
func newKeyring(t TLS, before *keyring) (*keyring, error) {
	k := &keyring{tls: t, seen: t.stamps()}
	for _, c := range t.Certificates {
		pair, err := ReadKeyPair(c)
		if err != nil {
			return nil, err
		}
		if k.config == nil {
			k.config = freshConfig(before)
		}
		k.config.Certificates = append(k.config.Certificates, pair)
	}
	if k.config == nil {
		k.config = freshConfig(before)
	}
	if t.HSTS > 0 {
		k.hsts = "max-age=" + strconv.FormatInt(int64(t.HSTS/time.Second), 10)
	}
	if t.Adjust != nil {
		defer t.Adjust(k.config)
	}
	if len(t.ACME.Domains) == 0 {
		return k, nil
	}
	if before != nil && before.issuer != nil && reflect.DeepEqual(before.tls.ACME, t.ACME) {
		k.issuer = before.issuer
	} else {
		var err error
		if k.issuer, err = newIssuer(t.ACME); err != nil {
			return nil, err
		}
	}
	k.config.GetCertificate = k.issuer.certificate
	k.config.NextProtos = append(k.config.NextProtos, acme.ALPNProto)
	return k, nil
}

func freshConfig(before *keyring) *tls.Config {
	config := &tls.Config{}
	if before != nil {
		config = before.config.Clone() // with the keys of session tickets
	}
	config.MinVersion, config.NextProtos = tls.VersionTLS12, []string{"h2", "http/1.1"}
	config.Certificates, config.GetCertificate = nil, nil
	return config
}

// apply takes settings over, whole or not at all.
func (c *certificates) apply(t TLS) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	before := c.ring.Load()
	if !t.on() {
		c.put(nil, before)
		return nil
	}
	ring, err := newKeyring(t, before)
	if err != nil {
		return err
	}
	c.put(ring, before)
	return nil
}

// check says what would keep apply from taking settings over.
func (c *certificates) check(t TLS) error {
	_, err := newKeyring(t, c.ring.Load())
	return err
}

func (c *certificates) put(ring, before *keyring) {
	c.ring.Store(ring)
	if issuerOf(ring) == issuerOf(before) {
		return
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func issuerOf(k *keyring) *issuer {
	if k == nil {
		return nil
	}
	return k.issuer
}

// serve returns what a new connection is served with, nil for plain HTTP. Files that have changed are read again: whoever
// renews a certificate has nobody to tell.
func (c *certificates) serve() *keyring {
	ring := c.ring.Load()
	if ring == nil {
		return nil
	}
	now, looked := c.now().UnixNano(), c.looked.Load()
	if now-looked < int64(freshFor) || !c.looked.CompareAndSwap(looked, now) {
		return ring
	}
	return c.refresh()
}

// refresh reads the files again if they have changed. A pair that is no good, as it is while somebody replaces one file
// after the other, is told of once and changes nothing.
func (c *certificates) refresh() *keyring {
	c.reading.Lock()
	defer c.reading.Unlock()
	ring := c.ring.Load()
	if ring == nil || same(ring.seen, ring.tls.stamps()) {
		return ring
	}
	next, err := newKeyring(ring.tls, ring)
	if err != nil {
		kept := *ring
		kept.seen = ring.tls.stamps()
		c.put(&kept, ring)
		c.log.Warn().Err(err).Msg("the certificate has changed and is no good, serving the old one")
		return &kept
	}
	c.put(next, ring)
	c.log.Info().Msg("the certificate has changed, serving the new one")
	return next
}

func same(a, b []stamp) bool {
	for i := range a {
		if !a[i].same(b[i]) {
			return false
		}
	}
	return true
}

// errChallenge ends a connection that was a certificate authority's question and nothing else.
var errChallenge = errors.New("answered a challenge")
