package proxy

import (
	"encoding/json"
	"fmt"

	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
)

// routes returns the table as the API tells it, without the times.
func (s *stage) routes() map[string]map[string]any {
	s.t.Helper()
	var all map[string]map[string]any
	if err := json.Unmarshal([]byte(s.call("GET", "/api/routes", "").body), &all); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range all {
		if at, ok := r["last_activity"].(string); !ok || !strings.HasSuffix(at, "Z") {
			s.t.Errorf("last_activity is %v", r["last_activity"])
		}
		delete(r, "last_activity")
	}
	return all
}

// C.2: configurable-http-proxy's API, with its bugs fixed (C.9b).
func TestTheTableThroughTheAPI(t *testing.T) {
	s := newStage(t, Options{})
	if got := s.call("GET", "/api/routes", ""); got.status != 200 || got.body != "{}" {
		t.Fatalf("an empty table: %+v", got)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/api/routes/", `{"target": "http://127.0.0.1:1", "hub": true, "jupyterhub": true}`, 201},
		{"POST", "/api/routes/user/b@c%20%C3%BC/", `{"target": "http://127.0.0.1:2/pre", "user": "b@c ü", "server_name": "", "extra": {"a": [1, null]}, "last_activity": "never"}`, 201},
		{"POST", "/api/routes/__proto__", `{"target": "http://127.0.0.1:3"}`, 201},
		{"POST", "/api/routes/constructor/toString", `{"target": "http://127.0.0.1:3"}`, 201},
		{"GET", "/api/routes/user/b@c%20%C3%BC", "", 200},
		{"GET", "/api/routes/user/b%40c%20%c3%bc/", "", 200},
		{"GET", "/api/routes/user", "", 404},
		{"GET", "/api/routes/hasOwnProperty", "", 404},
		{"DELETE", "/api/routes/constructor/toString", "", 204},
		{"DELETE", "/api/routes/constructor/toString", "", 404},
		{"PUT", "/api/routes/x", "", 405},
		{"HEAD", "/api/routes", "", 405},
		{"GET", "/api/", "", 404},
		{"GET", "/api/routesx", "", 404},
		{"GET", "/", "", 404},
		{"POST", "/api/routes/%ff", `{"target": "http://h"}`, 400},
		{"POST", "/api/routes/a/../b", `{"target": "http://h"}`, 400},
		{"POST", "/api/routes/a%2Fb", `{"target": "http://h"}`, 400},
		{"POST", "/api/routes/a//b", `{"target": "http://h"}`, 400},
		{"POST", "/api/routes/x", ``, 400},
		{"POST", "/api/routes/x", `nonsense`, 400},
		{"POST", "/api/routes/x", `null`, 400},
		{"POST", "/api/routes/x", `["target"]`, 400},
		{"POST", "/api/routes/x", `{}`, 400},
		{"POST", "/api/routes/x", `{"target": null}`, 400},
		{"POST", "/api/routes/x", `{"target": 5}`, 400},
		{"POST", "/api/routes/x", `{"target": "ftp://h"}`, 400},
		{"POST", "/api/routes/x", `{"target": "http+unix://%2Frun%2Fx", "uid": "root"}`, 400},
		{"POST", "/api/routes/x", `{"target": "http+unix://%2Frun%2Fx", "uid": -1}`, 400},
		{"POST", "/api/routes/x", `{"target": "http+unix://%2Frun%2Fx", "uid": 4294967295}`, 400},
		{"POST", "/api/routes/x", `{"target": "` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"POST", "/metrics", "", 405},
		{"GET", "/metrics", "", 200},
		{"GET", "/api/sessions/x/end", "", 405},
		{"GET", "/api/reload", "", 405},
		{"POST", "/api/reload", "", 404},
	} {
		got := s.call(c.method, c.path, c.body)
		if got.status != c.status {
			t.Errorf("%s %s %.60s: %d %s, want %d", c.method, c.path, c.body, got.status, got.body, c.status)
		}
		if c.status/100 == 2 && c.method != "GET" && got.body != "" || c.status >= 400 && c.method != "HEAD" && !json.Valid([]byte(got.body)) {
			t.Errorf("%s %s answers %q", c.method, c.path, got.body)
		}
	}
	want := `map[/:map[hub:true jupyterhub:true target:http://127.0.0.1:1] /__proto__:map[target:http://127.0.0.1:3] ` +
		`/user/b@c ü:map[extra:map[a:[1 <nil>]] server_name: target:http://127.0.0.1:2/pre user:b@c ü]]`
	if got := fmt.Sprint(s.routes()); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	if got := s.call("DELETE", "/api/routes", ""); got.status != 204 {
		t.Errorf("the root is not deleted: %+v", got)
	}
	if got := s.get("/"); got.status != 404 {
		t.Errorf("without a root: %d", got.status)
	}
}

