package api_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/store"
)

var (
	aliceRef = hub.ServerRef{User: "alice"}
)

func TestStart(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	got := w.ask(alice, "POST", "/hub/api/users/alice/server").is(201)
	if got.body != "" || got.head.Get("Content-Type") != "text/plain" {
		t.Errorf("a start answers %q as %s, want nothing as text/plain", got.body, got.head.Get("Content-Type"))
	}
	w.ask(alice, "POST", "/hub/api/users/alice/server").is(400, "already running")
	w.ask(alice, "GET", "/hub/api/users/alice/server").is(200, `"ready":true`, `"pending":null`, `"stopped":false`, `"url":"/user/alice/"`,
		`"progress_url":"/hub/api/users/alice/server/progress"`, `"full_name":"alice/"`, `"user_options":{}`, `"full_url":null`)
	w.ask(alice, "GET", "/hub/api/users/alice").is(200, `"server":"/user/alice/"`)
	w.ask(alice, "DELETE", "/hub/api/users/alice/server").is(204)
	w.ask(alice, "DELETE", "/hub/api/users/alice/server").is(204)
	w.ask(w.token("admin"), "POST", "/hub/api/users/nobody/server").is(404)
	w.ask(alice, "POST", "/hub/api/users/alice/servers/").is(201) // an empty name is the default server
	if s := w.shop.state(aliceRef); s != hub.Running {
		t.Errorf("the default server is %s", s)
	}
}

// A start that takes long answers 202 and goes on; asking again is not an error; stopping while it starts cancels it.
func TestSlowStart(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	w.shop.quick = false
	w.ask(alice, "POST", "/hub/api/users/alice/server").is(202)
	w.ask(alice, "POST", "/hub/api/users/alice/server").is(202)
	w.ask(alice, "GET", "/hub/api/users/alice").is(200, `"pending":"spawn"`, `"server":null`)
	w.ask(alice, "DELETE", "/hub/api/users/alice/server").is(202)
	w.ask(alice, "GET", "/hub/api/users/alice").is(200, `"pending":"stop"`)
	w.ask(alice, "POST", "/hub/api/users/alice/server").is(400)
	w.shop.become(aliceRef, hub.Stopped)
	w.ask(alice, "DELETE", "/hub/api/users/alice/server").is(204)
}

// Whoever waits for a start is told as soon as it is ready.
func TestStartAnswersWhenReady(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	w.shop.quick, w.room.SlowSpawn = false, time.Minute
	done := make(chan reply)
	go func() { done <- w.ask(alice, "POST", "/hub/api/users/alice/server") }()
	for w.shop.state(aliceRef) != hub.Starting {
		select {
		case r := <-done:
			t.Fatalf("answered %d before it was ready", r.status)
		case <-time.After(time.Millisecond):
		}
	}
	w.shop.become(aliceRef, hub.Running)
	(<-done).is(201)
}

func TestFailedStartTellsWhy(t *testing.T) {
	w := newWorld(t)
	w.shop.fails = &hub.Cause{Kind: hub.CauseOutOfMemory, Message: "Your server needed more memory than it may use", Journal: []string{"Killed"}}
	got := w.ask(w.token("alice"), "POST", "/hub/api/users/alice/server").is(500, `"status":500`, `"message":"Your server needed more memory than it may use"`, `"kind":"out-of-memory"`, `"journal":["Killed"]`)
	if got.head.Get("Content-Type") != "application/json" {
		t.Errorf("type %s", got.head.Get("Content-Type"))
	}
	got = w.ask(w.service("starter", "start:servers"), "POST", "/hub/api/users/alice/server").is(500, `"kind":"out-of-memory"`)
	if strings.Contains(got.body, "journal") {
		t.Errorf("who may start a server and not use it reads what it printed: %s", got.body)
	}
	w.shop.refuses = &hub.Error{Kind: hub.TooMany, Text: "Too many servers are starting", RetryAfter: 30 * time.Second}
	if got := w.ask(w.token("alice"), "POST", "/hub/api/users/alice/server").is(429, "Too many"); got.head.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", got.head.Get("Retry-After"))
	}
	w.shop.refuses = &hub.Error{Kind: hub.Unavailable, Text: "spawnd is away"}
	w.ask(w.token("alice"), "POST", "/hub/api/users/alice/server").is(503, "spawnd is away")
}

