package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func jarFor(t *testing.T, path, data string) jar {
	t.Helper()
	r, err := newRoute(path, routeData(t, `{"target": "http://h", `+data+`}`), false)
	if err != nil {
		t.Fatal(err)
	}
	return r.jar
}

// Vulnerability: on one host a browser sends every server the cookies of all. Attack: mallory's server keeps the hub's login
// cookie that alice's browser brings when she looks at it. Verified: each route gets its own cookies and those of nobody else.
func TestCookiesReachOnlyWhomTheyAreFor(t *testing.T) {
	alice := jarFor(t, "/user/alice", `"user": "alice", "server_name": ""`)
	lab := jarFor(t, "/user/alice/lab", `"user": "alice", "server_name": "lab 1"`)
	jo := jarFor(t, "/user/jo@ex.org", `"user": "jo@ex.org"`)
	grader := jarFor(t, "/services/grader", `"service": "grader"`)
	other := jarFor(t, "/extra", `"extra": true`)
	hubs := jarFor(t, "/", `"hub": true`)
	for _, c := range []struct {
		name string
		who  map[string]bool // of alice lab jo grader other
	}{
		{"jupyterhub-hub-login", nil},
		{"__Host-jupyterhub-hub-login", nil},
		{"__host-jupyterhub-hub-login", nil},
		{"__Secure-jupyterhub-hub-login", nil},
		{"jupyterhub-session-id", map[string]bool{"alice": true, "lab": true, "jo": true, "grader": true, "other": true}},
		{"_xsrf", map[string]bool{"alice": true, "lab": true, "jo": true, "grader": true, "other": true}},
		{"rstudio-user", map[string]bool{"alice": true, "lab": true, "jo": true, "grader": true, "other": true}},
		{"jupyterhub-user-alice", map[string]bool{"alice": true}},
		{"__Host-jupyterhub-user-alice", map[string]bool{"alice": true}},
		{"jupyterhub-user-alice-oauth-state", map[string]bool{"alice": true}},
		{"jupyterhub-user-alice-oauth-state-AbCdEfGh", map[string]bool{"alice": true}},
		{"jupyterhub-user-alice-lab%201", map[string]bool{"lab": true}},
		{"jupyterhub-user-alice-lab%201-oauth-state", map[string]bool{"lab": true}},
		{"jupyterhub-user-alice" + twinOf(hub.ServerRef{User: "alice"}), map[string]bool{"alice": true}},
		{"jupyterhub-user-alice" + twinOf(hub.ServerRef{User: "alice"}) + "-oauth-state", map[string]bool{"alice": true}},
		{"jupyterhub-user-alice" + twinOf(hub.ServerRef{User: "bob"}), nil},
		{"jupyterhub-user-alice2", nil},
		{"jupyterhub-user-bob", nil},
		{"jupyterhub-user-jo%40ex.org", map[string]bool{"jo": true}},
		{"service-grader", map[string]bool{"grader": true, "other": true}},
		{"service-grader-oauth-state", map[string]bool{"grader": true, "other": true}},
		{"service-wiki", map[string]bool{"other": true}},
		{"jupyterhub-services", map[string]bool{"grader": true, "other": true}},
	} {
		for who, j := range map[string]jar{"alice": alice, "lab": lab, "jo": jo, "grader": grader, "other": other} {
			if got := j.sends(c.name); got != c.who[who] {
				t.Errorf("%s reaches %s: %v", c.name, who, got)
			}
		}
		if !hubs.sends(c.name) || !hubs.accepts(c.name) {
			t.Errorf("%s does not pass to and from the hub", c.name)
		}
	}
}

func TestFilterKeepsTheRestAsItCame(t *testing.T) {
	j := jarFor(t, "/user/alice", `"user": "alice"`)
	for _, c := range []struct{ in, want []string }{
		{[]string{"a=1;b=2;  c"}, []string{"a=1;b=2;  c"}},
		{[]string{"a=1; jupyterhub-hub-login=\"2|1:0\"; b=2"}, []string{"a=1; b=2"}},
		{[]string{"a=1", "jupyterhub-user-bob=x", "_xsrf=2"}, []string{"a=1; _xsrf=2"}},
		{[]string{"jupyterhub-hub-login=x"}, nil},
		{[]string{"a=\"; jupyterhub-hub-login=x; b=\""}, []string{"a=\"; b=\""}},
		{[]string{"\tjupyterhub-hub-login =x; jupyterhub-user-alice=1"}, []string{"jupyterhub-user-alice=1"}},
	} {
		h := http.Header{"Cookie": slices.Clone(c.in)}
		filterCookies(h, j.sends)
		if !slices.Equal(h["Cookie"], c.want) {
			t.Errorf("%q becomes %q, want %q", c.in, h["Cookie"], c.want)
		}
	}
}

