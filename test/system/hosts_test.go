package system

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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
	settle(t, bed).changedOver()
	for name, play := range map[string]func(*stage){
		"alice works at her host":          (*stage).aliceAtHerHost,
		"a service has a host of its own":  (*stage).serviceAtItsHost,
		"nobody claims another host":       (*stage).claimedHosts,
		"named servers are at their users": (*stage).namedServersAtTheirHost,
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
}

// changedOver gives everybody a host while a server of alice's runs. It goes on: as long as the hub alone was started again, at its address of
// before, and the journal says what is missing; from then on that address leads to the new one, where it lets her in, though it was told
// of another when it started.
func (s *stage) changedOver() {
	s.t.Helper()
	before := s.player("alice")
	before.logIn("/hub/home")
	before.startServer()
	if at := before.get("/user/alice/lab"); at.status != http.StatusOK { // which logs her in there
		s.t.Errorf("alice's server answers %d at %s", at.status, at.url)
	}
	pid := s.mainPID(hub.UnitName(alice))
	s.apart()
	s.run("systemctl", "restart", "jupyterhub.service")
	s.eventually("the journal says that the proxy is to be started again too", func() bool {
		return strings.Contains(s.run("journalctl", "-u", "jupyterhub.service", "-o", "cat"), "systemctl restart jupyterhub jupyterhub-proxy")
	})
	if at := before.get("/user/alice/api/status"); at.status != http.StatusOK {
		s.t.Errorf("with the hub changed over and the proxy not, alice's server answers %d at %s", at.status, at.url)
	}
	s.run("systemctl", "restart", proxyUnit)
	p := s.guest("alice")
	p.logIn("/hub/home")
	s.eventually("her server of before is at her host", func() bool {
		at := p.get("/user/alice/lab")
		return at.status == http.StatusOK && at.url.Host == "alice."+hubHost+":8000" && strings.Contains(at.text, "jupyter-config-data")
	})
	if out := p.kernel().run("print(6 * 7)"); out != "42\n" {
		s.t.Errorf("its kernel prints %q", out)
	}
	if now := s.mainPID(hub.UnitName(alice)); now != pid {
		s.t.Errorf("her server was started anew: %s, %s", pid, now)
	}
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

// A service of the configuration is reached at its host and nowhere else, and knows where it is.
func (s *stage) serviceAtItsHost() {
	s.put("/usr/local/bin/wiki", strings.Replace(wiki, `os.environ.get("GREETING")`, `os.environ["JUPYTERHUB_PUBLIC_URL"]`, 1), 0o755)
	s.configure("[[hub.services]]\nname = \"wiki\"\nurl = \"http://127.0.0.1:9310\"\ncommand = [\"wiki\"]\n")
	p, at := s.guest("alice"), "https://wiki--service."+hubHost+":8000/services/wiki/"
	var said wikiSays
	s.eventually("the service answers at its host", func() bool {
		page := p.get(at + "page")
		return page.status == http.StatusOK && json.Unmarshal([]byte(page.text), &said) == nil
	})
	if said.Greeting != at || said.Prefix != "/services/wiki/" || said.Path != "/services/wiki/page" || said.Hub.Name != "wiki" {
		s.t.Errorf("it says %+v", said)
	}
	for _, elsewhere := range []string{"/services/wiki/page", p.own + "/services/wiki/page"} {
		if page := p.get(elsewhere); page.status == http.StatusOK && strings.Contains(page.text, "greeting") {
			s.t.Errorf("it answers at %s as well", elsewhere)
		}
	}
}

// Vulnerability: where a request goes and what is believed of its cookies is decided by a host, and clients can write several.
// Attack: alice's browser, as a page of mallory's could make it, asks at mallory's host and says in every header that it asks at the hub's;
// and the other way round, at the hub's for what is to be set for mallory's.
// Verified: the Host alone counts. At mallory's host the hub believes no cookie and leads to its own; at its own it is as ever.
func (s *stage) claimedHosts() {
	p := s.guest("alice")
	p.logIn("/hub/home")
	login := p.http.Jar.Cookies(mustParse(s.t, p.door))
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ask := func(host, claim, path string) *http.Response {
		r := p.request(s.ctx, http.MethodGet, "https://"+host+":8000"+path, nil)
		for _, c := range login {
			r.AddCookie(c)
		}
		for name, value := range map[string]string{"X-Forwarded-Host": claim, "X-Host": claim, "Forwarded": "host=" + claim, "X-Original-Host": claim} {
			r.Header.Set(name, value)
		}
		got, err := p.http.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		got.Body.Close()
		return got
	}
	const mallorys = "mallory." + hubHost
	if got := ask(mallorys, hubHost+":8000", "/hub/home"); got.Header.Get("Location") != "https://"+hubHost+":8000/hub/home" {
		s.t.Errorf("at mallory's host the hub's page answers %d %s", got.StatusCode, got.Header.Get("Location"))
	}
	if got := ask(mallorys, hubHost+":8000", "/hub/api/user"); got.StatusCode != http.StatusForbidden {
		s.t.Errorf("at mallory's host the hub's API answers %d to a cookie", got.StatusCode)
	}
	if got := ask(hubHost, mallorys+":8000", "/hub/home"); got.StatusCode != http.StatusOK {
		s.t.Errorf("at the hub's host the home page answers %d", got.StatusCode)
	}
	if got := ask(mallorys, "alice."+hubHost+":8000", "/user/alice/api"); got.StatusCode != http.StatusFailedDependency {
		s.t.Errorf("alice's server, asked for at mallory's host, answers %d", got.StatusCode)
	}
	for _, c := range ask(hubHost, mallorys+":8000", "/hub/logout").Cookies() {
		if strings.Contains(c.Domain, "mallory") {
			s.t.Errorf("the hub sets %s", c)
		}
	}
}

// All servers of a user's are at that user's host, each below its name, and each asks for its own login.
func (s *stage) namedServersAtTheirHost() {
	s.mocked("alice")
	lab := hub.ServerRef{User: "alice", Server: "lab"}
	s.start(alice)
	s.start(lab)
	s.t.Cleanup(func() {
		if _, err := s.hub.StopServer(context.WithoutCancel(s.ctx), lab, true); err != nil {
			s.t.Error(err)
		}
	})
	p := s.guest("alice")
	for _, ref := range []hub.ServerRef{alice, lab} {
		live, err := s.hub.Server(s.ctx, ref)
		if want := strings.TrimSuffix(p.own+"/user/"+strings.TrimSuffix(ref.String(), "/"), "/") + "/"; err != nil || live.URL != want {
			s.t.Errorf("%s is at %s, want %s: %v", ref, live.URL, want, err)
		}
		if at := p.get(live.URL + "api"); at.status != http.StatusOK || at.url.Host != "alice."+hubHost+":8000" {
			s.t.Errorf("%s answers %d at %s", ref, at.status, at.url)
		}
	}
	if _, err := s.hub.StopServer(s.ctx, lab, false); err != nil {
		s.t.Fatal(err)
	}
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if at := p.get(p.own + "/user/alice/api"); at.status != http.StatusOK {
		s.t.Errorf("after the named server's end the other answers %d", at.status)
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
