package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/proxy"
	"jupyterhubd/proxy/client"
)

// proxyAt is a running proxy: a client of its API, and the address of its public door.
type proxyAt struct {
	client *client.Client
	public string
}

// ours starts a jupyterhub-proxy whose API is at a Unix socket or, with a token, on TCP.
func ours(t *testing.T, network string, change ...func(*proxy.Options)) proxyAt {
	t.Helper()
	dir, err := os.MkdirTemp("", "jhc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := proxy.Options{APIPeers: []int64{int64(os.Getuid())}, APIToken: "secret", Grace: 10 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{"unix": filepath.Join(dir, "api.sock"), "tcp": "127.0.0.1:0"}[network]
	private, public := listen(t, network, at), listen(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- p.ServeAPI(ctx, private) }()
	go func() { ended <- p.Serve(ctx, public) }()
	t.Cleanup(func() { cancel(); <-ended; <-ended })
	if network == "unix" {
		return proxyAt{client.New(at, ""), public.Addr().String()}
	}
	return proxyAt{client.New("http://"+private.Addr().String()+"/", "secret"), public.Addr().String()}
}

func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// theirs starts a configurable-http-proxy.
func theirs(t *testing.T, flags ...string) proxyAt {
	t.Helper()
	program, err := exec.LookPath("configurable-http-proxy")
	if err != nil {
		t.Skip("configurable-http-proxy is not installed")
	}
	public, private := freePort(t), freePort(t)
	cmd := exec.CommandContext(t.Context(), program, append(flags, "--ip", "127.0.0.1", "--port", public, "--api-ip", "127.0.0.1", "--api-port", private)...)
	cmd.Env = append(os.Environ(), "CONFIGPROXY_AUTH_TOKEN=secret")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	bufio.NewReader(out).ReadString('\n') // it says when it has begun; the client waits for the rest
	go io.Copy(io.Discard, out)
	return proxyAt{client.New("http://127.0.0.1:"+private, "secret"), "127.0.0.1:" + public}
}

func freePort(t *testing.T) string {
	t.Helper()
	l := listen(t, "tcp", "127.0.0.1:0")
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestConformance: the same table can be kept at our proxy, by either door, and at configurable-http-proxy.
func TestConformance(t *testing.T) {
	for name, start := range map[string]func(*testing.T) proxyAt{
		"ours, Unix socket":       func(t *testing.T) proxyAt { return ours(t, "unix") },
		"ours, TCP with a token":  func(t *testing.T) proxyAt { return ours(t, "tcp") },
		"configurable-http-proxy": func(t *testing.T) proxyAt { return theirs(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			t.Run("routes come back as they were added", p.roundTrip)
			t.Run("routes lead where they say", p.leads)
			t.Run("others' routes are left alone", p.othersStay)
			t.Run("a wrong token is refused", p.wrongToken)
		})
	}
}

// The table of a proxy that goes by hosts: routespecs begin with one, but for the hub's.
func TestConformanceByHost(t *testing.T) {
	for name, start := range map[string]func(*testing.T) proxyAt{
		"ours": func(t *testing.T) proxyAt {
			return ours(t, "unix", func(o *proxy.Options) { o.HostRouting = true })
		},
		"configurable-http-proxy": func(t *testing.T) proxyAt { return theirs(t, "--host-routing") },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			p.client.OfHub("https://hub.example")
			p.holds(t, []hub.Route{
				{Spec: "/", Target: "http://127.0.0.1:1", UID: hub.NoUID, Hub: true},
				{Spec: "alice.hub.example/user/alice/", Target: "http+unix://%2Frun%2Fjupyter%2F0123456789abcdef%2Fs", UID: 1000, Server: hub.ServerRef{User: "alice"}},
				{Spec: "u-joexorg--dc9ec2b.hub.example/jh/user/jo@ex.org/", Target: "http://127.0.0.1:3", UID: hub.NoUID, Server: hub.ServerRef{User: "jo@ex.org"}},
				{Spec: "wiki--service.hub.example/services/wiki/", Target: "http://127.0.0.1:2", UID: hub.NoUID, Service: "wiki"},
			})
			for _, spec := range []string{"/user/alice/", "alice.hub.example", "", "//", "a//b/", "a b/"} {
				if err := p.client.Add(t.Context(), hub.Route{Spec: spec, Target: "http://h", UID: hub.NoUID}); hub.KindOf(err) != hub.Invalid {
					t.Errorf("%q: %v", spec, err)
				}
			}
		})
	}
}

