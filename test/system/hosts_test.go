package system

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

// hubHost is the hub's host, where users have hosts below it. No name leads anywhere in a bed: whoever comes there has been told where
// it is.
const hubHost = "hub.test"

// Each user has a host below the hub's, with https and a wildcard certificate. One machine is changed over for all that is played.
func TestHostsOfTheirOwn(t *testing.T) {
	bed := ownStage(t, "").Bed
	settle(t, bed).apart()
	for name, play := range map[string]func(*stage){
		"alice works at her host": (*stage).aliceAtHerHost,
	} {
		t.Run(name, func(t *testing.T) { play(settle(t, bed)) })
	}
}

// apart gives everybody a host.
func (s *stage) apart() {
	s.t.Helper()
	const dir = "/etc/jupyterhub/tls"
	s.run("sh", "-c", `mkdir "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$2" \
		-addext "subjectAltName=DNS:$2,DNS:*.$2" -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null && chown -R jupyterhub-proxy "$1"`, "sh", dir, hubHost)
	s.put("/etc/jupyterhub/jupyterhub.toml.d/60-hosts.toml", "[hub]\nsubdomain_host = \"https://"+hubHost+":8000\"\nallow_named_servers = true\n"+
		"[proxy]\ntls_certificate = \""+dir+"/cert.pem\"\ntls_key = \""+dir+"/key.pem\"\n", 0o644)
	s.run("systemctl", "restart", "jupyterhub.service", proxyUnit)
}

// guest is a player who comes to the hub by its name, and knows its certificate.
func (s *stage) guest(name string) *player {
	s.t.Helper()
	p := s.player(name)
	p.door, p.own = "https://"+hubHost+":8000/", "https://"+name+"."+hubHost+":8000"
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.run("cat", "/etc/jupyterhub/tls/cert.pem")))
	transport := s.Transport()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return s.Dial(ctx, network, "127.0.0.1:8000")
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	p.http.Transport = transport
	return p
}

// hosts lists where a browser was on its way.
func (p *player) way(address string) (way []string, last page) {
	p.t.Helper()
	p.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		way = append(way, r.URL.Host+r.URL.Path)
		return nil
	}
	defer func() { p.http.CheckRedirect = nil }()
	return way, p.get(address)
}

// Alice comes to the hub, and works at her host: a server that knows nothing of hosts but what it was told, a kernel, and out again.
func (s *stage) aliceAtHerHost() {
	p := s.guest("alice")
	door := p.get(p.server() + "lab")
	if door.url.Host != hubHost+":8000" || door.url.Path != "/hub/login" || door.status != http.StatusOK {
		s.t.Fatalf("a stranger at alice's host is led to %s, %d", door.url, door.status)
	}
	p.logIn("/hub/home")
	p.startServer()
	at := p.get("/hub/spawn")
	if at.url.Host != "alice."+hubHost+":8000" || at.url.Path != "/user/alice/lab" || !strings.Contains(at.text, "jupyter-config-data") {
		s.t.Fatalf("JupyterLab is at %s, %d:\n%s", at.url, at.status, at.text)
	}
	k := p.kernel()
	if out := strings.TrimSpace(k.run("import os; print(os.environ['JUPYTERHUB_PUBLIC_URL'], os.environ['JUPYTERHUB_HOST'])")); out != p.server()+" https://"+hubHost+":8000" {
		s.t.Errorf("the server was told %q", out)
	}
	for _, c := range p.http.Jar.Cookies(mustParse(s.t, p.server())) {
		if strings.Contains(c.Name, "hub-login") {
			s.t.Errorf("alice's host gets %s", c.Name)
		}
	}
	if way, at := p.way("/user/alice/api/status"); at.status != http.StatusOK || at.url.Host != "alice."+hubHost+":8000" {
		s.t.Errorf("her server's API, asked for at the hub's host, answers %d at %s, after %s", at.status, at.url, way)
	}
	if at := p.get(p.own + "/hub/home"); at.status != http.StatusOK || at.url.Host != hubHost+":8000" {
		s.t.Errorf("the hub, asked for at her host, answers %d at %s", at.status, at.url)
	}

	before := p.http.Jar.Cookies(mustParse(s.t, p.server()))
	if at := p.get(p.server() + "logout"); at.url.Host != hubHost+":8000" || at.url.Path != "/hub/login" {
		s.t.Errorf("her server's logout leads to %s", at.url)
	}
	k.mustBeCut()
	p.http.Jar.SetCookies(mustParse(s.t, p.server()), before)
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if at := p.get(p.server() + "api/kernels"); at.status == http.StatusOK {
		s.t.Errorf("the old cookies open %s: %s", at.url, at.text)
	}
	if unit := hub.UnitName(alice); s.run("systemctl", "is-active", unit) != "active" {
		s.t.Error("the logout has stopped her server")
	}
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
