package idleculler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
	"jupyterhubd/idleculler"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func options() idleculler.Options {
	return idleculler.Options{Timeout: time.Hour, CullAdminUsers: true, CullDefaultServers: true, CullNamedServers: true,
		Concurrency: 10, Now: func() time.Time { return noon }}
}

// house is a hub as the API's specification has it: pages of two, 202 for a slow stop, no removal of a user who runs.
type house struct {
	mu      sync.Mutex
	users   []client.User
	slow    map[string]bool // servers that answer 202
	broken  map[string]bool // paths that answer 500
	calls   []string        // what was asked for, but for listings
	running atomic.Int32
	most    atomic.Int32
	hold    chan struct{} // when not nil, a stop waits for a value
}

func (h *house) user(name string, admin bool, active time.Duration, servers ...client.Server) {
	m := map[string]client.Server{}
	for _, s := range servers {
		m[s.Name] = s
	}
	h.users = append(h.users, client.User{Kind: "user", Name: name, Admin: client.Show(admin), Servers: client.Show(m),
		Created: client.Show(client.At(noon.Add(-48 * time.Hour))), LastActivity: client.Show(client.At(noon.Add(-active)))})
}

func server(name string, active time.Duration) client.Server {
	return client.Server{Name: name, Ready: true, Started: client.At(noon.Add(-2 * time.Hour)), LastActivity: client.At(noon.Add(-active))}
}

func (h *house) open(t *testing.T) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/hub/api", "cullers-token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for n := h.running.Add(1); ; {
		if most := h.most.Load(); n <= most || h.most.CompareAndSwap(most, n) {
			break
		}
	}
	defer h.running.Add(-1)
	switch path := strings.TrimPrefix(r.URL.EscapedPath(), "/hub/api"); {
	case r.Header.Get("Authorization") != "token cullers-token":
		http.Error(w, `{"message":"Missing or invalid credentials."}`, http.StatusForbidden)
	case r.Method == "GET" && path == "/users":
		h.list(w, r)
	case r.Method == "DELETE":
		h.delete(w, r, path)
	default:
		http.NotFound(w, r)
	}
}

func (h *house) list(w http.ResponseWriter, r *http.Request) {
	if h.broken["/users?"+r.URL.RawQuery] {
		http.Error(w, `{"message":"no"}`, http.StatusInternalServerError)
		return
	}
	var all []client.User
	for _, u := range h.users {
		ready := slices.ContainsFunc(mapValues(u.Servers.Value), func(s client.Server) bool { return s.Ready })
		if state := r.URL.Query().Get("state"); state == "ready" && ready || state == "inactive" && len(u.Servers.Value) == 0 {
			all = append(all, u)
		}
	}
	var offset int
	fmt.Sscan(r.URL.Query().Get("offset"), &offset)
	page := client.Page[[]client.User]{Items: all[offset:min(len(all), offset+2)], Pagination: client.Pagination{Offset: offset, Limit: 2, Total: len(all)}}
	if offset+2 < len(all) {
		q := r.URL.Query()
		q.Set("offset", fmt.Sprint(offset+2))
		page.Pagination.Next = &client.NextPage{Offset: offset + 2, Limit: 2, URL: "http://" + r.Host + "/hub/api/users?" + q.Encode()}
	}
	json.NewEncoder(w).Encode(page)
}

func mapValues(m map[string]client.Server) (list []client.Server) {
	for _, s := range m {
		list = append(list, s)
	}
	return list
}

func (h *house) delete(w http.ResponseWriter, r *http.Request, path string) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	h.calls = append(h.calls, strings.TrimSpace(path+" "+string(body)))
	h.mu.Unlock()
	if h.hold != nil {
		<-h.hold
	}
	switch {
	case h.broken[path]:
		http.Error(w, `{"status":500,"message":"Internal Server Error"}`, http.StatusInternalServerError)
	case h.slow[path]:
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h *house) asked() string {
	slices.Sort(h.calls)
	return strings.Join(h.calls, "\n")
}

func TestIdleServersAreStoppedAndBusyOnesLeft(t *testing.T) {
	h := &house{}
	h.user("alice", false, 0, server("", 2*time.Hour), server("gpu", time.Minute))
	h.user("bob", false, 0, server("", time.Minute))
	h.user("carl with a space", false, 0, server("a-b", 2*time.Hour))
	h.user("mallory", false, 0, client.Server{Name: "", Pending: "spawn"}, client.Server{Name: "x", Ready: true, Pending: "stop"})
	h.user("zoe", false, 0)
	report, err := idleculler.Pass(t.Context(), h.open(t), options())
	if err != nil {
		t.Fatal(err)
	}
	if want := "/users/alice/server\n/users/carl%20with%20a%20space/servers/a-b"; h.asked() != want {
		t.Errorf("asked for\n%s\nwant\n%s", h.asked(), want)
	}
	if want := "looked at 6 servers of 4 users: stopped 2, left 2 alone in which something was under way"; report.String() != want {
		t.Errorf("got  %s\nwant %s", report, want)
	}
}