// The hub was started again after subdomain_host was changed, and the proxy was not, or the other way round. What the hub would put into
// the table would lead nowhere, and what it would take out is what people have open: it is told what to do, and the table stays as it is.
func TestAProxyOfOtherHostsIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		proxy, hub string
		agree      bool
	}{
		"the proxy is to be started again": {"", "https://hub.example", false},
		"the hub is to be started again":   {"https://hub.example", "", false},
		"another domain":                   {"https://hub.example", "https://hub2.example", false},
		"hosts of their own":               {"https://hub.example", "https://hub.example", true},
		"one host":                         {"", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := ours(t, "unix", func(o *proxy.Options) { o.HubBase, o.HubOrigin, o.HostRouting = "/", c.proxy, c.proxy != "" })
			p.client.OfHub(c.hub)
			spec := "/user/alice/"
			if c.hub != "" {
				spec = "alice.hub.example" + spec
			}
			_, err := p.client.Routes(t.Context())
			for _, err := range []error{err, p.client.Add(t.Context(), hub.Route{Spec: spec, Target: "http://127.0.0.1:1", UID: hub.NoUID})} {
				if told := hub.KindOf(err) == hub.Conflict && strings.Contains(hub.TextOf(err), "systemctl restart jupyterhub jupyterhub-proxy"); told == c.agree || c.agree && err != nil {
					t.Errorf("the hub is told %v", err)
				}
			}
			if err := p.client.Delete(t.Context(), spec); err != nil {
				t.Errorf("a route that leads nowhere cannot be taken away: %v", err)
			}
		})
	}
	p := theirs(t)
	p.client.OfHub("")
	if _, err := p.client.Routes(t.Context()); err != nil {
		t.Errorf("a proxy that says nothing of hosts is not believed: %v", err)
	}
}

func (p proxyAt) roundTrip(t *testing.T) {
	p.holds(t, []hub.Route{
		{Spec: "/", Target: "http://127.0.0.1:1", UID: hub.NoUID, Hub: true},
		{Spec: "/services/grader/", Target: "http://127.0.0.1:2", UID: hub.NoUID, Service: "grader"},
		{Spec: "/user/alice/", Target: "http+unix://%2Frun%2Fjupyter%2F0123456789abcdef%2Fs", UID: 1000, Server: hub.ServerRef{User: "alice"}},
		{Spec: "/user/alice/lab-1/", Target: "http+unix://%2Frun%2Fjupyter%2Ffedcba9876543210%2Fs", UID: 0, Server: hub.ServerRef{User: "alice", Server: "lab-1"}},
		{Spec: "/user/jo@ex.org/", Target: "http://127.0.0.1:3", UID: hub.NoUID, Server: hub.ServerRef{User: "jo@ex.org"}},
		{Spec: "/user/~%C3%BC%20x/", Target: "http://127.0.0.1:4", UID: hub.NoUID, Server: hub.ServerRef{User: "~ü x"}},
		{Spec: "/wiki/", Target: "http://127.0.0.1:5/", UID: hub.NoUID},
	})
}

