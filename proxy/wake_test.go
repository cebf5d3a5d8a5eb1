package proxy

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// bedroom is a hub that is asked to wake alice's server, and the server, which answers when it was woken.
func bedroom(t *testing.T, o Options) (s *stage, asked chan string, answer chan int, up *server) {
	t.Helper()
	s = newStage(t, o)
	asked, answer = make(chan string, 100), make(chan int, 100)
	hub := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "" {
			t.Error("the hub cannot tell the proxy's own request from a visitor's")
		}
		asked <- r.Method + " " + r.RequestURI
		w.WriteHeader(<-answer)
	})
	s.route("/", hub.URL, `"hub": true`)
	up = newServer(t, echo)
	return s, asked, answer, up
}

const asleep = `"user": "alice", "server_name": "", "wake": "/hub/api/users/alice/server/wake?key=k"`

func await(t *testing.T, asked chan string) string {
	t.Helper()
	select {
	case what := <-asked:
		return what
	case <-time.After(10 * time.Second):
		t.Fatal("the hub was not asked")
		return ""
	}
}

func silent(t *testing.T, asked chan string) {
	t.Helper()
	select {
	case what := <-asked:
		t.Errorf("the hub was asked for %s", what)
	default:
	}
}

// Where servers are at hosts of their own the hub is asked all the same, though it is at another.
func TestRequestsWakeWhoSleepsAtAnotherHost(t *testing.T) {
	s, asked, answer, up := bedroom(t, Options{HostRouting: true, HubBase: "/", HubOrigin: "https://hub.example"})
	s.route("/alice.hub.example/user/alice", up.URL, asleep)
	answer <- 204
	s.get("/user/alice/", "Host: alice.hub.example")
	if got := await(t, asked); got != "POST /hub/api/users/alice/server/wake?key=k" {
		t.Errorf("the hub was asked for %s", got)
	}
}

// The first request to a server that sleeps has the hub wake it, once; those that follow go their way. When the hub could not,
// the next one asks again.
func TestRequestsWakeWhoSleeps(t *testing.T) {
	s, asked, answer, up := bedroom(t, Options{})
	s.route("/user/alice", up.URL, asleep)
	answer <- 503
	s.get("/user/alice/")
	if got := await(t, asked); got != "POST /hub/api/users/alice/server/wake?key=k" {
		t.Errorf("the hub was asked for %s", got)
	}
	slumber := &s.p.table.get("/user/alice").up.slumber
	eventually(t, "the call has ended", func() bool {
		select {
		case <-asked: // once more, as the same request went on
			answer <- 503
		default:
		}
		return !slumber.waking.Load()
	})
	s.get("/user/alice/")
	await(t, asked)
	s.get("/user/alice/") // while it is being woken: nobody asks twice
	answer <- 204
	eventually(t, "it is awake", func() bool { return slumber.wake.Load() == nil })
	s.get("/user/alice/")
	silent(t, asked)
}

// A request is on its way when its server is laid to sleep, and would never be answered: the server is woken again.
func TestWhoIsAskedIsWoken(t *testing.T) {
	s, asked, answer, _ := bedroom(t, Options{})
	come, awake := make(chan bool), make(chan bool)
	wakes := sync.OnceFunc(func() { close(awake) })
	defer wakes()
	up := newServer(t, func(http.ResponseWriter, *http.Request) {
		come <- true
		<-awake
	})
	s.alice(up.URL)
	done := make(chan int, 1)
	go func() { done <- s.get("/user/alice/").status }()
	<-come
	s.route("/user/alice", up.URL, asleep)
	await(t, asked)
	answer <- 204
	wakes()
	if status := <-done; status != http.StatusOK {
		t.Errorf("the answer is %d", status)
	}
	s.alice(up.URL)
	s.route("/user/alice", up.URL, asleep)
	silent(t, asked)
}

// What is said on a WebSocket that was open before wakes as well.
func TestFramesWakeWhoSleeps(t *testing.T) {
	s, asked, answer, up := bedroom(t, Options{})
	s.alice(up.URL)
	c := s.open("/user/alice/")
	defer c.CloseNow()
	says(t, c, "hello")
	s.route("/user/alice", up.URL, asleep)
	silent(t, asked)
	answer <- 204
	says(t, c, "are you there?")
	await(t, asked)
}

// An idle tab's WebSocket goes on to ping and to be pinged: that wakes nobody, however often, and is no activity.
func TestPingsWakeNobody(t *testing.T) {
	s, asked, answer, up := bedroom(t, Options{})
	s.alice(up.URL)
	idle, used := s.open("/user/alice/"), s.open("/user/alice/")
	defer idle.CloseNow()
	defer used.CloseNow()
	reading := idle.CloseRead(t.Context())
	s.route("/user/alice", up.URL, asleep)
	before := s.p.table.get("/user/alice").up.lastActivity()
	for range 20 {
		if err := idle.Ping(reading); err != nil { // returns with the server's pong
			t.Fatal(err)
		}
	}
	silent(t, asked)
	if now := s.p.table.get("/user/alice").up.lastActivity(); !now.Equal(before) {
		t.Errorf("last activity was %s and is %s", before, now)
	}
	answer <- 204
	says(t, used, "are you there?")
	await(t, asked)
}

// Being laid to sleep, or woken, is no activity: else a server would look used each time that it is found idle.
func TestSleepIsNoActivity(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newStage(t, Options{Now: func() time.Time { return now }})
	up := newServer(t, hello)
	s.alice(up.URL)
	added := now
	now = now.Add(time.Hour)
	s.route("/user/alice", up.URL, asleep)
	s.alice(up.URL)
	if got := s.p.table.get("/user/alice").up.lastActivity(); !got.Equal(added) {
		t.Errorf("last activity is %s, and the route was added at %s", got, added)
	}
	now = now.Add(time.Hour)
	s.alice(up.URL)
	if got := s.p.table.get("/user/alice").up.lastActivity(); !got.Equal(now) {
		t.Errorf("last activity is %s, and the route was set anew at %s", got, now)
	}
}

// A route that says nonsense wakes nobody and leads where it led.
func TestNonsenseWakesNobody(t *testing.T) {
	s, asked, _, up := bedroom(t, Options{})
	for _, wake := range []string{`"user"`, `7`, `"/user/alice/x"`, `"/hub/%zz"`} {
		s.route("/user/alice", up.URL, `"user": "alice", "wake": `+wake)
		s.get("/user/alice/")
		slumber := &s.p.table.get("/user/alice").up.slumber
		eventually(t, "the call has ended", func() bool { return !slumber.waking.Load() })
	}
	silent(t, asked)
}