func TestOptionsOfAStart(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	for _, c := range []struct {
		body    string
		want    int
		started string
	}{
		{``, 201, "alice/"},
		{`{}`, 201, "alice/"},
		{`{"profile":"gpu"}`, 201, `alice/ gpu {"profile":"gpu"}`},
		{`{"user_options":{"profile":"gpu","x":[1]}}`, 201, `alice/ gpu {"profile":"gpu","x":[1]}`},
		{`{"user_options":null}`, 201, "alice/"},
		{`{"display_name":"My server"}`, 201, "alice/"},
		{`{"user_options":[]}`, 400, ""},
		{`{"display_name":7}`, 400, ""},
		{`[]`, 400, ""},
		{`{`, 400, ""},
	} {
		w.shop.started = nil
		w.ask(alice, "POST", "/hub/api/users/alice/server", c.body).is(c.want)
		if got := strings.Join(w.shop.started, ";"); got != c.started {
			t.Errorf("%s: started %q, want %q", c.body, got, c.started)
		}
		w.shop.become(aliceRef, hub.Stopped)
	}
}

func TestNamedServers(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	for _, c := range []struct {
		method, path, body string
		want               int
		text               string
	}{
		{"PUT", "/hub/api/users/alice/servers/gpu", `{"display_name":"Big one","user_options":{"profile":"gpu"}}`, 201, `"display_name":"Big one"`},
		{"PUT", "/hub/api/users/alice/servers/gpu", ``, 409, ""},
		{"PUT", "/hub/api/users/alice/server", ``, 409, ""},
		{"GET", "/hub/api/users/alice/servers/gpu", ``, 200, `"progress_url":"/hub/api/users/alice/servers/gpu/progress"`},
		{"GET", "/hub/api/users/alice/servers/none", ``, 404, ""},
		{"DELETE", "/hub/api/users/alice/servers/none", ``, 404, ""},
		{"POST", "/hub/api/users/alice/servers/new", `{"display_name":"Brand new"}`, 201, ""},
		{"GET", "/hub/api/users/alice/servers/new", ``, 200, `"display_name":"Brand new"`},
		{"PATCH", "/hub/api/users/alice/servers/new", `{"display_name":"x"}`, 400, "stop it first"},
		{"DELETE", "/hub/api/users/alice/servers/new", `{"remove":false}`, 204, ""},
		{"GET", "/hub/api/users/alice/servers/new", ``, 200, `"stopped":true`},
		{"PATCH", "/hub/api/users/alice/servers/new", ``, 400, ""},
		{"PATCH", "/hub/api/users/alice/servers/new", `{"colour":"red"}`, 400, "colour"},
		{"PATCH", "/hub/api/users/alice/servers/new", `{"user_options":null}`, 400, ""},
		{"PATCH", "/hub/api/users/alice/servers/new", `{"name":"gpu"}`, 409, ""},
		{"PATCH", "/hub/api/users/alice/servers/new", `{"name":"newer","user_options":{"a":1}}`, 200, `"user_options":{"a":1}`},
		{"GET", "/hub/api/users/alice/servers/new", ``, 404, ""},
		{"GET", "/hub/api/users/alice/servers/newer", ``, 200, `"display_name":"Brand new"`},
		{"DELETE", "/hub/api/users/alice/servers/newer", `{"remove":1}`, 204, ""},
		{"GET", "/hub/api/users/alice/servers/newer", ``, 404, ""},
		{"DELETE", "/hub/api/users/alice/server", `{"remove":true}`, 400, ""},
		{"DELETE", "/hub/api/users/alice/server", `[]`, 400, ""},
	} {
		t.Run(c.method+c.path+c.body, func(t *testing.T) {
			w.t = t
			w.ask(alice, c.method, c.path, c.body).is(c.want, c.text)
		})
	}
}

// Progress is an event stream that begins with a blank line and ends with one last event.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	alice := w.token("alice")
	w.ask(alice, "GET", "/hub/api/users/alice/server/progress").is(404)
	w.ask(w.token("admin"), "GET", "/hub/api/users/nobody/server/progress").is(404)
	w.shop.events[aliceRef] = []hub.Event{{Progress: 0, Message: "Server requested"}, {Progress: 100, Ready: true, Message: "Server ready at /user/alice/", URL: "/user/alice/"}}
	got := w.ask(alice, "GET", "/hub/api/users/alice/server/progress").is(200)
	want := "\n\n" + `data: {"progress":0,"message":"Server requested"}` + "\n\n" + `data: {"progress":100,"message":"Server ready at /user/alice/","ready":true,"url":"/user/alice/"}` + "\n\n"
	if got.body != want || got.head.Get("Content-Type") != "text/event-stream" || got.head.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v %q, want %q", got.head, got.body, want)
	}
}

