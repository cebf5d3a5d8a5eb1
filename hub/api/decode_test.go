package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/client"
)

func request(target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestBodiesAreObjectsOrNothing(t *testing.T) {
	for body, want := range map[string]string{
		"": "nothing", " \n ": "nothing", "{}": "object", ` {"a": {"b": [1]}} `: "object",
		"null": "nothing", "[]": "refused", "1": "refused", "{": "refused", "{}{}": "refused", `{"a":1,"a":2}`: "refused",
		`{"a":}`: "refused", "{1:2}": "refused", "\x00": "refused", strings.Repeat("[", 20000): "refused", `{"a":` + strings.Repeat("[", 20000): "refused",
	} {
		o, err := readObject(request("/", body))
		got := "object"
		switch {
		case err != nil:
			got = "refused"
			if hub.KindOf(err) != hub.Invalid {
				t.Errorf("%.20q: %v, want an Invalid error", body, err)
			}
		case o == nil:
			got = "nothing"
		}
		if got != want {
			t.Errorf("%.20q: %s, want %s", body, got, want)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":1}`, `{"a":{"a":null}}`, `{"a":1,"a":2}`, "null", "{}}", `{"\ud800":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o, err := parseObject([]byte(body))
		if err != nil {
			return
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%q is no JSON and was taken", body)
		}
		var plain map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &plain); err != nil || len(plain) != len(o) {
			t.Errorf("%q: %d fields, encoding/json sees %d (%v)", body, len(o), len(plain), err)
		}
	})
}

func pagingRoom() *Room { return New(Options{BaseURL: "/"}) }

func TestPagesAreWhatJupyterHubMakesThem(t *testing.T) {
	opted := []string{"Accept", "text/html, application/JUPYTERHUB-pagination+json"}
	for _, c := range []struct {
		query         string
		headers       []string
		offset, limit int
	}{
		{"", nil, 0, 200},
		{"", opted, 0, 50},
		{"", []string{"Accept", "*/*"}, 0, 200},
		{"", []string{"Accept", "application/jupyterhub-pagination+json;q=1"}, 0, 200},
		{"?limit=10&offset=20", nil, 20, 10},
		{"?limit=-10&offset=-20", opted, 20, 10},
		{"?limit=0", opted, 0, 1},
		{"?limit=1000", opted, 0, 200},
		{"?limit=99999999999999999999", opted, 0, 200},
		{"?limit=5&limit=7", opted, 0, 7},
	} {
		p, err := pagingRoom().pageOf(request("/hub/api/users"+c.query, "", c.headers...))
		if err != nil || p.offset != c.offset || p.limit != c.limit {
			t.Errorf("%q %v: offset %d limit %d (%v), want %d %d", c.query, c.headers, p.offset, p.limit, err, c.offset, c.limit)
		}
	}
	for _, query := range []string{"?limit=x", "?limit=", "?offset=1.5", "?offset=99999999999999999999"} {
		if _, err := pagingRoom().pageOf(request("/hub/api/users"+query, "")); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%q: %v, want Invalid", query, err)
		}
	}
}

func TestNextPageIsFollowedAsItStands(t *testing.T) {
	r := request("/hub/api/users?state=ready&offset=50&limit=50", "", "Accept", client.PaginationType)
	r = r.WithContext(auth.WithVisit(r.Context(), auth.Visit{Scheme: "https", Host: "hub.example:8000"}))
	p, err := pagingRoom().pageOf(r)
	if err != nil {
		t.Fatal(err)
	}
	got := p.of([]int{1}, 101).(client.Page[any]).Pagination
	if got.Next == nil || got.Next.URL != "https://hub.example:8000/hub/api/users?limit=50&offset=100&state=ready" || got.Next.Offset != 100 {
		t.Errorf("next page %+v", got.Next)
	}
	if last := p.of([]int{1}, 100).(client.Page[any]).Pagination; last.Next != nil || last.Total != 100 {
		t.Errorf("the last page leads on: %+v", last)
	}
}

func FuzzPaging(f *testing.F) {
	f.Add("limit=10&offset=20", client.PaginationType, 100)
	f.Add("limit=-2147483648&offset=-1", "", 7)
	f.Add("limit=%zz&offset=;", ",,", 0)
	f.Fuzz(func(t *testing.T, query, accept string, total int) {
		r := request("/hub/api/users", "", "Accept", accept)
		r.URL.RawQuery = query
		p, err := pagingRoom().pageOf(r)
		if err != nil {
			return
		}
		if p.offset < 0 || p.limit < 1 || p.limit > 200 {
			t.Errorf("%q: offset %d limit %d", query, p.offset, p.limit)
		}
		all := make([]int, min(max(total, 0), 1000))
		page := cut(all, p)
		if len(page) > p.limit {
			t.Errorf("a page of %d, the limit is %d", len(page), p.limit)
		}
		p.of(page, len(all))
	})
}

func TestNamesInURLs(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "alice", "a@b.c": "a@b.c", "we ird": "we%20ird", "ü": "%C3%BC", "a/b": "a%2Fb", "a+b": "a%2Bb", "-._~": "-._~", `dom\user`: "dom%5Cuser", "%40": "%2540",
	} {
		if got := escape(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"alice", "a@b", "%", "+", "ü", "\xff", "a/b?c#d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if back, err := url.PathUnescape(escape(name)); err != nil || back != name {
			t.Errorf("%q comes back as %q (%v)", name, back, err)
		}
		if strings.ContainsAny(escape(name), "/?#+ ") {
			t.Errorf("%q: %q has a character that means something in a path", name, escape(name))
		}
	})
}

func FuzzActivity(f *testing.F) {
	for _, seed := range []string{
		`{"last_activity":"2026-11-21T19:35:00.408765Z","servers":{"":{"last_activity":"2026-11-21T19:35:00.408765Z"}}}`,
		`{"last_activity":"2026-11-21T19:35:00"}`, `{"servers":{}}`, `{"servers":{"a":null}}`, `{"last_activity":7}`, `{"last_activity":"9999-01-01T00:00:00Z"}`,
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	room := New(Options{Now: func() time.Time { return now }})
	f.Fuzz(func(t *testing.T, body string) {
		o, err := parseObject([]byte(body))
		if err != nil {
			return
		}
		n, err := room.readActivity("alice", o)
		if err != nil {
			return
		}
		if n.user.IsZero() && len(n.servers) == 0 {
			t.Errorf("%q says nothing and was taken", body)
		}
		for ref, at := range n.servers {
			if at.After(now.Add(time.Hour)) || ref.User != "alice" {
				t.Errorf("%q: %s at %s", body, ref, at)
			}
		}
	})
}