// holds adds routes, reads them back, and deletes them.
func (p proxyAt) holds(t *testing.T, want []hub.Route) {
	ctx, before := t.Context(), time.Now().Add(-time.Minute)
	for range 2 { // adding twice is adding once
		for _, r := range want {
			if err := p.client.Add(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := p.list(t, before); !slices.Equal(got, want) {
		t.Errorf("the table is\n%+v\nwant\n%+v", got, want)
	}
	for _, r := range want {
		for range 2 { // and so is deleting
			if err := p.client.Delete(ctx, r.Spec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := p.list(t, before); len(got) != 0 {
		t.Errorf("left: %+v", got)
	}
}

// list returns the routes, sorted, their times checked and taken off.
func (p proxyAt) list(t *testing.T, notBefore time.Time) []hub.Route {
	t.Helper()
	got, err := p.client.Routes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].LastActivity.Before(notBefore) {
			t.Errorf("%s was last active at %v", got[i].Spec, got[i].LastActivity)
		}
		got[i].LastActivity = time.Time{}
	}
	slices.SortFunc(got, func(a, b hub.Route) int { return strings.Compare(a.Spec, b.Spec) })
	return got
}

func (p proxyAt) leads(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }))
	defer up.Close()
	if err := p.client.Add(t.Context(), hub.Route{Spec: "/user/jo@ex.org/", Target: up.URL, UID: hub.NoUID, Server: hub.ServerRef{User: "jo@ex.org"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/user/jo@ex.org", "/user/jo@ex.org/a%20b?c"} {
		if got := p.get(t, path); got != "200 "+path {
			t.Errorf("%s: %s", path, got)
		}
	}
	if err := p.client.Delete(t.Context(), "/user/jo@ex.org/"); err != nil {
		t.Fatal(err)
	}
	if got := p.get(t, "/user/jo@ex.org/"); !strings.HasPrefix(got, "404 ") {
		t.Errorf("after the end: %s", got)
	}
}

func (p proxyAt) get(t *testing.T, path string) string {
	t.Helper()
	res, err := http.Get("http://" + p.public + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

func (p proxyAt) othersStay(t *testing.T) {
	byHand := client.Raw(p.client, t.Context(), http.MethodPost, "/api/routes/by-hand", map[string]any{"target": "http://127.0.0.1:1", "user": 5, "jupyterhub": false})
	if byHand != nil {
		t.Fatal(byHand)
	}
	if got := p.list(t, time.Time{}); len(got) != 0 {
		t.Errorf("listed: %+v", got)
	}
}

func (p proxyAt) wrongToken(t *testing.T) {
	stranger := client.WithToken(p.client, "wrong")
	if _, err := stranger.Routes(t.Context()); hub.KindOf(err) != hub.Forbidden && !client.OverSocket(p.client) {
		t.Errorf("got %v", err)
	}
}

func TestSessionsAndReloads(t *testing.T) {
	p := ours(t, "unix")
	if err := p.client.EndSession(t.Context(), "0123456789abcdef0123456789abcdef"); err != nil {
		t.Error(err)
	}
	if err := p.client.EndVisit(t.Context(), "0123456789abcdef0123456789abcdef", "/user/jo%40ex.org/", time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	name := strings.Repeat("0f", 32)
	if err := errors.Join(p.client.EndTokens(t.Context(), []string{name}), p.client.AskAboutToken(t.Context(), name, []string{"/user/jo%40ex.org/"})); err != nil {
		t.Error(err)
	}
	if err := p.client.AskAboutToken(t.Context(), name, []string{"user"}); hub.KindOf(err) != hub.Invalid {
		t.Errorf("no routespec: %v", err)
	}
	if err := p.client.EndVisit(t.Context(), "x", "user", time.Now()); hub.KindOf(err) != hub.Invalid {
		t.Errorf("no routespec: %v", err)
	}
	if _, err := p.client.Reload(t.Context(), true); hub.KindOf(err) != hub.NotFound {
		t.Errorf("a proxy without a configuration: %v", err)
	}
	chp := theirs(t)
	if err := chp.client.EndSession(t.Context(), "x"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("configurable-http-proxy: %v", err)
	}
	if err := chp.client.EndTokens(t.Context(), []string{name}); hub.KindOf(err) != hub.NotFound {
		t.Errorf("configurable-http-proxy: %v", err)
	}
	if err := chp.client.AskAboutToken(t.Context(), name, nil); hub.KindOf(err) != hub.NotFound {
		t.Errorf("configurable-http-proxy: %v", err)
	}
	if err := chp.client.EndVisit(t.Context(), "x", "/user/alice/", time.Now()); hub.KindOf(err) != hub.NotFound {
		t.Errorf("configurable-http-proxy: %v", err)
	}
}

// A proxy that is away, or in trouble for a moment, is asked again.
func TestTroubleIsWaitedFor(t *testing.T) {
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1:
			w.WriteHeader(502)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["target"] != "http://h" {
				t.Errorf("the third time with %v, %v", body, err)
			}
			w.WriteHeader(201)
		}
	}))
	defer srv.Close()
	if err := client.New(srv.URL, "").Add(t.Context(), hub.Route{Spec: "/", Target: "http://h", UID: hub.NoUID}); err != nil || calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// Patience ends with the context, and with a refusal.
func TestPatienceEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := client.New("/nonexistent/api.sock", "").Routes(ctx)
	if hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
	p := ours(t, "unix")
	if err := p.client.Add(t.Context(), hub.Route{Spec: "/x/", Target: "ftp://h"}); hub.KindOf(err) != hub.Invalid || !strings.Contains(hub.TextOf(err), "leads nowhere") {
		t.Errorf("got %v", err)
	}
	for _, spec := range []string{"", "x/", "/x", "//", "/a//b/", "/a%zz/", "/a?/", "/a#/", "host/x/"} {
		if err := p.client.Add(t.Context(), hub.Route{Spec: spec, Target: "http://h"}); hub.KindOf(err) != hub.Invalid {
			t.Errorf("routespec %q: %v", spec, err)
		}
		if err := p.client.Delete(t.Context(), spec); hub.KindOf(err) != hub.Invalid {
			t.Errorf("routespec %q: %v", spec, err)
		}
	}
}
