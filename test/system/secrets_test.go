package system

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jupyterhubd/hub/client"
)

// Vulnerability: a secret in a log, in an address, or on a page, where others read it than it is for.
// Attack: whoever reads the journal, the addresses that browsers are led to, and the pages looks for every secret of a whole session: alice
// logs in, mistypes once, starts her server, enters it by OAuth, runs a cell, makes a token and shows it in a header and in URLs, good and bad
// ones, shares by a code, asks for what is not there, and logs out; and the culler's and a service's tokens are shown in the same ways.
// Verified: in the journal of none of the daemons is a password, cookie, code, state or token, a server's, a service's and the culler's among them; none but OAuth's
// code and state is in an address that she is led to, none on a page but the token on the page of its making. Each daemon has said something,
// so that there was somewhere to look.
func TestNoSecretIsToldAnywhere(t *testing.T) {
	s := onStage(t)
	p := s.player("alice")
	w := newWatch(p.http.Transport)
	p.http.Transport = w
	w.knows("her password", s.Password("alice"))
	w.knows("a password that is wrong", "wr0ng-but-typed-by-alice")
	p.tryPassword("wr0ng-but-typed-by-alice", "/hub/home")
	p.logIn("/hub/home")
	p.startServer()
	p.get("/user/alice/lab")
	k := p.kernel()
	w.knows("her server's token", strings.TrimSpace(k.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")))

	token, err := s.hub.NewToken(s.ctx, "alice", client.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.hub.NewShareCode(s.ctx, alice, client.ShareCodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	w.knows("a code for a share", code.Code)
	w.knows("a token", token.Value)
	s.put("/usr/local/bin/wiki", wiki, 0o755)
	s.configure("[[hub.services]]\nname = \"wiki\"\nurl = \"http://127.0.0.1:9310\"\ncommand = [\"wiki\"]\nenvironment = { GREETING = \"secrets\" }\n")
	s.wiki("secrets")
	environ := s.run("sh", "-c", "tr '\\0' '\\n' < /proc/"+s.mainPID(wikiUnit)+"/environ | sed -n s/^JUPYTERHUB_API_TOKEN=//p")
	cullers, services := s.cullersToken(), strings.TrimSpace(environ)
	if len(cullers) < 16 || len(services) < 16 {
		t.Fatal("the culler or the service has no token")
	}
	w.knows("the culler's token", cullers)
	w.knows("a service's token", services)
	bad := "00112233445566778899aabbccddeeff"
	w.knows("a token that is none", bad)
	for _, shown := range []string{token.Value, bad, cullers, services} {
		for _, path := range []string{"/hub/api/user", "/hub/api/no-such", "/hub/home", "/hub/no-such-page", "/hub/error/404", "/user/alice/api/kernels", "/user/bob/api/kernels", "/services/none/", "//odd", "/user/alice/%zz"} {
			w.asks(t, p, path+"?token="+shown, "")
			w.asks(t, p, path, "token "+shown)
		}
	}
	p.get("/hub/accept-share?code=" + url.QueryEscape(code.Code))
	p.get("/hub/logout")

	s.run("journalctl", "--sync")
	for _, daemon := range []string{"jupyterhub.service", "jupyterhub-proxy.service", "jupyterhub-spawnd.service", "jupyterhub-pam@*.service", culler, wikiUnit} {
		told := s.run("journalctl", "--no-pager", "--output=export", "--unit="+daemon)
		if !strings.Contains(told, "MESSAGE=") {
			t.Errorf("%s has said nothing", daemon)
		}
		for what, secret := range w.secrets {
			if strings.Contains(told, secret) {
				t.Errorf("the journal of %s holds %s", daemon, what)
			}
		}
	}
	w.judge(t)
}

// watch is the way of a browser to the hub, on which somebody notes what is said.
type watch struct {
	next    http.RoundTripper
	secrets map[string]string // by what they are
	led     []string          // addresses
	pages   []string
}

func newWatch(next http.RoundTripper) *watch { return &watch{next: next, secrets: map[string]string{}} }

func (w *watch) knows(what, secret string) {
	if len(secret) >= 8 { // what is shorter stands anywhere
		w.secrets[what] = secret
	}
}

// RoundTrip learns what the browser is given to keep.
func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		w.knows("the cookie "+c.Name+" of "+c.Path, strings.Trim(c.Value, `"`))
	}
	if to := res.Header.Get("Location"); to != "" {
		w.led = append(w.led, to)
		if at, err := url.Parse(to); err == nil {
			for _, name := range []string{"code", "state"} {
				w.knows("OAuth's "+name, at.Query().Get(name))
			}
		}
	}
	return res, nil
}

// asks has a page shown, and notes it.
func (w *watch) asks(t *testing.T, p *player, path, authorization string) {
	t.Helper()
	r, err := http.NewRequestWithContext(p.s.ctx, http.MethodGet, strings.TrimSuffix(p.door, "/")+path, nil)
	if err != nil { // "%zz" is none that Go would ask for
		r, err = http.NewRequestWithContext(p.s.ctx, http.MethodGet, p.door, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = path
	}
	r.Header.Set("Accept", "text/html")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	res, err := p.http.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page strings.Builder
	res.Header.Del("Location") // which is looked at by itself
	res.Header.Del("Set-Cookie")
	if err := res.Header.Write(&page); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&page, res.Body); err != nil {
		t.Fatal(err)
	}
	w.pages = append(w.pages, path+"\n"+page.String())
}

// judge looks for secrets in what came back. An address that was asked for may come back in the one that leads on.
func (w *watch) judge(t *testing.T) {
	t.Helper()
	for what, secret := range w.secrets {
		oauth := strings.HasPrefix(what, "OAuth's ")
		for _, to := range w.led {
			if strings.Contains(to, secret) && !oauth && !strings.Contains(what, "token") {
				t.Errorf("%s is in the address %s", what, to)
			}
		}
		for _, page := range w.pages {
			if asked, text, _ := strings.Cut(page, "\n"); strings.Contains(text, secret) {
				t.Errorf("%s is on the page of %s:\n%s", what, asked, text)
			}
		}
	}
}
