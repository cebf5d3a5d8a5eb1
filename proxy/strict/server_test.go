package strict_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"jupyterhubd/proxy/strict"
)

func dial(t *testing.T, to net.Addr) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a hang is a failure, not a wait
	return c, bufio.NewReader(c)
}

func next(t *testing.T, br *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// What a handler may say arrives as it would from net/http: lengths, chunks, trailers, words before the answer, no bodies where
// there are none. All over one connection.
func TestAnswersAreFramed(t *testing.T) {
	addr, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.RequestURI {
		case "/sized":
			w.Header()["Content-Length"] = []string{"5"}
			io.WriteString(w, "he")
			io.WriteString(w, "llo")
		case "/large":
			w.Header()["Content-Length"] = []string{fmt.Sprint(1 << 20)}
			for range 1 << 5 {
				w.Write(bytes.Repeat([]byte("x"), 1<<15))
			}
		case "/trailers":
			w.Header()["Trailer"] = []string{"X-Sum"}
			w.(http.Flusher).Flush()
			w.Write(bytes.Repeat([]byte("y"), 100<<10))
			w.Header().Set("X-Sum", "42")
			w.Header().Set(http.TrailerPrefix+"X-Other", "43")
		case "/hints":
			w.Header().Set("Link", "a")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(201)
		case "/204":
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
				t.Errorf("a body behind 204: %v", err)
			}
		case "/304":
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(304)
		case "/header":
			w.Header().Set("X-Evil", "a\r\nSet-Cookie: b")
			w.Header()["Date"] = []string{"then"}
		}
	}))
	c, br := dial(t, addr)
	ask := func(method, path string) (*http.Response, string) {
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, path)
		return next(t, br, method)
	}
	if res, body := ask("GET", "/sized"); body != "hello" || res.ContentLength != 5 || res.Header.Get("Date") == "" {
		t.Errorf("sized: %q %v", body, res.Header)
	}
	if res, body := ask("HEAD", "/sized"); body != "" || res.Header.Get("Content-Length") != "5" {
		t.Errorf("HEAD: %q %v", body, res.Header)
	}
	if _, body := ask("GET", "/large"); len(body) != 1<<20 {
		t.Errorf("large: %d bytes", len(body))
	}
	if res, body := ask("GET", "/trailers"); len(body) != 100<<10 || res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-Other") != "43" {
		t.Errorf("trailers: %d bytes, %v", len(body), res.Trailer)
	}
	if res, _ := ask("GET", "/hints"); res.StatusCode != 103 || res.Header.Get("Link") != "a" {
		t.Errorf("hints: %s %v", res.Status, res.Header)
	}
	if res, _ := next(t, br, "GET"); res.StatusCode != 201 || res.Header["Link"] != nil {
		t.Errorf("behind hints: %s %v", res.Status, res.Header)
	}
	if res, _ := ask("GET", "/204"); res.StatusCode != 204 || res.Header["Content-Length"] != nil {
		t.Errorf("204: %v", res.Header)
	}
	if res, _ := ask("GET", "/304"); res.StatusCode != 304 || res.Header.Get("Content-Length") != "5" {
		t.Errorf("304: %v", res.Header)
	}
	if res, _ := ask("GET", "/header"); res.Header["Set-Cookie"] != nil || !slices.Equal(res.Header["Date"], []string{"then"}) {
		t.Errorf("header: %v", res.Header)
	}
	if res, _ := ask("OPTIONS", "*"); res.StatusCode != 200 {
		t.Errorf("OPTIONS *: %s", res.Status)
	}
	if res, _ := ask("GET", "http://other/sized"); res.StatusCode != 200 {
		t.Errorf("absolute form: %s", res.Status)
	}
}

