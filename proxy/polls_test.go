package proxy

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// page is what a browser says of the page whose script asks.
const page = "Referer: http://hub.example/user/alice/lab/tree/a.ipynb"

// polls are requests, each asked twice, of which the second is an open page's own doing or somebody's.
var polls = []struct {
	name   string
	line   string
	header []string
	poll   bool
}{
	{"kernels", "GET /user/alice/api/kernels?1732472393000 HTTP/1.1", []string{page}, true},
	{"kernels, to a secure origin", "GET /user/alice/api/kernels HTTP/1.1", []string{page, "Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors"}, true},
	{"sessions", "GET /user/alice/api/sessions?1732472393000 HTTP/1.1", []string{page}, true},
	{"terminals", "GET /user/alice/api/terminals?1 HTTP/1.1", []string{page}, true},
	{"the visitor", "GET /user/alice/api/me?1 HTTP/1.1", []string{page}, true},
	{"kinds of kernels", "GET /user/alice/api/kernelspecs?1 HTTP/1.1", []string{page}, true},
	{"workspaces", "GET /user/alice/lab/api/workspaces?1 HTTP/1.1", []string{page}, true},
	{"the window's arrangement", "PUT /user/alice/lab/api/workspaces/default?1 HTTP/1.1", []string{page, "Content-Length: 2\r\n\r\n{}"}, true},
	{"a folder again", "GET /user/alice/api/contents/a%20b?content=1&hash=0&1732472393000 HTTP/1.1", []string{page}, true},
	{"from the classic page", "GET /user/alice/api/sessions HTTP/1.1", []string{"Referer: https://front.example/user/alice/tree?"}, true},
	{"in another spelling", "GET /user/%61lice/api/kernels HTTP/1.1", []string{"Referer: http://hub.example/user/%61lice/lab"}, true},

	{"one kernel", "GET /user/alice/api/kernels/7 HTTP/1.1", []string{page}, false},
	{"a new kernel", "POST /user/alice/api/kernels HTTP/1.1", []string{page, "Content-Length: 0"}, false},
	{"a program", "GET /user/alice/api/kernels HTTP/1.1", []string{"Authorization: token t"}, false},
	{"somebody who types the address", "GET /user/alice/api/kernels HTTP/1.1", []string{page, "Sec-Fetch-Dest: document"}, false},
	{"another's page", "GET /user/alice/api/kernels HTTP/1.1", []string{"Referer: http://hub.example/user/bob/lab"}, false},
	{"somebody of a longer name", "GET /user/alice/api/kernels HTTP/1.1", []string{"Referer: http://hub.example/user/alicea/lab"}, false},
	{"a page of nonsense", "GET /user/alice/api/kernels HTTP/1.1", []string{"Referer: ://user/alice/lab%"}, false},
	{"with a body", "GET /user/alice/api/kernels HTTP/1.1", []string{page, "Content-Length: 2\r\n\r\n{}"}, false},
	{"a sign of life", "GET /user/alice/api HTTP/1.1", []string{page}, false},
	{"JupyterLab itself", "GET /user/alice/lab HTTP/1.1", []string{page}, false},
	{"another's arrangement", "PUT /user/alice/lab/api/workspaces/default HTTP/1.1", []string{"Content-Length: 0"}, false},
	{"no arrangement any more", "DELETE /user/alice/lab/api/workspaces/default HTTP/1.1", []string{page}, false},
	{"a file saved", "PUT /user/alice/api/contents/a.ipynb HTTP/1.1", []string{page, "Content-Length: 0"}, false},
	{"what an encoded slash hides", "GET /user/alice/api%2Fkernels HTTP/1.1", []string{page}, false},
	{"a service", "GET /services/alice/api/kernels HTTP/1.1", []string{"Referer: http://hub.example/services/alice/lab"}, false},
	{"the hub", "GET /api/kernels HTTP/1.1", []string{"Referer: http://hub.example/lab"}, false},
}

// What an open page asks for by itself is no activity, and the server is told so, too. Everything else is.
func TestPollsAreNoActivity(t *testing.T) {
	for _, c := range polls {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			s := newStage(t, Options{Now: func() time.Time { return now }})
			up := newServer(t, hello)
			s.alice(up.URL)
			s.route("/services/alice", up.URL, `"service": "alice"`)
			s.route("/", up.URL, `"hub": true`)
			key := "/user/alice"
			if strings.Contains(c.line, " /services/") {
				key = "/services/alice"
			} else if strings.Contains(c.line, " /api/") {
				key = "/"
			}
			for range 2 {
				now = now.Add(time.Second)
				if got := s.ask(c.line, append([]string{"Host: hub.example", "Connection: close"}, c.header...)...); got.status != http.StatusOK {
					t.Fatalf("the answer is %d %s", got.status, got.body)
				}
			}
			if active := s.p.table.get(key).up.lastActivity().Equal(now); active == c.poll {
				t.Errorf("it counts: %t", active)
			}
			up.head(t)
			if line := up.head(t)[0]; strings.Contains(line, untracked) != c.poll {
				t.Errorf("the server reads %q", line)
			}
		})
	}
}