func TestNamedServersAreForgottenOnlyWhenAskedTo(t *testing.T) {
	h := &house{}
	h.user("alice", false, 0, server("", 2*time.Hour), server("gpu", 2*time.Hour))
	o := options()
	o.RemoveNamedServers = true
	if _, err := idleculler.Pass(t.Context(), h.open(t), o); err != nil {
		t.Fatal(err)
	}
	if want := "/users/alice/server\n/users/alice/servers/gpu {\"remove\":true}"; h.asked() != want {
		t.Errorf("asked for\n%s\nwant\n%s", h.asked(), want)
	}
}

func TestUsersGoOnlyAfterAllTheirServersHaveStopped(t *testing.T) {
	h := &house{slow: map[string]bool{"/users/bob/server": true}, broken: map[string]bool{"/users/carl/server": true}}
	h.user("alice", false, 3*time.Hour, server("", 2*time.Hour))                                           // stops, then goes
	h.user("bob", false, 3*time.Hour, server("", 2*time.Hour))                                             // 202: still stopping
	h.user("carl", false, 3*time.Hour, server("", 2*time.Hour))                                            // 500
	h.user("dora", false, 3*time.Hour, server("", 2*time.Hour), server("x", time.Minute))                  // the other runs
	h.user("erik", false, 3*time.Hour)                                                                     // nothing runs
	h.user("frida", false, time.Minute)                                                                    // was here just now
	h.user("gina", false, 3*time.Hour, server("", 2*time.Hour), client.Server{Name: "x", Pending: "stop"}) // another is stopping
	h.user("root-of-all", true, 3*time.Hour)
	o := options()
	o.CullUsers, o.CullAdminUsers = true, false
	report, err := idleculler.Pass(t.Context(), h.open(t), o)
	if err != nil {
		t.Fatal(err)
	}
	want := "/users/alice\n/users/alice/server\n/users/bob/server\n/users/carl/server\n/users/dora/server\n/users/erik\n/users/gina/server"
	if h.asked() != want {
		t.Errorf("asked for\n%s\nwant\n%s", h.asked(), want)
	}
	line := "looked at 7 servers of 8 users: stopped 3, 1 still stopping, left 1 alone in which something was under way, removed 2 users, 1 error"
	if report.String() != line {
		t.Errorf("got  %s\nwant %s", report, line)
	}
	if len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Error(), "stop server carl/: Internal Server Error") {
		t.Errorf("errors are %v", report.Errors)
	}
}

func TestAListingThatFailsStopsNobody(t *testing.T) {
	h := &house{broken: map[string]bool{"/users?offset=2&state=ready": true}}
	for _, name := range []string{"alice", "bob", "mallory"} {
		h.user(name, false, 0, server("", 2*time.Hour))
	}
	_, err := idleculler.Pass(t.Context(), h.open(t), options())
	if err == nil || !strings.HasPrefix(err.Error(), "list users: ") || h.asked() != "" {
		t.Errorf("got %v, and asked for %q", err, h.asked())
	}
}

func TestNoMoreRequestsAtATimeThanAllowed(t *testing.T) {
	h := &house{hold: make(chan struct{})}
	for i := range 20 {
		h.user(fmt.Sprintf("user%d", i), false, 0, server("", 2*time.Hour))
	}
	o := options()
	o.Concurrency = 3
	c := h.open(t)
	done := make(chan idleculler.Report, 1)
	go func() {
		r, err := idleculler.Pass(t.Context(), c, o)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	for range 20 {
		h.hold <- struct{}{}
	}
	if r := <-done; r.Stopped != 20 || h.most.Load() > 3 {
		t.Errorf("%s, with %d requests at a time", r, h.most.Load())
	}
}

func TestAPassThatIsInterruptedIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	report, err := idleculler.Pass(ctx, hanging{listed: cancel}, options())
	if !errors.Is(err, context.Canceled) || report.Stopped != 0 {
		t.Errorf("got %v, %v", report, err)
	}
}

func TestAStopThatHangsIsGivenUp(t *testing.T) {
	o := options()
	o.RequestTimeout = time.Nanosecond
	report, err := idleculler.Pass(t.Context(), hanging{listed: func() {}}, o)
	if err != nil || len(report.Errors) != 1 {
		t.Errorf("got %v, %v", report, err)
	}
}

// hanging is a hub that never finishes to stop alice's server.
type hanging struct{ listed func() }

func (h hanging) EachUser(_ context.Context, _ client.UserQuery, f func(client.User) error) error {
	defer h.listed()
	return f(client.User{Name: "alice", Servers: client.Show(map[string]client.Server{"": server("", 2*time.Hour)})})
}

func (hanging) StopServer(ctx context.Context, _ hub.ServerRef, _ bool) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (hanging) DeleteUser(context.Context, string) error { return nil }
