package proxy

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// speaker is an upstream that says what a test wants, and counts its connections.
func speaker(t *testing.T, say func(c net.Conn, nth int32, br *bufio.Reader)) (string, *atomic.Int32) {
	t.Helper()
	l, count := listen(t, "tcp", "127.0.0.1:0"), new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				say(c, count.Add(1), bufio.NewReader(c))
			}()
		}
	}()
	return "http://" + l.Addr().String(), count
}

// Vulnerability: who keeps a connection and finds bytes on it takes them for the answer to the next request. Attack: mallory's
// program answers once more than it was asked. Verified: nobody gets that answer, whenever it comes.
func TestAnswersThatNobodyAskedForReachNobody(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			s, asked := newStage(t, Options{}), make(chan struct{})
			said := make(chan struct{}, 10)
			url, count := speaker(t, func(c net.Conn, nth int32, br *bufio.Reader) {
				for {
					if _, err := http.ReadRequest(br); err != nil {
						return
					}
					const good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
					evil := strings.Replace(good, "good", "evil", 1)
					if nth > 1 {
						io.WriteString(c, good)
						continue
					}
					if !late {
						io.WriteString(c, good+evil)
						continue
					}
					io.WriteString(c, good)
					<-asked
					io.WriteString(c, evil)
					said <- struct{}{}
				}
			})
			s.alice(url)
			for i := range 3 {
				if got := s.get("/user/alice/"); got.body != "good" {
					t.Fatalf("request %d is answered %q", i, got.body)
				}
				if late && i == 0 {
					close(asked)
					<-said
					eventually(t, "the bytes are here", func() bool {
						up := s.p.table.get("/user/alice").up
						up.mu.Lock()
						defer up.mu.Unlock()
						return len(up.waiting) == 1 && !up.waiting[0].quiet()
					})
				}
			}
			if count.Load() != 2 {
				t.Errorf("%d connections were made", count.Load())
			}
		})
	}
}

// Requests go over one connection as long as they come one after the other, with bodies of all kinds in both directions.
func TestLinksAreKept(t *testing.T) {
	s := newStage(t, Options{})
	url, count := speaker(t, func(c net.Conn, _ int32, br *bufio.Reader) {
		for n := 0; ; n++ {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if n%2 == 0 {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n.%s\r\n0\r\n\r\n", len(b)+1, b)
			} else {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n.%s", len(b)+1, b)
			}
		}
	})
	s.alice(url)
	c := s.dial()
	br := bufio.NewReader(c)
	for i := range 100 {
		switch i % 3 {
		case 0:
			io.WriteString(c, "POST /user/alice/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
		case 1:
			io.WriteString(c, "PUT /user/alice/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
		default:
			io.WriteString(c, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		want := ".hello"
		if i%3 == 2 {
			want = "."
		}
		if got := readReply(t, res); got.body != want {
			t.Fatalf("request %d: %d %q", i, got.status, got.body)
		}
	}
	if count.Load() != 1 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// An answer that could be read in two ways is none; what broke off is none either. Each costs its connection.
func TestBadAnswersAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"both framings": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
		"two lengths":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
		"bare LF":       "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		"folded":        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
		"no HTTP":       "ok\r\n",
		"half a head":   "HTTP/1.1 200 OK\r\nContent-Le",
		"endless head":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswerHead),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, Options{})
			url, _ := speaker(t, func(c net.Conn, _ int32, br *bufio.Reader) {
				if _, err := http.ReadRequest(br); err == nil {
					io.WriteString(c, answer)
				}
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, br)
			})
			s.alice(url)
			if got := s.get("/user/alice/"); got.status != 503 {
				t.Errorf("%d %q", got.status, got.body)
			}
		})
	}
}

// What the body's chunks are made of is checked as well, and a client sees that its answer is not whole.
func TestBadChunksBreakTheAnswer(t *testing.T) {
	for _, chunks := range []string{"2\nok\r\n0\r\n\r\n", "0x2\r\nok\r\n0\r\n\r\n", "2\r\nokay\r\n0\r\n\r\n", "2\r\nok\r\n", "2\r\nok\r\n0\r\nX: y\n\r\n"} {
		s := newStage(t, Options{})
		url, _ := speaker(t, func(c net.Conn, _ int32, br *bufio.Reader) {
			if _, err := http.ReadRequest(br); err == nil {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
			}
		})
		s.alice(url)
		c := s.dial()
		io.WriteString(c, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			continue // it was known before anything was said
		}
		if got, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%q passes as %q", chunks, got)
		}
	}
}

// Large bodies pass through the kernel where they can, byte by byte as they are, and the connections on both sides go on.
func TestLargeBodiesPass(t *testing.T) {
	text := make([]byte, 5<<20+123)
	rand.NewChaCha8([32]byte{2}).Read(text)
	large := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		if r.URL.Path == "/user/alice/half" {
			w.Write(text[:len(text)/2])
			panic(http.ErrAbortHandler)
		}
		w.Write(text)
	}
	overUnix, unix := unixServer(t, large)
	overTCP := newServer(t, large)
	for name, c := range map[string]struct {
		target string
		up     *server
	}{"unix": {unix, overUnix}, "tcp": {overTCP.URL, overTCP}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, Options{})
			s.alice(c.target)
			conn := s.dial()
			br := bufio.NewReader(conn)
			for range 3 {
				io.WriteString(conn, "GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n")
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := readReply(t, res); got.body != string(text) {
					t.Fatalf("%d bytes arrived, not the same", len(got.body))
				}
			}
			eventually(t, "one link waits", func() bool { return s.waiting() == 1 })
			io.WriteString(conn, "GET /user/alice/half HTTP/1.1\r\nHost: h\r\n\r\n")
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Error("half a body looks whole")
			}
		})
	}
}

// waiting returns how many links to alice's server wait for a request.
func (s *stage) waiting() int {
	up := s.p.table.get("/user/alice").up
	up.mu.Lock()
	defer up.mu.Unlock()
	return len(up.waiting)
}

// A status comes in the upstream's own words.
func TestReasonsPass(t *testing.T) {
	s := newStage(t, Options{})
	url, _ := speaker(t, func(c net.Conn, _ int32, br *bufio.Reader) {
		if _, err := http.ReadRequest(br); err == nil {
			io.WriteString(c, "HTTP/1.1 200 As You Like It\r\nContent-Length: 0\r\n\r\n")
		}
	})
	s.alice(url)
	if res := s.raw("GET /user/alice/ HTTP/1.1\r\nHost: h\r\n\r\n"); res.Status != "200 As You Like It" {
		t.Error(res.Status)
	}
}