// A client that waits for 100 is told when the body is asked for; one whose body nobody reads is told nothing, and its connection
// ends, whatever it goes on to send.
func TestBodiesThatNobodyReads(t *testing.T) {
	addr, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/read" {
			answer(w, r)
			return
		}
		w.WriteHeader(413)
	}))
	c, br := dial(t, addr)
	io.WriteString(c, "PUT /read HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if res, _ := next(t, br, "PUT"); res.StatusCode != 100 {
		t.Fatal(res.Status)
	}
	io.WriteString(c, "hello")
	if _, body := next(t, br, "PUT"); body != `PUT /read "hello"` {
		t.Errorf("%q", body)
	}
	io.WriteString(c, "PUT /short HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello") // it is here, so it is passed over
	if res, _ := next(t, br, "PUT"); res.StatusCode != 413 {
		t.Error(res.Status)
	}
	io.WriteString(c, "PUT /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if res, _ := next(t, br, "PUT"); res.StatusCode != 413 || !res.Close {
		t.Errorf("%s, ends: %v", res.Status, res.Close)
	}
	io.WriteString(c, "GET /read HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, _ := io.ReadAll(br); len(got) > 0 {
		t.Errorf("what came in the place of the body was answered %q", got)
	}
	for expect, status := range map[string]int{"200-maybe": 417, "100-Continue": 100} {
		c, br := dial(t, addr)
		io.WriteString(c, "PUT /read HTTP/1.1\r\nHost: h\r\nExpect: "+expect+"\r\nContent-Length: 5\r\n\r\n")
		if res, _ := next(t, br, "PUT"); res.StatusCode != status {
			t.Errorf("%s: %s", expect, res.Status)
		}
	}
}

// An answer that broke off never looks whole: neither by its length, nor by its chunks, nor where the connection's end ends it.
func TestBrokenAnswersLookBroken(t *testing.T) {
	addr, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/sized" {
			w.Header().Set("Content-Length", "10")
		}
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		if r.RequestURI != "/sized" {
			panic(http.ErrAbortHandler)
		}
	}))
	for _, request := range []string{"/sized HTTP/1.1", "/sized HTTP/1.0", "/chunked HTTP/1.1", "/to-the-end HTTP/1.0"} {
		c, br := dial(t, addr)
		io.WriteString(c, "GET "+request+"\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			continue // a reset can be quicker than what was before it
		}
		if got, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s looks whole: %q", request, got)
		}
	}
}

// Who waits too long is dropped: before a request, in the middle of a head, after one.
func TestSlowClientsAreDropped(t *testing.T) {
	l := listen(t)
	srv := &strict.Server{Handler: http.HandlerFunc(answer), Context: t.Context(), HeadTime: 100 * time.Millisecond, IdleTime: 200 * time.Millisecond, MaxHead: 1 << 20}
	go accept(l, srv)
	for _, send := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET"} {
		c, br := dial(t, l.Addr())
		io.WriteString(c, send)
		if _, err := io.ReadAll(br); err != nil {
			t.Errorf("%q: %v", send, err)
		}
	}
}

// A head has its time as a whole: one that comes byte by byte holds its connection no longer.
func TestDribblingClientsAreDropped(t *testing.T) {
	l := listen(t)
	srv := &strict.Server{Handler: http.HandlerFunc(answer), Context: t.Context(), HeadTime: 100 * time.Millisecond, IdleTime: time.Minute, MaxHead: 1 << 20}
	go accept(l, srv)
	c, br := dial(t, l.Addr())
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nX: "); err == nil; _, err = io.WriteString(c, "x") {
			<-tick.C
		}
	}()
	if _, err := br.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		t.Errorf("it is not dropped: %v", err)
	}
}

// Shutdown lets what is under way finish, and closes what only waits.
func TestShutdown(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	addr, srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/slow" {
			close(begun)
			<-finish
		}
		answer(w, r)
	}))
	waits, waiting := dial(t, addr)
	io.WriteString(waits, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	next(t, waiting, "GET")
	busy, br := dial(t, addr)
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	ended := make(chan error)
	go func() { ended <- srv.Shutdown(t.Context()) }()
	if got, err := io.ReadAll(waiting); err != nil || len(got) > 0 {
		t.Errorf("the one that waited: %q, %v", got, err)
	}
	close(finish)
	if res, body := next(t, br, "GET"); body != `GET /slow ""` || !res.Close {
		t.Errorf("the one under way: %q", body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// A handler that panics is told of, and its client's connection ends.
func TestPanics(t *testing.T) {
	told := make(chan any, 1)
	l := listen(t)
	srv := &strict.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }), Context: t.Context(), HeadTime: time.Minute,
		IdleTime: time.Minute, MaxHead: 1 << 20, Panicked: func(v any, stack []byte) {
			if bytes.Contains(stack, []byte("TestPanics")) {
				told <- v
			}
		}}
	go accept(l, srv)
	c, br := dial(t, l.Addr())
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := http.ReadResponse(br, nil); err == nil {
		t.Error("it was answered")
	}
	if v := <-told; v != "oh" {
		t.Error(v)
	}
}