// Vulnerability: everything a user controls needs a limit.
// Attack: mallory opens progress streams until the hub has no more memory.
// Verified: 32 are hers, the next is 429, and one that ends makes room.
func TestProgressStreamsAreBounded(t *testing.T) {
	w := newWorld(t)
	mallory := w.token("mallory")
	forever := make([]hub.Event, 1<<20)
	w.shop.events[hub.ServerRef{User: "mallory"}] = forever
	ctx, stop := context.WithCancel(t.Context())
	started, ended := make(chan bool), make(chan bool)
	for range 32 {
		go func() {
			defer func() { recover(); ended <- true }() // the hall cuts a stream whose client is gone
			r := httptest.NewRequestWithContext(ctx, "GET", "/hub/api/users/mallory/server/progress", nil)
			r.Header.Set("Authorization", "token "+mallory)
			w.door.ServeHTTP(&blocking{httptest.NewRecorder(), started, ctx, false}, r)
		}()
		<-started
	}
	w.ask(mallory, "GET", "/hub/api/users/mallory/server/progress").is(429)
	stop()
	for range 32 {
		<-ended
	}
	w.shop.events[hub.ServerRef{User: "mallory"}] = forever[:1]
	w.ask(mallory, "GET", "/hub/api/users/mallory/server/progress").is(200)
}

// blocking is a client that reads the first bytes and then no more.
type blocking struct {
	*httptest.ResponseRecorder
	started chan bool
	ctx     context.Context
	told    bool
}

func (b *blocking) Write(p []byte) (int, error) {
	if !b.told {
		b.told = true
		b.started <- true
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func TestActivity(t *testing.T) {
	w := newWorld(t)
	w.shop.Start(t.Context(), aliceRef, "", nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
	server := w.token("alice", "users:activity!user")
	for body, want := range map[string]int{
		`{"servers":{"":{"last_activity":"2026-01-02T03:04:05.6789Z"}},"last_activity":"2026-01-02T03:04:05.6789Z"}`: 200,
		`{"last_activity":"2026-01-02T03:04:05"}`:                       200,
		`{"last_activity":"2026-01-02T05:04:05+02:00"}`:                 200,
		`{"servers":{"none":{"last_activity":"2026-01-01T00:00:00Z"}}}`: 400,
		`{"servers":{"":{}}}`:                                           400,
		`{"last_activity":"tomorrow"}`:                                  400,
		`{"last_activity":"2999-01-01T00:00:00Z"}`:                      400,
		`{"last_activity":null,"servers":{}}`:                           400,
		``:                                                              400,
		`[]`:                                                            400,
	} {
		got := w.ask(server, "POST", "/hub/api/users/alice/activity", body).is(want)
		if want == 200 && (got.body != "" || got.head.Get("Content-Type") != "application/json") {
			t.Errorf("activity answers %q as %s", got.body, got.head.Get("Content-Type"))
		}
	}
	w.view(func(tx *store.Tx) error {
		s, err := tx.Server(aliceRef)
		if !s.LastActivity.Equal(at) {
			t.Errorf("the server was last active at %s, want %s: it only moves forward", s.LastActivity, at)
		}
		return err
	})
	w.ask(w.token("bob", "users:activity!user"), "POST", "/hub/api/users/alice/activity", `{"last_activity":"2026-01-01T00:00:00Z"}`).is(404)
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.shop.Start(t.Context(), aliceRef, "", nil)
	w.ask(w.token("admin"), "GET", "/hub/api/usage").is(200, `{"alice/":{"unit":"jupyter-alice.service","state":"active","uid":1000,"memory_bytes":1048576,"cpu_nanoseconds":5,"memory_peak_bytes":2097152,"io_read_bytes":4096}}`)
	used := `"memory_bytes":1048576,"cpu_nanoseconds":5,"memory_peak_bytes":2097152,"io_read_bytes":4096`
	w.ask(w.token("admin"), "GET", "/hub/api/users/alice/server").is(200, used)
	w.ask(w.token("admin"), "GET", "/hub/api/users?include_usage").is(200, used)
	w.ask(w.token("admin"), "GET", "/hub/api/users/alice?include_usage=1").is(200, used)
	for _, path := range []string{"/hub/api/users/alice/server", "/hub/api/users/alice?include_usage"} {
		if got := w.ask(w.token("alice"), "GET", path).is(200); strings.Contains(got.body, "memory_bytes") {
			t.Errorf("alice, without admin:server_state, sees %s", got.body)
		}
	}
	if got := w.ask(w.token("admin"), "GET", "/hub/api/users").is(200); strings.Contains(got.body, "memory_bytes") {
		t.Error("nobody asked what servers use, and systemd was")
	}
	w.ask(w.token("alice"), "GET", "/hub/api/usage").is(403)
}