// What was asked goes on as it came, with one word more.
func TestPollsKeepTheirQuery(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, hello)
	s.alice(up.URL)
	for query, want := range map[string]string{"": "?", "?": "?", "?17": "?17&", "?a=b;c&17": "?a=b;c&17&"} {
		s.get("/user/alice/api/kernels"+query, page)
		if line := up.head(t)[0]; line != "GET /user/alice/api/kernels"+want+untracked+" HTTP/1.1" {
			t.Errorf("%q became %q", query, line)
		}
	}
}

// Whoever stands in for configurable-http-proxy counts as it does, and changes nothing.
func TestPollsCountWhereTheyAlwaysDid(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newStage(t, Options{CountPolls: true, Now: func() time.Time { return now }})
	up := newServer(t, hello)
	s.alice(up.URL)
	now = now.Add(time.Second)
	s.get("/user/alice/api/kernels", page)
	if line := up.head(t)[0]; strings.Contains(line, untracked) || !s.p.table.get("/user/alice").up.lastActivity().Equal(now) {
		t.Errorf("the server reads %q", line)
	}
}

// Somebody who opens another folder, or the same one in another page, is there. Pages that are open beside each other do not
// disturb each other.
func TestSomebodyOpensAFolder(t *testing.T) {
	var l listings
	for i, c := range []struct {
		page, folder string
		again        bool
	}{
		{"1", "a", false}, {"1", "a", true}, {"1", "b", false}, {"1", "a", false}, {"2", "b", false}, {"1", "a", true}, {"2", "b", true}, {"2", "a", false},
	} {
		if again := l.again(c.page, c.folder); again != c.again {
			t.Errorf("%d: page %s asks for %s: again %t", i, c.page, c.folder, again)
		}
	}
	for n := range 100 {
		l.again(string(rune('a'+n)), "a")
	}
	if len(l.last) != pagesKept || l.again("1", "a") {
		t.Errorf("%d pages are kept", len(l.last))
	}
}

// A server sleeps, and its page stands open: that wakes nobody, and the page learns why it gets no answer. While somebody else
// wakes the server, the page is answered like everybody.
func TestPollsWakeNobody(t *testing.T) {
	s, asked, answer, up := bedroom(t, Options{})
	up.Config.Handler = http.HandlerFunc(hello)
	s.alice(up.URL)
	s.get("/user/alice/api/contents?content=1&hash=0&16", page)
	s.route("/user/alice", up.URL, asleep)
	for _, path := range []string{"/user/alice/api/kernels?17", "/user/alice/api/contents?content=1&hash=0&17"} {
		got := s.get(path, page, "Accept: */*")
		if got.status != http.StatusConflict || !strings.Contains(got.body, `"message":"The server sleeps`) || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	silent(t, asked)
	s.get("/user/alice/api/contents/other?content=1&hash=0&18", page)
	await(t, asked)
	if got := s.get("/user/alice/api/kernels?19", page); got.status != http.StatusOK {
		t.Errorf("while it wakes: %d %s", got.status, got.body)
	}
	answer <- 204
	slumber := &s.p.table.get("/user/alice").up.slumber
	eventually(t, "it is awake", func() bool { return slumber.wake.Load() == nil })
	if got := s.get("/user/alice/api/kernels?20", page); got.status != http.StatusOK {
		t.Errorf("awake: %d %s", got.status, got.body)
	}
}

// A page's request is on its way when its server is laid to sleep: it is not left without an answer.
func TestAPollOnItsWayIsAnswered(t *testing.T) {
	s, asked, answer, _ := bedroom(t, Options{})
	come, awake := make(chan bool), make(chan bool)
	up := newServer(t, func(http.ResponseWriter, *http.Request) {
		come <- true
		<-awake
	})
	s.alice(up.URL)
	done := make(chan int, 1)
	go func() { done <- s.get("/user/alice/api/kernels", page).status }()
	<-come
	s.route("/user/alice", up.URL, asleep)
	await(t, asked)
	answer <- 204
	close(awake)
	if status := <-done; status != http.StatusOK {
		t.Errorf("the answer is %d", status)
	}
}

// A query is cut before its last part or not at all, and only a moment is cut off.
func FuzzTimeless(f *testing.F) {
	for _, query := range []string{"", "17", "content=1&hash=0&17", "a=1&", "&&17", "a=17"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rest, cut := strings.CutPrefix(query, timeless(query))
		if !cut || strings.Trim(rest, "0123456789") != "" || timeless(timeless(query)) != timeless(query) {
			t.Errorf("%q becomes %q", query, timeless(query))
		}
	})
}