// Hijacked connections are whole, with what came early, and no longer the server's.
func TestHijack(t *testing.T) {
	taken := make(chan struct{})
	addr, srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		close(taken)
		go func() {
			defer c.Close()
			line, _ := rw.ReadString('\n')
			io.WriteString(c, line)
		}()
	}))
	c, br := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\nea")
	<-taken
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	io.WriteString(c, "rly\n")
	if got, err := io.ReadAll(br); err != nil || string(got) != "early\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzRequest: what is read here net/http reads in the same way, and what the guard refuses is refused here.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST http://h:1/x?y HTTP/1.1\r\nhost: z\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n0\r\nT: v\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: T, u\r\n\r\n0\r\nT: v\r\nt: w\r\nX: y\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\nUpgrade: WebSocket\r\nX:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours := &http.Request{Header: http.Header{}}
		err := strict.ReadRequest(bufio.NewReaderSize(bytes.NewReader(data), 32), 64<<10, ours)
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end >= 0 && end < 64<<10 {
			if refused := firstIsRefused(data); refused != (err != nil) && !strings.Contains(ours.RequestURI, "://") && err != strict.ErrTooLarge && authorityForm(ours) {
				t.Fatalf("the guard refuses: %v, here: %v", refused, err)
			}
		}
		if err != nil {
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			if unreadable(err) {
				return
			}
			t.Fatalf("net/http: %v", err)
		}
		compareRequests(t, ours, theirs)
	})
}

// authorityForm reports whether only the reading of the target could have refused a request that the guard lets pass.
func authorityForm(r *http.Request) bool { return r.RequestURI == "" || r.RequestURI[0] == '/' }

// unreadable are net/http's reasons to refuse what is no question of framing: targets and hosts, which the proxy reads by itself.
func unreadable(err error) bool {
	for _, reason := range []string{"parse ", "invalid method", "railer", "malformed Host", "invalid URI", "missing required Host"} {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

func compareRequests(t *testing.T, ours, theirs *http.Request) {
	t.Helper()
	if ours.Method != theirs.Method || ours.RequestURI != theirs.RequestURI || ours.Host != theirs.Host || ours.Proto != theirs.Proto || ours.ContentLength != theirs.ContentLength {
		t.Fatalf("%+v, net/http has %+v", ours, theirs)
	}
	delete(ours.Header, "Trailer")
	delete(theirs.Header, "Trailer")
	delete(ours.Header, "Pragma") // net/http makes Cache-Control of it
	delete(theirs.Header, "Pragma")
	delete(ours.Header, "Cache-Control")
	delete(theirs.Header, "Cache-Control")
	if !reflect.DeepEqual(ours.Header, theirs.Header) {
		t.Fatalf("fields %q, net/http has %q", ours.Header, theirs.Header)
	}
	got, err := io.ReadAll(ours.Body)
	if err != nil {
		if !errors.Is(err, strict.ErrBody) && err != io.ErrUnexpectedEOF && err != strict.ErrTooLarge {
			t.Fatal(err)
		}
		return
	}
	if want, err := io.ReadAll(theirs.Body); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("body %q, net/http has %q, %v", got, want, err)
	}
	for name, values := range ours.Trailer {
		if !slices.Equal(values, theirs.Trailer[name]) {
			t.Fatalf("behind the body %s: %q, net/http has %q", name, values, theirs.Trailer[name])
		}
	}
}