func TestInactiveSince(t *testing.T) {
	clock := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newStage(t, Options{Now: func() time.Time { return clock }})
	s.route("/old", "http://h", "")
	clock = clock.Add(time.Hour)
	s.route("/new", "http://h", "")
	for query, want := range map[string]string{
		"inactive_since=2026-01-01T12:30:00Z": "/old", "inactiveSince=2026-01-01T12:30:00.000%2B00:00": "/old", "inactive_since=2026-01-01T12:30:00": "/old",
		"inactive_since=2026-01-01": "", "inactive_since=2026-01-02": "/new/old",
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(s.call("GET", "/api/routes?"+query, "").body), &got); err != nil {
			t.Fatal(err)
		}
		keys := ""
		for _, k := range []string{"/new", "/old"} {
			if got[k] != nil {
				keys += k
			}
		}
		if keys != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	if got := s.call("GET", "/api/routes?inactive_since=yesterday", ""); got.status != 400 {
		t.Errorf("nonsense: %d", got.status)
	}
}

// The API opens for the uids on its list and for the whole token, and reads nothing of the others.
func TestWhoMayUseTheAPI(t *testing.T) {
	mallory := newStage(t, Options{APIPeers: []int64{int64(os.Getuid()) + 1}, APIToken: "secret"})
	for header, status := range map[string]int{"": 403, "token secret": 200, "token secre": 403, "token secret2": 403, "Bearer secret": 403, "token ": 403, "secret": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://api/api/routes", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		res, err := mallory.api.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, res); got.status != status || strings.Contains(got.body, "secre") {
			t.Errorf("%q: %d %s", header, got.status, got.body)
		}
	}
	nobody := newStage(t, Options{APIPeers: []int64{}})
	if got := nobody.call("GET", "/api/routes", ""); got.status != 403 {
		t.Errorf("without a list and a token: %d", got.status)
	}
}

func TestReload(t *testing.T) {
	var calls []bool
	s := newStage(t, Options{Reload: func(_ ctx, check bool) ([]string, error) {
		calls = append(calls, check)
		if len(calls) > 2 {
			return nil, hub.Errorf(hub.Invalid, "jupyterhub.toml:3: proxy.tls_key: no such file\njupyterhub.toml:4: proxy.x: unknown")
		}
		return []string{"proxy.tls_certificate is another"}, nil
	}})
	for _, path := range []string{"/api/reload?check=1", "/api/reload"} {
		if got := s.call("POST", path, `{"check": true}`); got.status != 200 || got.body != `{"changes":["proxy.tls_certificate is another"]}` {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := s.call("POST", "/api/reload", ""); got.status != 400 || !strings.Contains(got.body, `no such file\njupyterhub.toml:4`) {
		t.Errorf("mistakes: %+v", got)
	}
	if fmt.Sprint(calls) != "[true false false]" {
		t.Errorf("calls: %v", calls)
	}
}

// C.7: the names that dashboards know.
func TestMetrics(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	s.get("/user/alice/")
	s.get("/nowhere")
	got := s.call("GET", "/metrics", "").body
	for _, line := range []string{"api_route_add 1", "requests_web 2", `requests_proxy{status="200"} 1`, `requests_proxy{status="404"} 1`, `requests_api{status="201"} 1`,
		"requests_ws 0", "api_route_get 0", "api_route_delete 0", "find_target_for_req_count 2", "last_activity_updating_count", "process_open_fds", "jupyterhub_proxy_routes 1"} {
		if !strings.Contains(got, "\n"+line) {
			t.Errorf("no %q", line)
		}
	}
	for path, status := range map[string]int{"/metrics": 200, "/": 404} {
		w := httptest.NewRecorder()
		if s.p.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", path, nil)); w.Code != status {
			t.Errorf("%s of the metrics' own door: %d", path, w.Code)
		}
	}
}

// D23: a change of a route is seen whole: no request in between finds nothing.
func TestD23RoutesAreSwappedAtOnce(t *testing.T) {
	s := newStage(t, Options{Grace: time.Minute})
	first, second := newServer(t, hello), newServer(t, hello)
	s.alice(first.URL)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.p.Add("/user/alice", routeData(t, fmt.Sprintf(`{"target": %q}`, []string{first.URL, second.URL}[i%2])))
			}
		}
	}()
	for range 200 {
		if got := s.get("/user/alice/"); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	close(stop)
	<-done
}

// FuzzRoute: whatever is posted as a route's path and data is refused or found again under its key, and never panics.
func FuzzRoute(f *testing.F) {
	f.Add("/user/alice", `{"target": "http://h", "uid": 1}`)
	f.Add("/user/%C3%BC@/", `{"target": "http+unix://%2Frun%2Fx", "uid": 1, "user": 5}`)
	f.Add("//", `{"target": "https://[::1]:1/a?b"}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		var data map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &data) != nil {
			return
		}
		r, err := newRoute(path, data, false)
		if err != nil {
			if hub.KindOf(err) != hub.Invalid {
				t.Fatal(err)
			}
			return
		}
		if r.key == "/" {
			return
		}
		p, err := readPath(r.spelling + "/x")
		if err != nil || p.decoded != r.key+"/x" || r.at(p) != r.spelling+"/x" {
			t.Fatalf("%q is not found again: %q, %v", path, p.decoded, err)
		}
		if r.uid != hub.NoUID && (r.uid < 0 || !r.target.unix) {
			t.Fatalf("uid %d", r.uid)
		}
	})
}
