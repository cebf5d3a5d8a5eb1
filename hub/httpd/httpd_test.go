package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
)

// porter is a porter who knows one person, alice, by "Authorization: alice", and lets her past every row.
type porter struct{}

func (porter) attach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "alice" {
			r = r.WithContext(auth.WithActor(r.Context(), auth.Actor{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "alice"}, Via: auth.Token}))
		}
		next.ServeHTTP(w, r)
	})
}
func (p porter) Browser(next http.Handler) http.Handler { return p.attach(next) }
func (p porter) Tokens(next http.Handler) http.Handler  { return p.attach(next) }
func (p porter) Peers(next http.Handler) http.Handler   { return p.attach(next) }

func (porter) Guard(rt auth.Route) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !rt.Public && auth.FromContext(r.Context()).Anonymous() {
			return hub.Errorf(hub.Unauthenticated, "Missing or invalid credentials")
		}
		return rt.Handle(w, r)
	}
}

// pages writes errors as a line that says which page it would be.
type pages struct{}

func (pages) RenderError(w http.ResponseWriter, _ *http.Request, status int, err error) {
	w.WriteHeader(status)
	io.WriteString(w, "page: "+err.Error())
}

func say(text string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func fail(err error) func(http.ResponseWriter, *http.Request) error {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

type house struct {
	*Hall
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newHouse(t *testing.T, base string, api, browser []auth.Route) house {
	t.Helper()
	log, metrics := new(bytes.Buffer), prometheus.NewRegistry()
	h, err := New(Options{BaseURL: base, Porter: porter{}, Pages: pages{}, API: api, Browser: browser, Log: zerolog.New(log), Metrics: metrics, Gatherer: metrics, MaxBody: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return house{h, log, metrics}
}

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestKindsBecomeStatusesInOnePlace(t *testing.T) {
	for kind, want := range map[hub.Kind]int{
		hub.Unknown: 500, hub.Invalid: 400, hub.Unauthenticated: 403, hub.Forbidden: 403, hub.NotFound: 404, hub.Conflict: 409,
		hub.TooLarge: 413, hub.TooMany: 429, hub.NotRunning: 424, hub.Unavailable: 503, hub.Expired: 403,
	} {
		rows := []auth.Route{{Method: "GET", Pattern: "/hub/api/x", Public: true, Handle: fail(&hub.Error{Kind: kind, Text: "a sentence", RetryAfter: 1500 * time.Millisecond})}}
		got := ask(newHouse(t, "/", rows, nil).Browser(), "GET", "/hub/api/x")
		var body struct {
			Status  int
			Message string
		}
		if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil || got.Code != want || body.Status != want {
			t.Errorf("%s: status %d, body %s; want %d", kind, got.Code, got.Body, want)
		}
		if got.Header().Get("Retry-After") != "2" {
			t.Errorf("%s: Retry-After %q, want 2", kind, got.Header().Get("Retry-After"))
		}
		if wantText := "a sentence"; kind != hub.Unknown && body.Message != wantText {
			t.Errorf("%s: message %q", kind, body.Message)
		}
	}
}

func TestWhatWentWrongInsideStaysInside(t *testing.T) {
	secret := errors.New("open /var/lib/jupyterhub/jupyterhub.db: permission denied")
	rows := []auth.Route{
		{Method: "GET", Pattern: "/hub/api/bare", Public: true, Handle: fail(secret)},
		{Method: "GET", Pattern: "/hub/api/wrapped", Public: true, Handle: fail(&hub.Error{Kind: hub.Unavailable, Text: "try later", Err: secret})},
		{Method: "GET", Pattern: "/hub/api/panic", Public: true, Handle: func(http.ResponseWriter, *http.Request) error { panic(secret) }},
	}
	h := newHouse(t, "/", rows, nil)
	for path, want := range map[string]string{"bare": "Internal Server Error", "wrapped": "try later", "panic": "Internal Server Error"} {
		got := ask(h.Browser(), "GET", "/hub/api/"+path)
		if !strings.Contains(got.Body.String(), want) || strings.Contains(got.Body.String(), "permission") {
			t.Errorf("%s: body %s, want %q alone", path, got.Body, want)
		}
	}
	if n := strings.Count(h.log.String(), "permission denied"); n < 3 {
		t.Errorf("the log tells the reason %d times, want each: %s", n, h.log)
	}
}

func TestAbortsGoOn(t *testing.T) {
	rows := []auth.Route{
		{Method: "GET", Pattern: "/hub/api/abort", Public: true, Handle: func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }},
		{Method: "GET", Pattern: "/hub/api/half", Public: true, Handle: func(w http.ResponseWriter, _ *http.Request) error {
			io.WriteString(w, "half")
			return errors.New("the disk broke")
		}},
	}
	h := newHouse(t, "/", rows, nil)
	for _, path := range []string{"abort", "half"} {
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("%s: recovered %v, want http.ErrAbortHandler: half an answer must not look whole", path, p)
				}
			}()
			ask(h.Browser(), "GET", "/hub/api/"+path)
		}()
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	h := newHouse(t, "/jh/", []auth.Route{{Method: "GET", Pattern: "/hub/api/x", Public: true, Handle: say("{}")}}, []auth.Route{
		{Method: "GET", Pattern: "/hub/home", Public: true, Style: auth.Page, Handle: say("home")},
		{Method: "GET", Pattern: "/hub/static/{path...}", Public: true, Style: auth.Page, Handle: say("css")},
	})
	for path, want := range map[string]string{
		"/jh/hub/api/x": "; default-src 'none'", "/jh/hub/api/nothing": "; default-src 'none'", "/jh/hub/home": "; default-src 'self'", "/elsewhere": "",
		"/jh/hub/api/oauth2/authorize": "; default-src 'self'", "/jh/hub/api/oauth2/authorize/x": "; default-src 'none'", "/jh/hub/api/oauth2/token": "; default-src 'none'",
	} {
		head := ask(h.Browser(), "GET", path).Header()
		csp := head.Get("Content-Security-Policy")
		if head.Get("X-JupyterHub-Version") != hub.APIVersion || head.Get("Access-Control-Allow-Headers") == "" || head.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers %v", path, head)
		}
		if !strings.HasPrefix(csp, "frame-ancestors 'none'; report-uri /jh/hub/security/csp-report") || !strings.Contains(csp, want) || strings.Contains(csp, "http") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	if head := ask(h.Browser(), "GET", "/jh/hub/static/a.css").Header(); head.Get("X-JupyterHub-Version") != "" {
		t.Errorf("static files carry %v", head)
	}
}

func TestDoorsShowNoMoreThanTheyShould(t *testing.T) {
	saw := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, "cookie="+r.Header.Get("Cookie")+" for="+r.Header.Get("X-Forwarded-For"))
		return err
	}
	h := newHouse(t, "/", []auth.Route{{Method: "GET", Pattern: "/hub/api/x", Public: true, Handle: saw}},
		[]auth.Route{{Method: "GET", Pattern: "/hub/login", Public: true, Style: auth.Page, Handle: say("login")}})
	headers := []string{"Cookie", "a=b", "X-Forwarded-For", "10.0.0.1"}
	if got := ask(h.Browser(), "GET", "/hub/api/x", headers...).Body.String(); got != "cookie=a=b for=10.0.0.1" {
		t.Errorf("browser door: %s", got)
	}
	for name, door := range map[string]http.Handler{"token": h.API(), "admin": h.Admin()} {
		if got := ask(door, "GET", "/hub/api/x", headers...).Body.String(); got != "cookie= for=" {
			t.Errorf("%s door: %s", name, got)
		}
		if got := ask(door, "GET", "/hub/login"); got.Code != 404 {
			t.Errorf("%s door shows the login page: %d", name, got.Code)
		}
	}
}

