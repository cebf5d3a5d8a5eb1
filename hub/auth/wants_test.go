package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWantsJSON(t *testing.T) {
	for _, c := range []struct {
		method, path, accept string
		json                 bool
	}{
		{"GET", "/hub/user/alice/lab", "text/html,application/xhtml+xml,*/*;q=0.8", false},
		{"GET", "/hub/user/alice/lab", "", false},
		{"GET", "/hub/user/alice/lab", "application/*", false},
		{"GET", "/hub/user/alice/lab", "application/json, text/html", false},
		{"GET", "/hub/user/alice/lab", "application/json;q=0.5, text/html;q=0.9", false},
		{"GET", "/hub/user/alice/lab", "application/json;q=0.9,*/*;q=0.8", true},
		{"GET", "/hub/user/alice/api/contents", "text/html", true},
		{"GET", "/hub/user/alice/gpu/api/contents", "text/html", true},
		{"GET", "/hub/user/api/lab", "text/html", false},
		{"GET", "/api/hub/user/alice/lab", "text/html", false},
		{"GET", "/api/hub/user/alice/api", "text/html", true},
		{"GET", "/", "text/html", false},
		{"POST", "/hub/user/alice/lab", "text/html", true},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Accept", c.accept)
		if got := WantsJSON(r); got != c.json {
			t.Errorf("%s %s with Accept %q: JSON is wanted: %t", c.method, c.path, c.accept, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/html", "application/json;q=0.9,*/*;q=0.8", "application/json;q=x", "application/json;;q=1", ";", ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest(http.MethodGet, "/hub/user/alice/lab", nil)
		r.Header.Set("Accept", accept)
		if WantsJSON(r) && !strings.Contains(strings.ToLower(accept), "application/json") {
			t.Errorf("Accept %q gets JSON", accept)
		}
	})
}