// Vulnerability: any server of a host can set any cookie for all of it. Attack: mallory's server sets a login or session
// cookie of its own making, or one for bob's path. Verified: it cannot, and what else it sets stays below its own path.
func TestServersSetTheirOwnCookiesAlone(t *testing.T) {
	j := jarFor(t, "/user/mallory", `"user": "mallory"`)
	for line, want := range map[string]string{
		"jupyterhub-hub-login=x; Path=/hub/":                       "",
		"__Host-jupyterhub-hub-login=x; Path=/; Secure":            "",
		"jupyterhub-session-id=x; Path=/":                          "",
		"jupyterhub-user-bob=x; Path=/user/bob/":                   "",
		"jupyterhub-services=x; Path=/services":                    "",
		"service-grader=x; Path=/services/grader/":                 "",
		"=jupyterhub-hub-login=x; Path=/":                          "",
		"  =jupyterhub-session-id=x":                               "",
		"nameless; Path=/":                                         "",
		"\u00a0jupyterhub-session-id=x; Path=/":                    "",
		"jupyterhub-session-id\t=x; Path=/":                        "",
		"jupyterhub-user-mallory=x; HttpOnly; Path=/user/mallory/": "jupyterhub-user-mallory=x; HttpOnly; Path=/user/mallory/",
		"_xsrf=x; Path=/user/mallory/":                             "_xsrf=x; Path=/user/mallory/",
		"_xsrf=x; Path=/user/mallory":                              "_xsrf=x; Path=/user/mallory",
		"_xsrf=x; Path=/user/mallory/proxy/80/; Secure":            "_xsrf=x; Path=/user/mallory/proxy/80/; Secure",
		"_xsrf=x; Path=/":                                          "_xsrf=x; Path=/user/mallory/",
		"_xsrf=x; Path=/hub/; SameSite=Lax":                        "_xsrf=x; SameSite=Lax; Path=/user/mallory/",
		"_xsrf=x; Path=/user/mallory2/":                            "_xsrf=x; Path=/user/mallory/",
		"_xsrf=x; Path=/user/mallory/; path=/user/bob/":            "_xsrf=x; Path=/user/mallory/",
		"_xsrf=x": "_xsrf=x; Path=/user/mallory/",
		"a=x; Path=/user/mallory/; Domain=example.org": "a=x; Path=/user/mallory/",
		"__Host-a=x; Path=/; Secure":                   "__Host-a=x; Path=/; Secure",
	} {
		h := http.Header{"Set-Cookie": {line}}
		j.filterSetCookies(h)
		if got := strings.Join(h["Set-Cookie"], "|"); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

// Vulnerability: some headers speak for a whole host. Attack: mallory's server logs every visitor out of the hub, or registers
// a worker that sees their pages. Verified: a user's server cannot, the hub can.
func TestServersDoNotSpeakForTheHost(t *testing.T) {
	said := http.Header{"Clear-Site-Data": {`"cookies"`}, "Strict-Transport-Security": {"max-age=1"}, "Alt-Svc": {"h2=:1"}, "Nel": {"{}"}, "Report-To": {"{}"},
		"Content-Security-Policy": {"x"}, "Service-Worker-Allowed": {"/"}}
	h := said.Clone()
	jarFor(t, "/", `"hub": true`).filterAnswer(h)
	if len(h) != len(said) {
		t.Errorf("the hub's answer became %v", h)
	}
	mallory := jarFor(t, "/user/mallory", `"user": "mallory"`)
	mallory.filterAnswer(h)
	if len(h) != 1 || h["Content-Security-Policy"] == nil {
		t.Errorf("mallory's answer became %v", h)
	}
	for scope, stays := range map[string]bool{"/user/mallory/": true, "/user/mallory/lab/": true, "/user/mallory/../bob/": false, "/user/bob/": false, "/user/mallory": false} {
		h := http.Header{"Service-Worker-Allowed": {scope}}
		if mallory.filterAnswer(h); (len(h) == 1) != stays {
			t.Errorf("a worker for %s: %v", scope, h)
		}
	}
}

// FuzzCookies: whatever the browser sends, no reading of what is passed on finds a cookie that is not for the server, and
// every other cookie is still there, in order.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; jupyterhub-hub-login=x; b=2")
	f.Add("jupyterhub-hub-login=\"a;jupyterhub-user-bob=1\"")
	f.Add(";; =; \t jupyterhub-services\t=;__Host-service-x")
	f.Fuzz(func(t *testing.T, line string) {
		j := jar{own: "jupyterhub-user-alice", confine: "/user/alice/"}
		h := http.Header{"Cookie": {line}}
		filterCookies(h, j.sends)
		var want, got []string
		for _, c := range tornadoCookies(line) {
			if j.sends(c) {
				want = append(want, c)
			}
		}
		if v := h["Cookie"]; len(v) > 0 {
			got = tornadoCookies(v[0])
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q passes %q, want %q", line, got, want)
		}
		for _, c := range (&http.Request{Header: h}).Cookies() {
			if !j.sends(c.Name) {
				t.Fatalf("net/http finds %q in %q", c.Name, h["Cookie"])
			}
		}
	})
}

// tornadoCookies returns the names that tornado's parse_cookie finds.
func tornadoCookies(line string) []string {
	var names []string
	for piece := range strings.SplitSeq(line, ";") {
		if piece = strings.Trim(piece, " \t"); piece == "" {
			continue
		}
		name, _, _ := strings.Cut(piece, "=")
		names = append(names, trimName(name))
	}
	return names
}

func FuzzSetCookie(f *testing.F) {
	f.Add("a=1; Path=/hub/; Domain=x")
	f.Add("=jupyterhub-hub-login=1")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n\x00") {
			return // no header holds these
		}
		j := jar{own: "jupyterhub-user-alice", confine: "/user/alice/"}
		h := http.Header{"Set-Cookie": {line}}
		j.filterSetCookies(h)
		for _, c := range (&http.Response{Header: h}).Cookies() {
			if !j.accepts(c.Name) {
				t.Fatalf("%q sets %q", line, c.Name)
			}
			host := strings.HasPrefix(strings.ToLower(c.Name), "__host-")
			if !host && (c.Domain != "" || c.Path != "/user/alice" && !strings.HasPrefix(c.Path, "/user/alice/")) {
				t.Fatalf("%q reaches %q of %q", line, c.Path, c.Domain)
			}
		}
	})
}