// An admin's program finds the API at the socket without knowing the base URL, and with it; nobody else does.
func TestAdminsNeedNoBaseURL(t *testing.T) {
	h := newHouse(t, "/jupyter/", []auth.Route{{Method: "GET", Pattern: "/hub/api/x", Public: true, Handle: say("x")}}, nil)
	for path, want := range map[string][3]int{"/jupyter/hub/api/x": {200, 200, 200}, "/hub/api/x": {404, 404, 200}, "/jupyter/jupyter/hub/api/x": {404, 404, 404}} {
		if got := [3]int{ask(h.Browser(), "GET", path).Code, ask(h.API(), "GET", path).Code, ask(h.Admin(), "GET", path).Code}; got != want {
			t.Errorf("%s at the doors of browsers, servers and admins: %v, want %v", path, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	h := newHouse(t, "/", []auth.Route{{Method: "GET", Pattern: "/hub/api/users", Scopes: []string{"list:users"}, Handle: say("[]")}},
		[]auth.Route{{Method: "GET", Pattern: "/hub/home", Public: true, Style: auth.Page, Handle: say("home")}})
	for _, c := range []struct {
		method, path string
		want         int
		shape        string
	}{
		{"GET", "/hub/api/users", 403, "Missing or invalid credentials"},
		{"PUT", "/hub/api/users", 405, `"status":405`},
		{"HEAD", "/hub/api/users", 405, ""},
		{"OPTIONS", "/hub/api/users", 200, ""},
		{"OPTIONS", "/hub/api/nothing", 404, `"status":404`},
		{"OPTIONS", "/hub/home", 405, "page"},
		{"HEAD", "/hub/home", 405, "page"},
		{"POST", "/hub/home", 405, "page"},
		{"HEAD", "/hub/health", 200, ""},
		{"GET", "/hub/api/health", 200, ""},
		{"BREW", "/hub/home", 405, "page"},
		{"GET", "/hub/nothing", 404, "page"},
	} {
		got := ask(h.Browser(), c.method, c.path)
		if got.Code != c.want || !strings.Contains(got.Body.String(), c.shape) {
			t.Errorf("%s %s: %d %s; want %d %s", c.method, c.path, got.Code, got.Body, c.want, c.shape)
		}
		if got.Header().Get("Allow") != "" {
			t.Errorf("%s %s: JupyterHub sends no Allow", c.method, c.path)
		}
	}
}

// A stopped server is told of as JSON to programs and as a page to people (specification 4.4 and 9.20).
func TestStoppedServerIsToldOf(t *testing.T) {
	gone := fail(hub.Errorf(hub.NotRunning, "JupyterHub server no longer running at /user/alice/"))
	h := newHouse(t, "/", nil, []auth.Route{{Pattern: "/hub/user/{user}/{path...}", Public: true, Style: auth.Mixed, Handle: gone}})
	for _, c := range []struct {
		method, path, accept string
		json                 bool
	}{
		{"GET", "/hub/user/alice/lab", "text/html,application/xhtml+xml,*/*;q=0.8", false},
		{"GET", "/hub/user/alice/lab", "", false},
		{"GET", "/hub/user/alice/lab", "*/*", false},
		{"GET", "/hub/user/alice/lab", "application/*", false},
		{"GET", "/hub/user/alice/lab", "application/json;q=0.9,*/*;q=0.8", true},
		{"GET", "/hub/user/alice/lab", "text/html;q=0.5, application/json", true},
		{"GET", "/hub/user/alice/api/contents", "text/html", true},
		{"POST", "/hub/user/alice/kernels", "text/html", true},
	} {
		got := ask(h.Browser(), c.method, c.path, "Accept", c.accept)
		isJSON := got.Body.String() == `{"message":"JupyterHub server no longer running at /user/alice/"}`
		if got.Code != 424 || isJSON != c.json {
			t.Errorf("%s %s Accept %q: %d %s; want JSON %t", c.method, c.path, c.accept, got.Code, got.Body, c.json)
		}
	}
}

func TestFailedStartTellsItsCause(t *testing.T) {
	cause := &hub.Cause{Kind: hub.CauseMissingCommand, Message: "There is no jupyterhub-singleuser on this machine", Journal: []string{"exec: not found"}}
	h := newHouse(t, "/", []auth.Route{{Method: "POST", Pattern: "/hub/api/x", Public: true, Handle: fail(&hub.Error{Kind: hub.Unknown, Cause: cause})}}, nil)
	got := ask(h.Browser(), "POST", "/hub/api/x")
	want := `{"status":500,"message":"There is no jupyterhub-singleuser on this machine","cause":{"kind":"missing-command",`
	if got.Code != 500 || !strings.HasPrefix(got.Body.String(), want) {
		t.Errorf("%d %s, want %s", got.Code, got.Body, want)
	}
}

func TestRowsWithoutPlateAreRefused(t *testing.T) {
	ok := say("")
	for name, rows := range map[string][]auth.Route{
		"no scope":         {{Method: "GET", Pattern: "/a", Handle: ok}},
		"empty scope":      {{Method: "GET", Pattern: "/a", Scopes: []string{""}, Handle: ok}},
		"both":             {{Method: "GET", Pattern: "/a", Scopes: []string{"x"}, Public: true, Handle: ok}},
		"no handler":       {{Method: "GET", Pattern: "/a", Public: true}},
		"no slash":         {{Method: "GET", Pattern: "a", Public: true, Handle: ok}},
		"two of one":       {{Method: "GET", Pattern: "/a", Public: true, Handle: ok}, {Method: "GET", Pattern: "/a", Public: true, Handle: ok}},
		"two of one shape": {{Method: "GET", Pattern: "/{a}", Public: true, Handle: ok}, {Method: "GET", Pattern: "/{b}", Public: true, Handle: ok}},
		"goes on":          {{Method: "GET", Pattern: "/{a...}/b", Public: true, Handle: ok}},
	} {
		if _, err := New(Options{BaseURL: "/", Porter: porter{}, Pages: pages{}, API: rows}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(Options{BaseURL: "/jh", Porter: porter{}}); err == nil {
		t.Error("a base URL without a slash at its end: accepted")
	}
}

func TestLogAndMetricsHoldNoSecrets(t *testing.T) {
	h := newHouse(t, "/", []auth.Route{{Method: "GET", Pattern: "/hub/api/users/{user}", Public: true, Handle: say("{}")}}, nil)
	ask(h.Browser(), "GET", "/hub/api/users/alice?token=secret&_xsrf=secret", "Authorization", "alice", "Cookie", "jupyterhub-hub-login=secret")
	for _, path := range []string{"token/secret", "cookie/name/secret", "token/secret/", "nothing/secret", "../%61uthorizations/token/secret"} {
		ask(h.Browser(), "GET", "/hub/api/authorizations/"+path)
	}
	ask(h.Browser(), "GET", "/"+strings.Repeat("x", 5000))
	if strings.Contains(h.log.String(), "secret") || len(h.log.String()) > 2000 {
		t.Errorf("the log says %s", h.log)
	}
	if !strings.Contains(h.log.String(), `"user":"user alice"`) || !strings.Contains(h.log.String(), `"path":"/hub/api/users/alice"`) {
		t.Errorf("the log does not say who asked for what: %s", h.log)
	}
	got := ask(h.Browser(), "GET", "/hub/metrics", "Authorization", "alice").Body.String()
	if want := `jupyterhub_request_duration_seconds_count{code="200",handler="/hub/api/users/{user}",method="GET"} 1`; !strings.Contains(got, want) {
		t.Errorf("metrics lack %s", want)
	}
	if strings.Contains(got, "xxxx") {
		t.Error("a stranger's path became a label")
	}
	if got := ask(h.Browser(), "GET", "/hub/metrics"); got.Code != 403 || !strings.HasPrefix(got.Body.String(), "page") {
		t.Errorf("metrics for a stranger: %d %s", got.Code, got.Body)
	}
}

func TestErrorPageIsAlwaysOK(t *testing.T) {
	h := newHouse(t, "/", nil, nil)
	for path, want := range map[string]int{"/hub/error/503": 200, "/hub/error/12345": 200, "/hub/error/x": 404} {
		if got := ask(h.Browser(), "GET", path); got.Code != want {
			t.Errorf("%s: %d, want %d", path, got.Code, want)
		}
	}
}

func TestStrangersAreSentToLogIn(t *testing.T) {
	signedIn := []string{auth.Authenticated}
	h := newHouse(t, "/jh/", []auth.Route{{Method: "GET", Pattern: "/hub/api/user", Scopes: signedIn, Handle: say("{}")}}, []auth.Route{
		{Method: "GET", Pattern: "/hub/home", Scopes: signedIn, Style: auth.Page, Handle: say("home")},
		{Method: "POST", Pattern: "/hub/spawn", Scopes: signedIn, Style: auth.Page, Handle: say("spawn")},
	})
	got := ask(h.Browser(), "GET", "/jh/hub/home?a=b&c=%2F")
	if want := "/jh/hub/login?next=%2Fjh%2Fhub%2Fhome%3Fa%3Db%26c%3D%252F"; got.Code != 302 || got.Header().Get("Location") != want {
		t.Errorf("page: %d to %s, want %s", got.Code, got.Header().Get("Location"), want)
	}
	for method, path := range map[string]string{"POST": "/jh/hub/spawn", "GET": "/jh/hub/api/user"} {
		if got := ask(h.Browser(), method, path); got.Code != 403 || got.Header().Get("Location") != "" {
			t.Errorf("%s %s: %d", method, path, got.Code)
		}
	}
}

// The admin's headers stand in place of ours on every answer, and the legacy status in place of 424.
func TestHeadersAndStatusOfTheConfiguration(t *testing.T) {
	rows := []auth.Route{{Method: "GET", Pattern: "/hub/gone", Public: true, Style: auth.Page, Handle: fail(hub.Errorf(hub.NotRunning, "stopped"))}}
	h, err := New(Options{BaseURL: "/", Porter: porter{}, Pages: pages{}, Browser: rows, Log: zerolog.Nop(), LegacyStopped: true,
		Headers: map[string]string{"content-security-policy": "frame-ancestors 'self'", "X-Site": "physics"}})
	if err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{"text/html": "page: ", "application/json": `{"message"`} {
		got := ask(h.Browser(), "GET", "/hub/gone", "Accept", accept)
		if got.Code != http.StatusServiceUnavailable || !strings.HasPrefix(got.Body.String(), want) {
			t.Errorf("%s: %d %s", accept, got.Code, got.Body)
		}
		if got.Header().Get("Content-Security-Policy") != "frame-ancestors 'self'" || got.Header().Get("X-Site") != "physics" {
			t.Errorf("headers are %v", got.Header())
		}
	}
}
