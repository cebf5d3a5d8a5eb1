package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/client"
)

// serve runs a hub that answers as the table says, keyed by method and request URI, and returns a client of it.
func serve(t *testing.T, answers map[string]http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := answers[r.Method+" "+r.RequestURI]; f != nil {
			f(w, r)
			return
		}
		t.Errorf("nobody was to ask for %s %s", r.Method, r.RequestURI)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/hub/api/", "alices-token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestTheTokenAndNamesReachTheHub(t *testing.T) {
	var auth, body string
	c := serve(t, map[string]http.HandlerFunc{
		"GET /hub/api/users/a%2Fb%20%C3%BC@x": func(w http.ResponseWriter, r *http.Request) {
			auth = r.Header.Get("Authorization")
			io.WriteString(w, `{"kind":"user","name":"a/b ü@x","admin":false,"server":null,"last_activity":"2026-11-21T20:10:01.5Z"}`)
		},
		"DELETE /hub/api/users/alice/servers/gpu": func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			body = string(b)
			w.WriteHeader(http.StatusAccepted)
		},
		"DELETE /hub/api/users/alice/server": say(http.StatusNoContent, ""),
	})
	u, err := c.User(t.Context(), "a/b ü@x")
	if err != nil || auth != "token alices-token" {
		t.Fatalf("got %v, %q", err, auth)
	}
	if !u.Admin.Shown || u.Groups.Shown || !u.Server.Shown || u.Server.Value != "" || u.LastActivity.Value.Nanosecond() != 5e8 {
		t.Errorf("absent, null and false are confused: %+v", u)
	}
	stopped, err := c.StopServer(t.Context(), hub.ServerRef{User: "alice", Server: "gpu"}, true)
	if err != nil || stopped || body != `{"remove":true}` {
		t.Errorf("202 means under way: got %v, %v, body %s", stopped, err, body)
	}
	if stopped, err := c.StopServer(t.Context(), hub.ServerRef{User: "alice"}, false); err != nil || !stopped {
		t.Errorf("204 means stopped: got %v, %v", stopped, err)
	}
}

func TestRefusalsAreErrorsWithTheHubsSentence(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   hub.Kind
		text   string
	}{
		{400, `{"status":400,"message":"alice is running"}`, hub.Invalid, "alice is running"},
		{403, `{"status":403,"message":"Missing or invalid credentials."}`, hub.Forbidden, "Missing or invalid credentials."},
		{404, `{"status":404,"message":null}`, hub.NotFound, "the hub answered not found (404)"},
		{409, `{}`, hub.Conflict, "the hub answered conflict (409)"},
		{429, `{"message":"too many"}`, hub.TooMany, "too many"},
		{302, ``, hub.Unknown, "the hub answered found (302)"},
		{500, `<html>`, hub.Unknown, "the hub answered internal server error (500)"},
		{503, ``, hub.Unavailable, "the hub answered service unavailable (503)"},
	} {
		api := serve(t, map[string]http.HandlerFunc{"GET /hub/api/user": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.Header().Set("Location", "http://mallory.example/")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}})
		_, err := api.Identity(t.Context())
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Text != c.text || e.RetryAfter != 30*time.Second {
			t.Errorf("%d %s: got %#v", c.status, c.body, err)
		}
	}
}

func TestUsersComePageByPage(t *testing.T) {
	page := func(names string, next string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != client.PaginationType {
				t.Error("pages were not asked for")
			}
			link := "null"
			if next != "" {
				link = fmt.Sprintf(`{"offset":2,"limit":2,"url":"http://%s%s"}`, r.Host, next)
			}
			fmt.Fprintf(w, `{"items":[%s],"_pagination":{"offset":0,"limit":2,"total":3,"next":%s}}`, names, link)
		}
	}
	c := serve(t, map[string]http.HandlerFunc{
		"GET /hub/api/users?limit=2&state=ready":          page(`{"name":"alice"},{"name":"bob"}`, "/hub/api/users?state=ready&offset=2&limit=2"),
		"GET /hub/api/users?state=ready&offset=2&limit=2": page(`{"name":"mallory"}`, ""),
	})
	var names []string
	err := c.EachUser(t.Context(), client.UserQuery{State: "ready", Limit: 2}, func(u client.User) error {
		names = append(names, u.Name)
		return nil
	})
	if err != nil || strings.Join(names, " ") != "alice bob mallory" {
		t.Errorf("got %v, %v", names, err)
	}
}

// Vulnerability: the link to the next page comes in a reply and is followed with the token. Attack: a reply whose link leads
// elsewhere. Verified: it is not followed.
func TestLinksToOtherPlacesAreNotFollowed(t *testing.T) {
	var elsewhere int
	mallory := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer mallory.Close()
	c := serve(t, nil)
	for _, link := range []string{mallory.URL + "/hub/api/users?offset=1", "/hub/api/users?offset=1", "//mallory.example/hub/api/users",
		"https://127.0.0.1/hub/api/users", "http://alice@127.0.0.1/hub/api/users", "http://127.0.0.1:1/user/mallory/", ":"} {
		if _, err := c.NextUsers(t.Context(), client.NextPage{URL: link}); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: got %v", link, err)
		}
	}
	if elsewhere > 0 {
		t.Error("mallory got a request, and with it the token")
	}
}

