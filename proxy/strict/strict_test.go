package strict_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"jupyterhubd/proxy/strict"
)

// listener wraps what it accepts, as the proxy's public door does.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return strict.Wrap(c), nil
}

// answer answers every request with its method, path and body.
func answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	text := fmt.Sprintf("%s %s %q", r.Method, r.RequestURI, body)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	io.WriteString(w, text)
}

// both plays a test with net/http's server behind the guard, and with the server of our own: the rules are the same.
func both(t *testing.T, play func(t *testing.T, addr net.Addr)) {
	t.Run("guard", func(t *testing.T) {
		l := listen(t)
		srv := &http.Server{Handler: http.HandlerFunc(answer)}
		go srv.Serve(listener{l})
		t.Cleanup(func() { srv.Close() })
		play(t, l.Addr())
	})
	t.Run("server", func(t *testing.T) {
		l, _ := serve(t, http.HandlerFunc(answer))
		play(t, l)
	})
}

// serve starts a server of ours.
func serve(t *testing.T, h http.Handler) (net.Addr, *strict.Server) {
	t.Helper()
	l := listen(t)
	srv := &strict.Server{Handler: h, Context: context.WithoutCancel(t.Context()), HeadTime: time.Minute, IdleTime: time.Minute, MaxHead: 1 << 20}
	go accept(l, srv)
	t.Cleanup(srv.Close)
	return l.Addr(), srv
}

func accept(l net.Listener, srv *strict.Server) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go srv.Serve(c)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// talk sends bytes and returns everything that comes back until the server closes; it closes its own side first.
func talk(t *testing.T, to net.Addr, send string) string {
	t.Helper()
	c, err := net.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", got, err)
	}
	return string(got)
}

// D17: whatever could be read as two different requests is answered 400, and nothing of it reaches the handler.
func TestD17EverySmugglingShapeIsRefused(t *testing.T) { both(t, refusesSmuggling) }

func refusesSmuggling(t *testing.T, addr net.Addr) {
	const chunks = "0\r\n\r\n"
	for name, head := range map[string]string{
		"both framings":             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"both, the other way":       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + chunks,
		"two lengths":               "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"two equal lengths":         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"listed length":             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello",
		"signed length":             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
		"hexadecimal length":        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhello",
		"empty length":              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nhello",
		"overlong length":           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
		"empty coding":              "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello",
		"unknown coding":            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n" + chunks,
		"listed coding":             "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunks,
		"two codings":               "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"coding hidden by tab":      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked\x0b\r\n\r\n" + chunks,
		"chunked in HTTP/1.0":       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"space before colon":        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n" + chunks,
		"folded line":               "GET / HTTP/1.1\r\nHost: h\r\nX-A: b\r\n c\r\n\r\n",
		"first line folded":         "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
		"bare LF in request line":   "GET / HTTP/1.1\nHost: h\r\n\r\n",
		"bare LF in a field":        "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
		"bare LF at the end":        "GET / HTTP/1.1\r\nHost: h\r\n\n",
		"bare CR in a field":        "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
		"NUL in a field":            "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
		"no name":                   "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
		"no colon":                  "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n",
		"no Host":                   "GET / HTTP/1.1\r\n\r\n",
		"two Hosts":                 "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
		"Host with a path":          "GET / HTTP/1.1\r\nHost: h/user/bob\r\n\r\n",
		"Host with a user":          "GET / HTTP/1.1\r\nHost: alice@h\r\n\r\n",
		"Host with a space":         "GET / HTTP/1.1\r\nHost: h evil\r\n\r\n",
		"Host with a comma":         "GET / HTTP/1.1\r\nHost: h,evil\r\n\r\n",
		"endless Host":              "GET / HTTP/1.1\r\nHost: " + strings.Repeat("h", 600) + "\r\n\r\n",
		"too many lines":            "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 1000) + "\r\n",
		"HTTP/2 preface":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/1.2":                  "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
		"lower-case protocol":       "GET / http/1.1\r\nHost: h\r\n\r\n",
		"no protocol":               "GET /\r\nHost: h\r\n\r\n",
		"two spaces":                "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
		"space in the target":       "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"tab in the request line":   "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"space at the line's end":   "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
		"CR in the protocol":        "GET / HTTP/1.1\r\rHost: h\r\n\r\n",
		"empty line before":         "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"TLS hello on a plain port": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"handshake with a body":     "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
		"handshake with chunks":     "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
	} {
		t.Run(name, func(t *testing.T) {
			got := talk(t, addr, head+"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Contains(got, "smuggled") {
				t.Errorf("want 400 and nothing else, got %q", got)
			}
			if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers: %q", n, got)
			}
		})
	}
}

// The answer to a refused head comes after those to the good requests before it.
func TestRefusalKeepsItsPlaceInThePipeline(t *testing.T) { both(t, refusesInTurn) }

func refusesInTurn(t *testing.T, addr net.Addr) {
	got := talk(t, addr, "GET /first HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\n\r\n")
	first, second := strings.Index(got, "GET /first"), strings.Index(got, "HTTP/1.1 400")
	if first < 0 || second < first {
		t.Errorf("want the first answer, then 400, got %q", got)
	}
}

func TestGoodRequestsPassUntouched(t *testing.T) { both(t, passesGoodRequests) }

