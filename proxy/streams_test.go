package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"time"
)

// D13, D14: the head of an answer goes out before its body, each event when it comes, and nothing ends a stream that is quiet.
func TestD13D14StreamsFlow(t *testing.T) {
	for name, header := range map[string][2]string{"events": {"Content-Type", "text/event-stream"}, "sized": {"Content-Length", "10"}} {
		t.Run(name, func(t *testing.T) {
			s, step := newStage(t, Options{}), make(chan string)
			up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(header[0], header[1])
				w.(http.Flusher).Flush()
				for piece := range step {
					io.WriteString(w, piece)
					w.(http.Flusher).Flush()
				}
			})
			s.alice(up.URL)
			res := s.raw("GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n") // returns once the head is there
			for _, piece := range []string{"first", "again"} {
				step <- piece
				got := make([]byte, 5)
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != piece {
					t.Fatalf("%q, %v", got, err)
				}
			}
			close(step)
		})
	}
}

// Uploads stream as well: the server has the first bytes while the client still has the last.
func TestD13UploadsStream(t *testing.T) {
	s, got := newStage(t, Options{}), make(chan string, 10)
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 5)
		for {
			n, err := io.ReadFull(r.Body, buf)
			got <- string(buf[:n])
			if err != nil {
				return
			}
		}
	})
	s.alice(up.URL)
	c := s.dial()
	io.WriteString(c, "DELETE /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n") // any method may have a body
	for _, piece := range []string{"first", "again"} {
		fmt.Fprintf(c, "5\r\n%s\r\n", piece)
		if have := <-got; have != piece {
			t.Fatalf("the server has %q", have)
		}
	}
	io.WriteString(c, "0\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
}

// D15: the 100 comes from the server, and a server that answers without it is heard.
func TestD15ContinueIsTheServersToSay(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/user/alice/no" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		io.Copy(w, r.Body)
	})
	s.alice(up.URL)
	const head = " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

	res := s.raw("PUT /user/alice/no" + head)
	if res.StatusCode != 413 {
		t.Errorf("a refusal arrives as %s", res.Status)
	}
	c := s.dial()
	io.WriteString(c, "PUT /user/alice/yes"+head)
	br := bufio.NewReader(c)
	if line, err := br.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	br.ReadString('\n')
	io.WriteString(c, "hello")
	if res, err := http.ReadResponse(br, nil); err != nil || readReply(t, res).body != "hello" {
		t.Fatal(res, err)
	}
}

// A server that answers early and closes, while the upload goes on, is heard.
func TestD15EarlyAnswersAreHeard(t *testing.T) {
	s := newStage(t, Options{})
	l := listen(t, "tcp", "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
			c.Close() // with unread bytes: the kernel answers what follows with a reset
		}
	}()
	s.alice("http://" + l.Addr().String())
	c := s.dial()
	go func() {
		fmt.Fprintf(c, "PUT /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 64<<20)
		io.Copy(c, io.LimitReader(zeros{}, 64<<20))
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 413 {
		t.Fatalf("%v, %v", res, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// D16: 103 and an answer's trailers pass.
func TestD16EarlyHintsAndTrailersPass(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	s.alice(up.URL)
	var hints []string
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h["Link"]))
			return nil
		}}), "GET", "http://"+s.addr+"/user/alice/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	readReply(t, res)
	if len(hints) != 1 || hints[0] != "103 [</a.css>; rel=preload]" || res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("hints %q, trailers %v", hints, res.Trailer)
	}
}

// D17: what two programs could read differently is refused before the table is asked (package strict has the whole list).
func TestD17SmugglingIsRefusedAtTheDoor(t *testing.T) {
	s, up := newStage(t, Options{}), newServer(t, hello)
	s.alice(up.URL)
	res := s.raw("POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /user/alice/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
	if res.StatusCode != 400 || !res.Close || len(up.heads) != 0 {
		t.Errorf("%s, %d requests upstream", res.Status, len(up.heads))
	}
	res = s.raw("POST /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX")
	if res.StatusCode != 400 {
		t.Errorf("a malformed body: %s", res.Status)
	}
}

// D18: an answer that breaks off does not look whole.
func TestD18DeathInTheMiddleIsSeen(t *testing.T) {
	for name, head := range map[string]string{"sized": "Content-Length: 10", "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			s, begun := newStage(t, Options{}), make(chan struct{})
			up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				c, _, _ := http.NewResponseController(w).Hijack()
				io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n\r\n5\r\nhello")
				<-begun
				c.Close()
			})
			s.alice(up.URL)
			res := s.raw("GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
			close(begun)
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Error("half an answer was given for a whole one")
			}
		})
	}
}

// The client's going is passed on at once, in the middle of an answer and before it.
func TestAbortsArePassedOn(t *testing.T) {
	s, gone := newStage(t, Options{}), make(chan struct{}, 2)
	up := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/user/alice/stream" {
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	s.alice(up.URL)
	s.raw("GET /user/alice/stream HTTP/1.1\r\nHost: h\r\n\r\n")
	up.head(t)
	c := s.dial()
	io.WriteString(c, "GET /user/alice/slow HTTP/1.1\r\nHost: h\r\n\r\n")
	up.head(t)
	c.Close()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the server still works for a client that is gone")
	}
}

// D19: a connection that the server has closed meanwhile is not the client's trouble.
func TestD19StaleConnectionsAreRetried(t *testing.T) {
	s := newStage(t, Options{})
	up := newServer(t, hello)
	s.alice(up.URL)
	for range 20 {
		if got := s.get("/user/alice/"); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		up.CloseClientConnections()
	}
}
