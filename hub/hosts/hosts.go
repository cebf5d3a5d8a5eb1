package hosts

import (
	"net"
	"net/url"
	"strings"

	"jupyterhubd/hub"
)

// Names of the hooks.
const (
	IDNA   = "idna"   // a label for each user and each service
	Legacy = "legacy" // JupyterHub's before 5.0
)

// legacyServices is the label of the host of all services, with the hook legacy.
const legacyServices = "services"

// Hosts is where everything is. The zero value is one host for all.
type Hosts struct {
	scheme string // "" for one host
	domain string // the hub's name, in lower case
	port   string // ":8000", or "" for the scheme's own
	legacy bool
}

// New returns the hosts below an address such as "https://hub.example.org:8443", which is the hub's own. An empty one means one
// host for all.
func New(subdomainHost, hook string) (Hosts, error) {
	if subdomainHost == "" {
		return Hosts{}, nil
	}
	u, err := url.Parse(subdomainHost)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return Hosts{}, hub.Errorf(hub.Invalid, "%q is no address of a host, such as https://hub.example.org", subdomainHost)
	}
	h := Hosts{scheme: u.Scheme, domain: strings.ToLower(u.Hostname()), legacy: hook == Legacy}
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		h.port = ":" + port
	}
	return h, nil
}

// Apart reports whether users and services have hosts of their own.
func (h Hosts) Apart() bool { return h.domain != "" }

// Secure reports whether all of them are reached by https.
func (h Hosts) Secure() bool { return h.scheme == "https" }

// Domain is the name of the hub's host, below which are the others.
func (h Hosts) Domain() string { return h.domain }

// Hub is the hub's origin.
func (h Hosts) Hub() string { return h.origin(h.domain) }

// User is the origin of a user's servers.
func (h Hosts) User(name string) string { return h.origin(h.UserHost(name)) }

// Service is the origin of a service.
func (h Hosts) Service(name string) string { return h.origin(h.ServiceHost(name)) }

func (h Hosts) origin(host string) string {
	if host == "" {
		return ""
	}
	return h.scheme + "://" + host + h.port
}

// UserHost is the name of the host of a user's servers.
func (h Hosts) UserHost(name string) string {
	switch {
	case !h.Apart():
		return ""
	case h.legacy && quoted(name) == legacyServices:
		return hashed(name) + "." + h.domain // JupyterHub lets this user be where all services are
	case h.legacy:
		return quoted(name) + "." + h.domain
	}
	return label(name, longest) + "." + h.domain
}

// ServiceHost is the name of a service's host.
func (h Hosts) ServiceHost(name string) string {
	switch {
	case !h.Apart():
		return ""
	case h.legacy:
		return legacyServices + "." + h.domain
	}
	return label(name, longest-len(serviceSuffix)) + serviceSuffix + "." + h.domain
}

// IsHub reports whether a request's Host is the hub's, whatever port it names: a tunnel may lead from another.
func (h Hosts) IsHub(host string) bool {
	return strings.TrimSuffix(strings.ToLower(bare(host)), ".") == h.domain
}

// Ours reports whether a URL's host, with its port, is the hub's or one below it.
func (h Hosts) Ours(host string) bool {
	return h.Apart() && strings.HasSuffix("."+strings.ToLower(host), "."+h.domain+h.port)
}

// bare is a Host without its port.
func bare(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