func passesGoodRequests(t *testing.T, addr net.Addr) {
	for name, c := range map[string]struct{ send, want string }{
		"plain":              {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", `GET /a ""`},
		"HTTP/1.0":           {"GET /a HTTP/1.0\r\n\r\n", `GET /a ""`},
		"unknown method":     {"PROPFIND /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", `PROPFIND /a "hi"`},
		"empty Host":         {"GET /a HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", `GET /a ""`},
		"IPv6 Host":          {"GET /a HTTP/1.1\r\nhost: [::1]:8000\r\nConnection: close\r\n\r\n", `GET /a ""`},
		"raw UTF-8":          {"GET /ü HTTP/1.1\r\nHost: h\r\nX: ü\r\nConnection: close\r\n\r\n", `GET /ü ""`},
		"chunks":             {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n2;a=b\r\nhi\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n", `POST /a "hi0123456789"`},
		"chunked GET":        {"GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n", `GET /a "x"`},
		"other upgrade":      {"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", `GET /a ""`},
		"large cookie":       {"GET /a HTTP/1.1\r\nHost: h\r\nCookie: c=" + strings.Repeat("x", 60<<10) + "\r\nConnection: close\r\n\r\n", `GET /a ""`},
		"two in one segment": {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", `GET /b ""`},
	} {
		t.Run(name, func(t *testing.T) {
			got := talk(t, addr, c.send)
			if !strings.HasPrefix(got, "HTTP/1.1 200 ") && !strings.HasPrefix(got, "HTTP/1.0 200 ") || !strings.Contains(got, c.want) {
				t.Errorf("want %s, got %q", c.want, got)
			}
		})
	}
}

// A chunked body that is not well-formed fails the read of the body: the connection ends without a clean answer.
func TestBadChunksFailTheBody(t *testing.T) { both(t, failsBadChunks) }

func failsBadChunks(t *testing.T, addr net.Addr) {
	for name, body := range map[string]string{
		"sign":                "+1\r\nx\r\n0\r\n\r\n",
		"0x":                  "0x1\r\nx\r\n0\r\n\r\n",
		"space":               "1 \r\nx\r\n0\r\n\r\n",
		"no size":             "\r\nx\r\n0\r\n\r\n",
		"no size, extension":  ";a\r\nx\r\n0\r\n\r\n",
		"bare LF after size":  "1\nx\r\n0\r\n\r\n",
		"bare LF after data":  "1\r\nx\n0\r\n\r\n",
		"too much data":       "1\r\nxyz\r\n0\r\n\r\n",
		"overlong size":       "0000000000000001\r\nx\r\n0\r\n\r\n",
		"overlong extension":  "1;" + strings.Repeat("a", 300) + "\r\nx\r\n0\r\n\r\n",
		"bare LF in trailers": "0\r\nX: y\n\r\n",
		"folded trailer":      "0\r\nX: y\r\n z\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := talk(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+body+"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
			if strings.Contains(got, "200 OK") || strings.Contains(got, "smuggled") {
				t.Errorf("a bad body was answered: %q", got)
			}
		})
	}
}

// A head over the server's limit is answered 431; the guard leaves that to net/http.
func TestTooLargeHeads(t *testing.T) { both(t, refusesLargeHeads) }

func refusesLargeHeads(t *testing.T, addr net.Addr) {
	got := talk(t, addr, "GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 2<<20))
	if !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("want 431, got %.80q", got)
	}
}

func TestHandshakeTurnsTheConnectionRaw(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	c := strict.Wrap(far)
	defer c.Close()
	head := "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
	go io.WriteString(near, head+"\x00\x01 not HTTP at all \r")
	got := make([]byte, len(head)+19)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !c.Raw() {
		t.Error("the connection does not know that it is a tunnel now")
	}
}

// FuzzAgreesWithNetHTTP holds the two halves of the promise: what is refused never parses, and of what passes both see the
// same first request with the same body.
func FuzzAgreesWithNetHTTP(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n0\r\nT: v\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		passed, bad := pass(data)
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(passed)))
		if bad && strings.HasSuffix(passed, "\x00\r\n\x00\r\n\r\n") && firstIsRefused(data) && err == nil {
			t.Fatalf("refused, and yet net/http reads %s %s", req.Method, req.RequestURI)
		}
		if err != nil || bad {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		raw, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(data))))
		if err != nil {
			t.Fatalf("the check made a request good: %v", err)
		}
		want, _ := io.ReadAll(raw.Body)
		if string(want) != string(body) {
			t.Fatalf("body %q, unchecked %q", body, want)
		}
	})
}

// pass returns what a server reads of the bytes, and whether anything was refused.
func pass(data []byte) (string, bool) {
	c := strict.Wrap(once{r: strings.NewReader(string(data))})
	got, err := io.ReadAll(c)
	return string(got), errors.Is(err, strict.ErrBody) || len(got) != len(data)
}

// firstIsRefused reports whether the refusal concerns the first request, by reading byte by byte until its head ends.
func firstIsRefused(data []byte) bool {
	end := strings.Index(string(data), "\r\n\r\n")
	if end < 0 {
		return true
	}
	got, _ := pass(data[:end+4])
	return strings.HasSuffix(got, "\x00\r\n\x00\r\n\r\n")
}

// once is a connection that has only bytes to read.
type once struct {
	net.Conn
	r io.Reader
}

func (o once) Read(p []byte) (int, error) { return o.r.Read(p) }
