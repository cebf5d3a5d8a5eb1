package proxy

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// tableOf makes a table of routes with these paths.
func tableOf(t *testing.T, hosts bool, paths ...string) *table {
	t.Helper()
	tb := newTable()
	for _, path := range paths {
		r, err := newRoute(path, routeData(t, `{"target": "http://127.0.0.1:1"}`), hosts)
		if err != nil {
			t.Fatal(err)
		}
		tb.put(r, func(*route) {})
	}
	return tb
}

// D2, D3, D4: one reading of the path finds the route and is forwarded, and never leads to a server that the bytes do not
// name.
func TestPathsAreReadOnce(t *testing.T) {
	tb := tableOf(t, false, "/", "/user/alice", "/user/jo@ex.org", "/user/%C3%BC", "/user/alice/lab", "/services/a+b", "/user/d%5Cu")
	for path, want := range map[string][2]string{ // key of the route, bytes that go upstream
		"/user/alice":                   {"/user/alice", "/user/alice"},
		"/user/alice/":                  {"/user/alice", "/user/alice/"},
		"/user/alice/a%2Fb%ff?":         {"", ""},
		"/user/alice/a%2Fb%20c":         {"/user/alice", "/user/alice/a%2Fb%20c"},
		"/user/alice//a///":             {"/user/alice", "/user/alice//a///"},
		"/user/alice/lab":               {"/user/alice/lab", "/user/alice/lab"},
		"/user/alice/labs":              {"/user/alice", "/user/alice/labs"},
		"/user/alicex/":                 {"/", "/user/alicex/"},
		"/user/Alice/":                  {"/", "/user/Alice/"},
		"/user/alice;x/":                {"/", "/user/alice;x/"},
		"/user/alice%2Flab/x":           {"/", "/user/alice%2Flab/x"},
		"/user%2Falice/":                {"/", "/user%2Falice/"},
		"//user/alice/":                 {"/", "//user/alice/"},
		"/user//alice/":                 {"/", "/user//alice/"},
		"//evil.example/%2Fx":           {"/", "//evil.example/%2Fx"},
		"/user/%61lice/%61":             {"/user/alice", "/user/alice/%61"},
		"/user/jo%40ex.org/a%40b":       {"/user/jo@ex.org", "/user/jo@ex.org/a%40b"},
		"/user/jo@ex.org/":              {"/user/jo@ex.org", "/user/jo@ex.org/"},
		"/user/%c3%bc/x":                {"/user/ü", "/user/%C3%BC/x"},
		"/user/ü/x":                     {"/user/ü", "/user/%C3%BC/x"},
		"/user/alice/ü\"<>`{|}^x":       {"/user/alice", "/user/alice/%C3%BC%22%3C%3E%60%7B%7C%7D%5Ex"},
		"/user/alice/%7b%22a%22|b":      {"/user/alice", "/user/alice/%7b%22a%22%7Cb"},
		"/services/a+b/":                {"/services/a+b", "/services/a+b/"},
		"/services/a%2bb/":              {"/services/a+b", "/services/a+b/"},
		"/user/d%5Cu/":                  {"/user/d\\u", "/user/d%5Cu/"},
		"/user/alice/%252e%252e/x":      {"/user/alice", "/user/alice/%252e%252e/x"},
		"/user/alice/...":               {"/user/alice", "/user/alice/..."},
		"/user/alice/.hidden/..x/x..":   {"/user/alice", "/user/alice/.hidden/..x/x.."},
		"/":                             {"/", "/"},
		"/user/alice/../bob/":           {},
		"/user/alice/..":                {},
		"/user/alice/./x":               {},
		"/user/alice/%2e%2e/bob":        {},
		"/user/alice/.%2E/bob":          {},
		"/user/alice/%2e":               {},
		"/user/alice/..%2fbob":          {},
		"/user/alice/x%2f..%2f..%2fbob": {},
		"/user/alice/..%5cbob":          {},
		"/user/alice/..\\bob":           {},
		"/user\\alice":                  {},
		"/user/alice/#x":                {},
		"/user/alice/%zz":               {},
		"/user/alice/%":                 {},
		"/user/alice/%4":                {},
		"/user/alice/%00":               {},
		"/user/alice/%ff":               {},
		"user/alice":                    {},
		"":                              {},
	} {
		path = strings.TrimSuffix(path, "?")
		p, err := readPath(path)
		if want[0] == "" {
			if err == nil {
				t.Errorf("%s is read as %q, want it refused", path, p.decoded)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		r := tb.find(p)
		if r.key != want[0] || r.at(p) != want[1] {
			t.Errorf("%s goes to %s as %s, want %s as %s", path, r.key, r.at(p), want[0], want[1])
		}
	}
}

func TestHostRouting(t *testing.T) {
	tb := tableOf(t, true, "/", "/Alice.Hub.Example/user/alice", "/hub.example")
	for _, c := range []struct{ host, path, key, forwarded string }{
		{"alice.hub.example", "/user/alice/x", "/alice.hub.example/user/alice", "/user/alice/x"},
		{"ALICE.hub.example:8000", "/user/%61lice/x", "/alice.hub.example/user/alice", "/user/alice/x"},
		{"alice.hub.example.", "/user/alice", "/alice.hub.example/user/alice", "/user/alice"},
		{"bob.hub.example", "/user/alice/x", "/", "/user/alice/x"},
		{"hub.example", "/anything", "/hub.example", "/anything"},
		{"[::1]:8000", "/hub", "/", "/hub"},
	} {
		p, err := readPath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if r := tb.findAt(hostKey(c.host), p); r.key != c.key || r.at(p) != c.forwarded {
			t.Errorf("%s%s goes to %s as %s, want %s as %s", c.host, c.path, r.key, r.at(p), c.key, c.forwarded)
		}
	}
}

func TestTargetForms(t *testing.T) {
	for target, want := range map[string][2]string{
		"/a/b?c=d":                 {"/a/b", "c=d"},
		"/a?b?c":                   {"/a", "b?c"},
		"http://h/a//b?c":          {"/a//b", "c"},
		"http://h":                 {"/", ""},
		"http://h?q":               {"/", "q"},
		"HTTPS://h:80/user/alice/": {"/user/alice/", ""},
		"//h/a":                    {"//h/a", ""},
		"*":                        {"/", ""},
	} {
		if path, query := splitTarget(target); path != want[0] || query != want[1] {
			t.Errorf("%s is %q and %q, want %q", target, path, query, want)
		}
	}
}

func TestTargetsOfRoutes(t *testing.T) {
	for s, want := range map[string]target{
		"http://127.0.0.1:8888":          {scheme: "http", addr: "127.0.0.1:8888", host: "127.0.0.1:8888"},
		"http://h/pre/?a=b":              {scheme: "http", addr: "h:80", host: "h", path: "/pre", query: "a=b"},
		"https://[::1]":                  {scheme: "https", addr: "[::1]:443", host: "[::1]"},
		"http+unix://%2Frun%2Fx.sock":    {scheme: "http", addr: "/run/x.sock", unix: true, host: "localhost"},
		"unix+http://%2frun%2fx.sock/ab": {scheme: "http", addr: "/run/x.sock", unix: true, host: "localhost", path: "/ab"},
	} {
		if got, err := readTarget(s); err != nil || got != want {
			t.Errorf("%s is %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "ftp://h", "http://", "http://:80", "http://u:p@h", "http://h:0", "http://h:99999", "http://h:x", "http://h:",
		"http://h/#f", "http://h h", "//h", "http+unix://run", "http+unix://", "http+unix://%2", "http+unix://%2Fa%00b", "http+unix://%2F" + strings.Repeat("a", 200)} {
		if got, err := readTarget(s); err == nil {
			t.Errorf("%q is taken for %+v", s, got)
		}
	}
}

// FuzzPath: what is accepted forwards to bytes that net/url, and so every careful upstream, reads as the path that was
// matched.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/user/alice/a%2Fb", "//x", "/a/../b", "/%2e%2e%2f", "/\\", "/ü|", "/%zz", "/user/jo%40ex.org/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := readPath(path)
		if err != nil {
			return
		}
		u := url.URL{RawPath: p.raw, Path: p.decoded}
		if u.EscapedPath() != p.raw {
			t.Fatalf("%q would be forwarded as %q", p.raw, u.EscapedPath())
		}
		if got, err := url.PathUnescape(p.raw); err != nil || got != p.decoded || !utf8.ValidString(got) {
			t.Fatalf("%q decodes to %q, read as %q", p.raw, got, p.decoded)
		}
		resolved := (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: strings.ReplaceAll(p.decoded, "\\", "/")})
		if strings.Count(resolved.Path, "/") < strings.Count(strings.ReplaceAll(p.decoded, "\\", "/"), "/") && !strings.HasPrefix(p.decoded, "//") {
			t.Fatalf("%q still moves when dots are resolved: %q", p.decoded, resolved.Path)
		}
		again, err := readPath(p.raw)
		if err != nil || again.raw != p.raw || again.decoded != p.decoded {
			t.Fatalf("what is forwarded reads differently: %+v, %v", again, err)
		}
	})
}
