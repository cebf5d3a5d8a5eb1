package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/httpd/httpdtest"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

var (
	wild = regexp.MustCompile(`\{\w+(\.\.\.)?\}`)

	// What strangers put into addresses and forms. Zelda they name as somebody alone: whoever calls a server so reads it again.
	someValues = []string{"alice", "gpu", "", "..", "a/b", "ü", "\x00", "%2e%2e", "<script>alert(1)</script>", strings.Repeat("x", 300), "api", "lab/tree?x#y"}
	somePlaces = []string{"/hub/home", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example/", "http:/evil.example", "javascript:alert(1)",
		"/\t/evil.example", "//hub.example@evil.example", "/hub/../../evil", "/user/alice/lab", "\r\nSet-Cookie: x=y", "/%0d%0aSet-Cookie:%20x=y", "http://127.0.0.1.evil.example/"}
	someFields  = []string{"next", "action", "server", "user", "username", "users", "name", "names", "note", "code", "scopes", "id", "expires_in", "display_name", "opt-profile", "opt-", "profile", "q", "page", "sort", "state", "answer", "conversation", "right", "with"}
	someActions = []string{"start", "stop", "delete", "seen", "add", "remove", "revoke", "link", "share", "leave", "stop-all", "admin", "no-such-action"}
)

// Vulnerability: a page that falls over, leads elsewhere or tells too much. Attack: whatever address, headers and form. Verified: whoever
// asks for whatever page, with whatever stands in its address, head and form: nothing is a fault of ours, nobody is led to another
// host, no header is forged, and nobody reads of zelda but who may see her or asks for her by name.
func TestStrangersAtThePages(t *testing.T) {
	var rows []auth.Route
	w := newWorld(t, func(o *web.Options) {
		room, err := web.New(*o)
		if err != nil {
			t.Fatal(err)
		}
		rows = room.Routes()
	})
	w.addUser("zelda")
	w.must(w.store.Update(func(tx *store.Tx) error {
		_, _, err := tx.NewToken(hub.Token{Owner: hub.Owner{Kind: hub.OwnerUser, Name: "zelda"}, Scopes: []string{"inherit"}, Note: "note of zelda's"})
		return err
	}))
	if p := w.admin().get("/hub/admin?q=zelda"); !strings.Contains(p.body, "zelda") {
		t.Fatalf("an admin does not see her: %s", p.body)
	}
	from := 0
	rapid.Check(t, func(rt *rapid.T) {
		w.workshop.put("zelda", "", hub.Starting)
		b := w.browser()
		who := rapid.SampledFrom([]string{"nobody", "alice", "admin"}).Draw(rt, "who")
		switch who {
		case "alice":
			b = w.alice()
		case "admin":
			b = w.admin()
		}
		from++
		b.header.Set("X-Forwarded-For", fmt.Sprintf("127.%d.%d.1", from>>8&255, from&255)) // who guesses passwords is slowed down by address
		b.Transport = past{w.hall}
		for range rapid.IntRange(5, 10).Draw(rt, "requests") {
			r := drawRequest(rt, b, rows)
			got := b.do(r, nil)
			if got.status >= http.StatusInternalServerError {
				rt.Fatalf("%s %s: %d %s", r.Method, r.URL, got.status, got.body)
			}
			if to, err := url.Parse(got.location); err != nil || to.Host != "" || strings.HasPrefix(got.location, "//") || strings.Contains(got.location, `\`) {
				rt.Fatalf("%s %s leads %s to %q", r.Method, r.URL, who, got.location)
			}
			if c := got.header.Values("Set-Cookie"); strings.Contains(strings.Join(c, "\n"), "x=y") {
				rt.Fatalf("%s %s sets %q", r.Method, r.URL, c)
			}
			if who != "admin" && (strings.Contains(got.body, "note of zelda") || strings.Contains(got.body, "zelda") && !strings.Contains(r.URL.Path, "zelda")) {
				rt.Fatalf("%s %s shows %s: %s", r.Method, r.URL, who, got.body)
			}
			if who != "admin" && got.status == http.StatusOK && strings.Contains(r.URL.Path, "/zelda") {
				rt.Fatalf("%s %s is there for %s: %s", r.Method, r.URL, who, got.body)
			}
			if strings.Contains(got.body, "<script>alert") {
				rt.Fatalf("%s %s shows a script as it came: %s", r.Method, r.URL, got.body)
			}
		}
	})
}

// drawRequest makes up a request for one of the rows.
func drawRequest(t *rapid.T, b *browser, rows []auth.Route) *http.Request {
	row := rapid.SampledFrom(rows).Draw(t, "row")
	path := wild.ReplaceAllStringFunc(row.Pattern, func(name string) string {
		if name == "{user}" && rapid.Bool().Draw(t, "zelda") {
			return "zelda"
		}
		return url.PathEscape(rapid.SampledFrom(someValues).Draw(t, "value"))
	})
	values := func(of string) url.Values {
		v := url.Values{}
		for range rapid.IntRange(0, 4).Draw(t, of) {
			field := rapid.SampledFrom(someFields).Draw(t, "field")
			value := rapid.SampledFrom(someValues)
			switch field {
			case "next":
				value = rapid.SampledFrom(somePlaces)
			case "action":
				value = rapid.SampledFrom(someActions)
			}
			v.Add(field, value.Draw(t, field))
		}
		return v
	}
	form := values("form")
	if rapid.IntRange(0, 3).Draw(t, "token") > 0 {
		form.Set("_xsrf", b.token())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), row.Method, b.url+path+"?"+values("query").Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	httpdtest.Put(r, httpdtest.Draw(t))
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// past hands requests to the hall itself: clients and wires do not carry everything that may stand in a head.
type past struct{ hall http.Handler }

func (p past) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr, r.RequestURI = "192.0.2.1:1234", r.URL.RequestURI()
	rec := httptest.NewRecorder()
	p.hall.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// token is the one against forgery that the browser's cookies hold.
func (b *browser) token() string {
	at, err := url.Parse(b.url + "/hub/")
	b.must(err)
	for _, c := range b.Jar.Cookies(at) {
		if c.Name == "_xsrf" {
			return c.Value
		}
	}
	return ""
}