func TestTheWholeUserListIsAnArray(t *testing.T) {
	c := serve(t, map[string]http.HandlerFunc{"GET /hub/api/users?include_stopped_servers=1&name_filter=a&offset=1&sort=-name": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == client.PaginationType {
			t.Error("pages were asked for")
		}
		io.WriteString(w, `[{"name":"alice","servers":{"":{"ready":true,"pending":null,"started":null}}}]`)
	}})
	list, err := c.UsersList(t.Context(), client.UserQuery{NameFilter: "a", Sort: "-name", Offset: 1, IncludeStopped: true})
	if err != nil || len(list) != 1 || !list[0].Servers.Value[""].Ready {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestProgressEndsWithTheLastEvent(t *testing.T) {
	c := serve(t, map[string]http.HandlerFunc{
		"GET /hub/api/users/alice/server/progress": say(200, "\n\ndata: {\"progress\":0,\"message\":\"Server requested\"}\n\n\n\n"+
			"data: {\"progress\":100,\"failed\":true,\"message\":\"Spawn failed\"}\n\ndata: {}\n\n"),
		"GET /hub/api/users/bob/server/progress": say(200, "data: {\"progress\":0}\n\n"),
	})
	var events []hub.Event
	err := c.Progress(t.Context(), hub.ServerRef{User: "alice"}, func(e hub.Event) error {
		events = append(events, e)
		return nil
	})
	if err != nil || len(events) != 2 || !events[1].Failed {
		t.Errorf("got %+v, %v", events, err)
	}
	err = c.Progress(t.Context(), hub.ServerRef{User: "bob"}, func(hub.Event) error { return nil })
	if hub.KindOf(err) != hub.Unavailable {
		t.Errorf("a stream that breaks off gives %v", err)
	}
}

func TestOverASocketTheKernelSaysWhoCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.RequestURI, r.Header.Get("Authorization"))
		io.WriteString(w, `{"changes":["hub.base_url: …"]}`)
	}))
	s.Listener = l
	s.Start()
	defer s.Close()
	for _, address := range []string{path, client.SocketURL(path, "/jupyter/hub/api")} {
		c, err := client.New(address, "")
		if err != nil {
			t.Fatal(err)
		}
		if r, err := c.Reload(t.Context(), true); err != nil || len(r.Changes) != 1 {
			t.Errorf("got %v, %v", r, err)
		}
		c.Close()
	}
	if want := []string{"/hub/api/reload?check=1", "", "/jupyter/hub/api/reload?check=1", ""}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the hub saw %q", seen)
	}
}

func TestAHubThatIsAwayIsUnavailable(t *testing.T) {
	c, err := client.New(filepath.Join(t.TempDir(), "nobody.sock"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(t.Context()); hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "cannot connect") {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Version(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, address := range []string{"", "ftp://x/", "http://", "http+unix://relative/hub/api", "http://user:pw@host/", "%"} {
		if _, err := client.New(address, ""); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

func TestABackupThatBreaksOffIsAnError(t *testing.T) {
	c := serve(t, map[string]http.HandlerFunc{"GET /hub/api/backup": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	}})
	if n, err := c.Backup(t.Context(), io.Discard); err == nil {
		t.Errorf("got %d bytes and no error", n)
	}
}

func TestModelsOnTheWire(t *testing.T) {
	name := ""
	memory := int64(1 << 20)
	u := client.User{
		Kind: "user", Name: "alice", Admin: client.Show(false), Server: client.Show(client.Text("")), Groups: client.Show([]string{}),
		LastActivity: client.Show(client.At(time.Date(2026, 11, 21, 21, 10, 1, 123456789, time.FixedZone("", 3600)))),
		Created:      client.Show(client.At(time.Date(2026, 11, 21, 20, 10, 0, 0, time.UTC))),
		Servers: client.Show(map[string]client.Server{"": {DisplayName: &name, FullName: "alice/", Ready: true, URL: "/user/alice/",
			State: client.Show(client.ServerState{Unit: "jupyter-alice.service", UID: 1000, Memory: &memory})}}),
	}
	got, err := json.Marshal(u)
	want := `{"kind":"user","name":"alice","admin":false,"groups":[],"server":null,"created":"2026-11-21T20:10:00Z",` +
		`"last_activity":"2026-11-21T20:10:01.123456Z","servers":{"":{"name":"","display_name":"","full_name":"alice/","last_activity":null,` +
		`"started":null,"pending":null,"ready":true,"stopped":false,"url":"/user/alice/","user_options":null,"progress_url":"","full_url":null,` +
		`"full_progress_url":null,"state":{"unit":"jupyter-alice.service","uid":1000,"memory_bytes":1048576}}}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
	var back client.User
	if err := json.Unmarshal(got, &back); err != nil || back.Roles.Shown || !back.Server.Shown || back.Created.Value.Hour() != 20 {
		t.Errorf("read back as %+v, %v", back, err)
	}
	id, _ := json.Marshal(client.Identity{User: client.User{Kind: "user", Name: "bob"}, Scopes: []string{}})
	if string(id) != `{"kind":"user","name":"bob","token_id":null,"session_id":null,"scopes":[]}` {
		t.Errorf("an identity is %s", id)
	}
}

func TestMomentsAsOthersWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		`"2026-11-21T20:10:00Z"`:             "2026-11-21T20:10:00Z",
		`"2026-11-21T21:10:00.5+01:00"`:      "2026-11-21T20:10:00.5Z",
		`"2026-11-21T20:10:00.123456"`:       "2026-11-21T20:10:00.123456Z",
		`"2026-11-21 20:10:00.123456+00:00"`: "2026-11-21T20:10:00.123456Z",
	} {
		var got client.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s is %s, %v", text, got.Format(time.RFC3339Nano), err)
		}
	}
	for _, text := range []string{`""`, `"yesterday"`, `5`, `{}`} {
		var got client.Time
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was taken as %s", text, got)
		}
	}
}
