package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// What people suffer from proxies of this kind, beside what the other tests are about.

// A client that wants its own connection closed says nothing of the one upstream: a few hundred users who do would use up all ports.
func TestConnectionsUpstreamOutliveTheirClients(t *testing.T) {
	s := newStage(t, Options{})
	url, count := speaker(t, func(c net.Conn, _ int32, br *bufio.Reader) {
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%-5v", r.Close)
		}
	})
	s.alice(url)
	for range 20 {
		if got := s.get("/user/alice/", "Connection: close"); got.status != 200 || strings.TrimSpace(got.body) != "false" {
			t.Fatalf("%d: the server is told to close: %s", got.status, got.body)
		}
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

// An upstream that refuses a body early keeps its connection, and the rest of the body never becomes a request there.
func TestTheRestOfARefusedBodyIsNoRequest(t *testing.T) {
	s := newStage(t, Options{})
	asked := make(chan string, 10)
	url, _ := speaker(t, func(c net.Conn, nth int32, br *bufio.Reader) {
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			if strings.Contains(line, "HTTP/1.1") {
				asked <- fmt.Sprint(nth, " ", strings.TrimSpace(line))
				io.WriteString(c, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
			}
		}
	})
	s.alice(url)
	c := s.dial()
	const smuggled = "GET /user/alice/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	fmt.Fprintf(c, "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 10+len(smuggled))
	if res := answerOn(t, c); res.StatusCode != 403 {
		t.Errorf("%s", res.Status)
	}
	io.WriteString(c, "0123456789"+smuggled)
	if got := s.get("/user/alice/after"); got.status != 403 {
		t.Errorf("%+v", got)
	}
	if first, second := <-asked, <-asked; first != "1 POST /user/alice/ HTTP/1.1" || second != "2 GET /user/alice/after HTTP/1.1" {
		t.Errorf("the server was asked %q and %q", first, second)
	}
}

// A target for error pages that hangs holds nobody's answer up for good.
func TestAnErrorTargetThatHangs(t *testing.T) {
	pages := newServer(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := newStage(t, Options{ErrorTarget: pages.URL})
	if got := s.get("/nowhere", "Accept: text/html"); got.status != 404 || !strings.Contains(got.body, "There is nothing at this address") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// WebSockets are counted by their 101, as every answer by its status.
func TestSwitchesAreCounted(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, echo)
	s.alice(up.URL)
	says(t, s.open("/user/alice/ws"), "hello")
	if got := s.call("GET", "/metrics", "").body; !strings.Contains(got, "\n"+`requests_proxy{status="101"} 1`+"\n") || !strings.Contains(got, "\nrequests_ws 1\n") {
		t.Error("the metrics do not tell")
	}
}

// Whoever does not know the token is refused before a byte of the body is read, and what was given in its place is in no log.
func TestWrongTokensAreNotLogged(t *testing.T) {
	log := &journal{}
	s := newStage(t, Options{APIToken: "right-one", APIPeers: []int64{-1}, Log: zerolog.New(log), Manners: Manners{StandIn: true}})
	c, err := net.Dial("unix", s.private.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "POST /api/routes/x?token=in-the-query HTTP/1.1\r\nHost: h\r\nAuthorization: token wrong-one\r\nContent-Length: 100\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 403 {
		t.Errorf("%v, %v", res, err)
	}
	eventually(t, "the call is in the log", func() bool { return log.count(CallMessage) == 1 })
	for _, secret := range []string{"wrong-one", "right-one", "in-the-query"} {
		if log.count(secret) > 0 {
			t.Errorf("the log has %s", secret)
		}
	}
}

// A download that takes hours is somebody at work all the time, not only when it ends.
func TestDownloadsAreActivityWhileTheyFlow(t *testing.T) {
	at := &clock{now: time.Unix(1000, 0)}
	s, step := newStage(t, Options{Now: at.Now}), make(chan string)
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for piece := range step {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
	})
	s.alice(up.URL)
	res := s.raw("GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
	defer close(step)
	for i, piece := range []string{"first", "again", "third"} {
		at.pass(time.Hour)
		step <- piece
		if _, err := io.ReadFull(res.Body, make([]byte, len(piece))); err != nil {
			t.Fatal(err)
		}
		want := at.Now()
		if i > 0 { // the first is the answer itself
			eventually(t, "the flow is activity", func() bool { return s.p.table.get("/user/alice").up.lastActivity().Equal(want) })
		}
	}
}
