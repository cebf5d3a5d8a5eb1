package httpd_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"jupyterhubd/hub/api"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/httpd"
	"jupyterhubd/hub/oauth"
	"jupyterhubd/hub/rbac"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/web"
)

// forAll are the rows that anybody may pass, and what a stranger gets there. Whoever adds a public row writes it down here
// and says why.
var forAll = map[string]int{
	"GET /hub/api":                                     200, // the version, by which clients know us
	"GET /hub/api/":                                    200,
	"POST /hub/api/users/{user}/tokens":                403, // asks for its scope itself: never 404
	"POST /hub/api/users/{user}/server/wake":           403, // the proxy has the key that stands in its route
	"POST /hub/api/users/{user}/servers//wake":         403,
	"POST /hub/api/users/{user}/servers/{server}/wake": 403,

	"GET /hub/api/openapi.json":                  200, // what the API is, as the manual says too
	"POST /hub/api/authorizations/token":         404, // tells where tokens are made now
	"POST /hub/api/authorizations/token/{token}": 404,
	"POST /hub/api/oauth2/token":                 400, // clients prove themselves in the body
	"GET /hub/login":                             200,
	"POST /hub/login":                            403, // without the form's token
	"GET /hub/logout":                            302,
	"GET /hub/":                                  302,
	"GET /hub":                                   301,
	"GET /hub/logo":                              200,
	"HEAD /hub/logo":                             200,
	"GET /favicon.ico":                           200, // browsers ask for it beside every page
	"GET /hub/static/{name...}":                  404, // of a file that is not there
	"HEAD /hub/static/{name...}":                 404,
	"GET /user/{user}":                           301,
	"GET /services/{service}":                    301,
	"GET /{rest...}":                             302,
	"GET /user/{user}/{rest...}":                 302,
	"GET /services/{service}/{rest...}":          302,
	"POST /hub/user/{user}":                      403, // a stopped server's API, for whoever has a token or the XSRF token
	"PATCH /hub/user/{user}":                     403,
	"DELETE /hub/user/{user}":                    403,
	"POST /hub/user/{user}/{rest...}":            403,
	"PATCH /hub/user/{user}/{rest...}":           403,
	"DELETE /hub/user/{user}/{rest...}":          403,
}

// As nobody, through every row of every room: refused, sent to log in, or on the list above.
func TestNobodyPassesAnyPlate(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	policy, err := rbac.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	porter, err := auth.New(auth.Options{Store: s, Rules: auth.Rules{Policy: policy}, BaseURL: "/"})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Options{Store: s, Porter: porter, BaseURL: "/", InsecureHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	provider := oauth.New(oauth.Options{Store: s, Policy: porter.Policy, Pages: pages})
	rest := append(api.New(api.Options{Store: s, Policy: porter.Policy, BaseURL: "/"}).Routes(), provider.API()...)
	browser := append(pages.Routes(), provider.Pages()...)
	hall, err := httpd.New(httpd.Options{BaseURL: "/", Porter: porter, Pages: pages, API: rest, Browser: browser, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	told := api.Described()
	seen := map[string]bool{}
	for _, row := range append(rest, browser...) {
		name := row.Method + " " + row.Pattern
		want, public := forAll[name]
		if strings.HasPrefix(row.Pattern, "/hub/api/oauth2/") && told[name] == "" {
			t.Errorf("%s is not in the API's document: say in hub/api/about.go what it does", name)
		}
		if public != row.Public {
			t.Errorf("%s: public is %t, the list says %t", name, row.Public, public)
		}
		seen[name] = public
		path := strings.NewReplacer("{user}", "alice", "{server}", "gpu", "{group}", "class", "{service}", "wiki", "{id}", "a1", "{owner}", "bob", "{token}", "x", "{value}", "x", "{name}", "x", "{rest...}", "x/api", "{name...}", "x").Replace(row.Pattern)
		got := httptest.NewRecorder()
		hall.Browser().ServeHTTP(got, httptest.NewRequest(row.Method, path, nil))
		switch toLogin := strings.HasPrefix(got.Header().Get("Location"), "/hub/login?next="); {
		case public && got.Code != want:
			t.Errorf("%s: %d, want %d", name, got.Code, want)
		case !public && row.Style != auth.API && row.Method == http.MethodGet && !(got.Code == http.StatusFound && toLogin):
			t.Errorf("%s: %d to %q, want the login page", name, got.Code, got.Header().Get("Location"))
		case !public && (row.Style == auth.API || row.Method != http.MethodGet) && got.Code != http.StatusForbidden:
			t.Errorf("%s: %d, want 403", name, got.Code)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(forAll)) {
		if !seen[name] {
			t.Errorf("%s is on the list and in no room", name)
		}
	}
}
